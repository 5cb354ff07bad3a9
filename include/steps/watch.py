"""Watch the promoted candidate for a while, and take the promotion back on evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from include.aws import endpoints, metrics
from include.gates.look import Look, look
from include.gates.wording import evidence as written
from include.gates.wording import periods
from include.ledger.objects import Kind, reverted_key, watch_key, watched_key, withdrawn_key
from include.rollout.evidence import Evidence
from include.rollout.names import moment, timestamp
from include.rollout.promotion import WATCHED
from include.rollout.stage import promoted_variant
from include.rollout.verdict import Conclusion
from include.rollout.window import Window
from include.steps.experiment import promoted_config
from include.steps.noise import noise_of, policy_of
from include.steps.observe import Closed, Progress, quantiles, summed
from include.steps.rollout import Rollout

_WATCH = "the watch"
_UNSEEN = "no period had requests to compare, so nothing is known against it"


def is_watching(rollout: Rollout) -> bool:
    """Say whether the promoted candidate is being watched: the spec asks for it, and nothing has ended it yet."""
    ledger = rollout.ledger
    return (
        rollout.spec.promotion.watch > 0
        and ledger.read(Kind.PROMOTION) is not None
        and ledger.read(watched_key()) is None
    )


def taken_back(rollout: Rollout) -> str | None:
    """Say who took the promotion back, is about to, or called it off, and why; None while it stands."""
    reverted = rollout.ledger.read(reverted_key())
    if reverted is not None:
        return f"the guardrails took the promotion back: {reverted['reason']}"
    withdrawn = rollout.ledger.read(withdrawn_key())
    if withdrawn is not None:
        return f"{withdrawn['who']} called the promotion off: {withdrawn['why']}"
    over = rollout.ledger.read(watched_key())
    if over is None or over["closed"] == Closed.END:
        return None
    return f"{over['who']} took the promotion back: {over['why']}"


def look_after(rollout: Rollout) -> Progress:
    """Take the next look at the promoted candidate, if one is due, and say when the next one is.

    Production since the promotion is held against production in the rollout's window, period by period, with the
    limits, the noise and the anytime-valid evidence of the rollout's own early abort: looking often costs nothing.
    The two are not of the same time, so a change of the traffic itself counts as one of the candidate. Periods
    without requests say nothing, and without evidence the candidate stays. Re-entrant: all memory is in the ledger.
    Raises ForeignChangeError when somebody else changed the endpoint.
    """
    ledger, baseline = rollout.ledger, rollout.baseline
    over = ledger.read(watched_key())
    if over is not None:
        return Progress(lines=(), again_in=0, closed=Closed(over["closed"]))
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    endpoints.refuse_foreign(state, baseline.endpoint, {promoted_config(rollout)})
    assert state is not None
    asked = _asked_back(rollout)
    if asked is not None:
        return _close(rollout, Closed.CONCLUDED, who=asked["who"], why=asked["why"])
    window = _window(rollout)
    seen = _last(rollout, window)
    until = window.readable(state.seen)
    lines: list[str] = []
    if until > seen:
        evidence = _evidence(rollout, window, until)
        policy = policy_of(rollout)
        rules = tuple(rule for rule in policy.rules if isinstance(rule, WATCHED))
        found = look(evidence, policy.model_copy(update={"rules": rules}), noise=noise_of(rollout))
        tick = rollout.write(watch_key(until), _tick(evidence, found, window))
        lines.append(tick["line"])
        if tick["against"] is not None:
            closed = _close(rollout, Closed.ABORT, who=_WATCH, why=tick["against"])
            return replace(closed, lines=(*lines, *closed.lines))
        seen = until
    if seen >= window.end:
        compared = rollout.ledger.require(watch_key(seen))["periods"]
        why = f"the evidence against it stayed too weak over {periods(compared)}" if compared else _UNSEEN
        closed = _close(rollout, Closed.END, who=_WATCH, why=why)
        return replace(closed, lines=(*lines, *closed.lines))
    wait = (window.next_look(seen) - state.seen).total_seconds()
    return Progress(lines=tuple(lines), again_in=min(max(wait, 0.5), 60.0))


def _asked_back(rollout: Rollout) -> dict[str, Any] | None:
    """Return a person's word to remove the candidate; one from before the promotion would have prevented it."""
    asked = rollout.ledger.read_many(rollout.ledger.keys(f"{Kind.CONCLUDE}/")).values()
    return next((document for document in asked if document["action"] == Conclusion.REMOVE), None)


