"""Watch both variants while the window is open, one look after each period, and stop early on evidence."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from include.aws import endpoints, metrics
from include.gates.look import Look, look
from include.ledger.objects import Kind, deployment_key, replay_key, tick_key
from include.rollout.errors import ReplayError
from include.rollout.evidence import Evidence, Period, Threshold
from include.rollout.gate import LatencyGate, LatencyThresholdGate
from include.rollout.names import moment, timestamp
from include.rollout.operating import OverheadGate, SaturationGate
from include.rollout.spec import Mode, RolloutSpec
from include.rollout.stage import Stage, config_name
from include.rollout.window import Window, floor_to
from include.steps.budget import overspent
from include.steps.edit import attend, resamplings
from include.steps.experiment import is_managed, known_configs
from include.steps.noise import noise_of, policy_of
from include.steps.pairs import glimpse
from include.steps.rollout import Rollout
from include.steps.wishes import asked_extension, concluded


class Closed(StrEnum):
    """Why a window closed."""

    ABORT = "abort"  # the evidence is against the candidate
    END = "end"  # the window's last period was read
    NO_TRAFFIC = "no_traffic"  # it never opened
    CONCLUDED = "concluded"  # a person asked for it
    BUDGET = "budget"  # the shadow has cost all it may

    @property
    def is_early(self) -> bool:
        """Say whether the window was cut short, so that its planned length was not seen."""
        return self in (Closed.ABORT, Closed.CONCLUDED, Closed.BUDGET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What one call of `observe` did: lines for the log, when to call again, and why the window closed, if it did."""

    lines: tuple[str, ...]
    again_in: float  # seconds
    closed: Closed | None = None


def observe(rollout: Rollout) -> Progress:
    """Take the next look, if one is due, and say when the next one is.

    Re-entrant: all memory is in the ledger, so another process can go on where one died. The window opens once both
    variants were seen answering requests; a replay shard that never started is an error, not "no traffic".
    Raises ForeignChangeError when somebody else changed the endpoint.
    """
    ledger, spec = rollout.ledger, rollout.spec
    stop = ledger.read(Kind.REPLAY_STOP)
    if stop is not None:  # for good; the endpoint may have gone on to the next stage since
        return Progress(lines=(), again_in=0, closed=Closed(stop["closed"]))
    now = _check_endpoint(rollout)
    edits = attend(rollout)
    opened = ledger.read(Kind.WINDOW)
    asked = concluded(rollout)
    if asked is not None:
        if opened is None:
            _never_opened(rollout, now, Closed.CONCLUDED)
        line = f"{asked['who']} asked to {asked['action']}: {asked['why']}"
        return Progress(lines=(*edits, line), again_in=0, closed=Closed.CONCLUDED)
    over = overspent(rollout, now)
    if over is not None:
        if opened is None:
            _never_opened(rollout, now, Closed.BUDGET)
        return Progress(lines=(*edits, over), again_in=0, closed=Closed.BUDGET)
    if opened is None:
        progress = _open(rollout, now)
        return replace(progress, lines=(*edits, *progress.lines))
    window = window_of(
        spec,
        moment(opened["opened"]),
        extended=ledger.read(Kind.EXTENSION) is not None,
        longer=asked_extension(rollout),
    )
    if opened["closed"] is not None:
        return Progress(lines=(), again_in=0, closed=Closed(opened["closed"]))
    seen = _last_tick(rollout, window)
    until = window.readable(now)
    lines = list(edits)
    if until > seen:
        _refuse_failed_shards(rollout)
        evidence = replace(read(rollout, window, until), pairs=glimpse(rollout, window, until))
        found = look(evidence, policy_of(rollout), noise=noise_of(rollout))
        if spec.mode is Mode.AA:
            # Equal variants: what the gates see is the noise to learn.
            found = replace(found, crossed_after=None)
        tick = rollout.write(tick_key(until), _tick(evidence, found, window, seen))
        lines.append(tick["line"])
        if tick["abort"] is not None:
            lines.append(f"aborting: {tick['abort']}")
            return Progress(lines=tuple(lines), again_in=0, closed=Closed.ABORT)
        seen = until
    if seen >= window.end:
        return Progress(lines=tuple(lines), again_in=0, closed=Closed.END)
    wait = (window.next_look(seen) - now).total_seconds()
    return Progress(lines=tuple(lines), again_in=min(max(wait, 0.5), 60.0))


def window_of(spec: RolloutSpec, opened: datetime, *, extended: bool, longer: int = 0) -> Window:
    """Return the window that the spec means, opened at `opened`; `longer` is what a person added, in seconds."""
    section = spec.window
    return Window(
        opened=opened,
        period=section.period,
        warm_up=section.warm_up,
        length=(section.maximum if extended else section.length) + longer,
        lag=section.lag,
    )


def read(rollout: Rollout, window: Window, until: datetime, *, whole: bool = False) -> Evidence:
    """Read the evidence from the window's begin to `until`; with `whole` also the percentiles over all of it."""
    found = metrics.read_evidence(
        rollout.clients,
        rollout.variants,
        begin=window.begin,
        end=until,
        period=window.period,
        sampling=rollout.spec.sampling,
        thresholds=_thresholds(rollout, window) if until > window.begin else (),
        quantiles=quantiles(rollout.spec),
        overheads=_overheads(rollout.spec),
        utilization=utilization(rollout.spec),
        whole=whole,
    )
    return replace(found, resamplings=resamplings(rollout))


def quantiles(spec: RolloutSpec) -> tuple[str, ...]:
    """Return the percentiles to read: those that are shown, and any other that a gate names."""
    named = {
        gate.quantile for gate in spec.gates.rules if isinstance(gate, LatencyGate | LatencyThresholdGate)
    }
    return (*metrics.QUANTILES, *sorted(named - set(metrics.QUANTILES)))


def _overheads(spec: RolloutSpec) -> tuple[str, ...]:
    named = {gate.quantile for gate in spec.gates.rules if isinstance(gate, OverheadGate)}
    return (*metrics.OVERHEADS, *sorted(named - set(metrics.OVERHEADS)))


def utilization(spec: RolloutSpec) -> tuple[str, ...]:
    """Return the metrics of the instances' use that a gate names: every other would be paid for and shown nowhere."""
    return tuple(sorted({gate.metric for gate in spec.gates.rules if isinstance(gate, SaturationGate)}))


def summed(rows: Sequence[Period], since: datetime) -> dict[str, Any]:
    """Sum up a variant's periods, with the last one's p50 and p90 and every period since `since`."""
    invocations = sum(row.invocations or 0.0 for row in rows)
    errors = sum(row.errors.get("InvocationModelErrors", 0.0) for row in rows)
    last = rows[-1].latency if rows else {}
    return {
        "invocations": invocations,
        "errors": errors,
        "error_rate": errors / invocations if invocations else 0.0,
        "p50_ms": last["p50"] / 1000 if "p50" in last else None,
        "p90_ms": last["p90"] / 1000 if "p90" in last else None,
        "periods": [row.to_document() for row in rows if row.start >= since],
    }


def stop_replay(rollout: Rollout, why: Closed) -> None:
    """Tell every replay shard to stop: the window is closed for good."""
    rollout.write(Kind.REPLAY_STOP, {"closed": why.value})


def _check_endpoint(rollout: Rollout) -> datetime:
    """Return the service's time, after making sure that the endpoint still is as we deployed it."""
    baseline = rollout.baseline
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    watched = {config_name(rollout.id, Stage.SHADOW, baseline)}
    if is_managed(rollout):
        watched |= known_configs(rollout, state)
    endpoints.refuse_foreign(state, baseline.endpoint, watched)
    assert state is not None
    return state.seen


def _open(rollout: Rollout, now: datetime) -> Progress:
    spec, ledger = rollout.spec, rollout.ledger
    deployed = moment(ledger.require(deployment_key(Stage.SHADOW))["written_at"])
    patience = deployed + timedelta(seconds=spec.window.opening)
    shards = spec.replay.shards if spec.replay else 0
    _refuse_failed_shards(rollout)
    absent = [shard for shard in range(shards) if ledger.read(f"{replay_key(shard)}.started") is None]
    if absent:
        if now >= patience:
            raise ReplayError(
                f"replay shard {absent[0]} did not start within {spec.window.opening} s; free slots in its pool or "
                "raise window.opening, then start a new rollout."
            )
        return Progress(lines=("waiting for the replay to start",), again_in=2)
    period = spec.window.period
    begin = floor_to(deployed, period)
    counts = metrics.invocations(
        rollout.clients,
        rollout.variants,
        begin=begin,
        end=floor_to(now, period) + timedelta(seconds=period),
        period=period,
    )
    if min(counts.values()) > 0:
        opened = now
        if shards:  # traffic began when the last shard started, which is exact; CloudWatch only tells it a period later
            started = [
                moment(ledger.require(f"{replay_key(s)}.started")["written_at"]) for s in range(shards)
            ]
            opened = max(started)
        window = window_of(spec, opened, extended=False)
        rollout.write(
            Kind.WINDOW,
            {
                "opened": timestamp(opened),
                "begin": timestamp(window.begin),
                "end": timestamp(window.end),
                "closed": None,
            },
        )
        line = f"both variants answer; warm-up until {timestamp(window.begin)}, window until {timestamp(window.end)}"
        return Progress(lines=(line,), again_in=1)
    if now >= patience:
        _never_opened(rollout, now, Closed.NO_TRAFFIC)
        silent = ", ".join(role for role, count in counts.items() if count == 0)
        line = f"no metrics of {silent} within {spec.window.opening} s after deploying; closing the window without evidence"
        return Progress(lines=(line,), again_in=0, closed=Closed.NO_TRAFFIC)
    seen = ", ".join(f"{role} {count:.0f}" for role, count in counts.items())
    return Progress(
        lines=(f"waiting for metrics of both variants (requests so far: {seen})",),
        again_in=min(period / 2, 15),
    )