def _close(rollout: Rollout, closed: Closed, *, who: str, why: str) -> Progress:
    over = rollout.write(watched_key(), {"closed": closed.value, "who": who, "why": why})
    verb = "keeps the candidate" if over["closed"] == Closed.END else "takes the promotion back"
    return Progress(
        lines=(f"{over['who']} {verb}: {over['why']}",), again_in=0, closed=Closed(over["closed"])
    )


def _window(rollout: Rollout) -> Window:
    """Return when the candidate is watched: new instances are cold, so the warm-up is left out here too."""
    section = rollout.spec.window
    return Window(
        opened=moment(rollout.ledger.require(Kind.PROMOTION)["written_at"]),
        period=section.period,
        warm_up=section.warm_up,
        length=rollout.spec.promotion.watch,
        lag=section.lag,
    )


def _last(rollout: Rollout, window: Window) -> datetime:
    keys = rollout.ledger.keys(f"{Kind.WATCH}/")
    return moment(keys[-1].removeprefix(f"{Kind.WATCH}/")) if keys else window.begin


def _evidence(rollout: Rollout, window: Window, until: datetime) -> Evidence:
    """Lay production's periods of the rollout's window, once each, beside those since the promotion.

    Once they are used up there is nothing to compare with, and what comes then says nothing.
    """
    before = Evidence.from_document(rollout.ledger.require(rollout.ledger.keys(f"{Kind.EVIDENCE}/")[-1]))
    step = timedelta(seconds=window.period)
    answered = [row for row in before.production if row.invocations]
    stored = tuple(replace(row, start=window.begin + i * step) for i, row in enumerate(answered))
    name = promoted_variant(rollout.spec, rollout.baseline)
    now = metrics.read_evidence(
        rollout.clients,
        metrics.Variants(endpoint=rollout.baseline.endpoint, production=name, shadow=name),
        begin=window.begin,
        end=until,
        period=window.period,
        sampling=1.0,
        thresholds=before.thresholds,
        quantiles=quantiles(rollout.spec),
    )
    return replace(now, production=tuple(row for row in stored if row.start < until))


def _tick(evidence: Evidence, found: Look, window: Window) -> dict[str, Any]:
    last = evidence.end - timedelta(seconds=window.period)
    now, before = summed(evidence.shadow, last), summed(evidence.production, last)
    said = f"since the promotion {_said(now)}; in the rollout's window {_said(before)}"
    left = int((window.end - evidence.end).total_seconds())
    against = None
    if found.aborts:
        gate, contradiction = next(iter(found.contradictions.items()))
        against = f"{said}; of gate {gate}, {contradiction.words}"
    parts = [f"{evidence.end:%H:%M:%S}", said]
    parts.append(
        f"evidence against it is {written(found.log_e)} after {periods(found.periods)}; {written(found.bar)} is enough"
    )
    parts.append(f"{left} s left" if left > 0 else "watch complete")
    return {
        "end": timestamp(evidence.end),
        "now": now,
        "before": before,
        "log_e": found.log_e,
        "bar": found.bar,
        "periods": found.periods,
        "against": against,
        "line": " · ".join(parts),
    }


def _said(numbers: dict[str, Any]) -> str:
    p90 = f"{numbers['p90_ms']:.1f} ms" if numbers["p90_ms"] is not None else "no latency"
    return f"{numbers['invocations']:.0f} requests, {numbers['error_rate']:.2%} errors, p90 {p90}"