def _never_opened(rollout: Rollout, now: datetime, closed: Closed) -> None:
    """Note a window that was closed before it opened: empty, so that whoever judges finds no evidence."""
    rollout.write(
        Kind.WINDOW,
        {
            "opened": timestamp(now),
            "begin": timestamp(now),
            "end": timestamp(now),
            "closed": closed.value,
        },
    )


def _refuse_failed_shards(rollout: Rollout) -> None:
    """Raise ReplayError when a shard has failed: what is left would be judged on traffic that was never meant."""
    for document in rollout.ledger.read_many(rollout.ledger.keys(f"{Kind.FAILURE}/")).values():
        if document["task"] == "replay":
            raise ReplayError(f"the replay failed, so the window is closed: {document['reason']}")


def _thresholds(rollout: Rollout, window: Window) -> tuple[Threshold, ...]:
    """Return the latencies whose exceedances are counted, fixed once from production before the window's begin.

    Production's instances are replaced when the shadow is added, so its history since then is what it is now: the
    median over the periods of each gated quantile. Without any period there are none, and nothing is counted.
    """
    known = rollout.ledger.read(Kind.THRESHOLDS)
    if known is None:
        known = rollout.write(Kind.THRESHOLDS, {"thresholds": _warm_history(rollout, window)})
    return tuple(Threshold(**threshold) for threshold in known["thresholds"])


def _warm_history(rollout: Rollout, window: Window) -> list[dict[str, Any]]:
    spec = rollout.spec
    gates = [gate for gate in spec.gates.rules if isinstance(gate, LatencyGate) and gate.abort]
    deployed = moment(rollout.ledger.require(deployment_key(Stage.SHADOW))["written_at"])
    begin = floor_to(deployed, window.period)
    if not gates or begin >= window.begin:
        return []
    before = metrics.read_evidence(
        rollout.clients,
        rollout.variants,
        quantiles=quantiles(spec),
        begin=begin,
        end=window.begin,
        period=window.period,
        sampling=spec.sampling,
    ).production
    found = []
    for gate in gates:
        values = [row.latency[gate.quantile] for row in before if gate.quantile in row.latency]
        if values:
            level = statistics.median(values)
            found.append(
                {"label": gate.quantile, "production_us": level, "shadow_us": level * (1 + gate.margin)}
            )
    return found


def _last_tick(rollout: Rollout, window: Window) -> datetime:
    keys = rollout.ledger.keys(f"{Kind.TICK}/")
    return moment(keys[-1].removeprefix(f"{Kind.TICK}/")) if keys else window.begin


def _tick(evidence: Evidence, found: Look, window: Window, seen: datetime) -> dict[str, Any]:
    numbers = {"production": summed(evidence.production, seen), "shadow": summed(evidence.shadow, seen)}
    left = window.end - evidence.end
    parts = [f"{evidence.end:%H:%M:%S}"]
    for role, values in numbers.items():
        p90 = f"{values['p90_ms']:.1f} ms" if values["p90_ms"] is not None else "no latency"
        parts.append(
            f"{role} {values['invocations']:.0f} requests, {values['error_rate']:.2%} errors, p90 {p90}"
        )
    if not found.aborts:  # an abort gets a line of its own
        parts.append(found.sentence)
    parts.append(f"{int(left.total_seconds())} s left" if left.total_seconds() > 0 else "window complete")
    return {
        "end": timestamp(evidence.end),
        **numbers,
        "log_e": found.log_e,
        "bar": found.bar,
        "by_gate": {gate: curve[-1] for gate, curve in found.curves.items() if curve},
        "abort": found.sentence if found.aborts else None,
        "line": " · ".join(parts),
    }
