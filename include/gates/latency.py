"""Latency: the shadow's percentiles against production's with a margin, and against a fixed limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from include.gates.calibration import lasting_jitter_of, log_ratios, sampling_variances, share_of
from include.gates.pace import WEIGHT, paced
from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, VARIANTS, Floats, Table
from include.gates.wording import between, count, milliseconds, percent, times
from include.rollout.gate import Finding, Gate, LatencyGate, LatencyThresholdGate, Outcome
from include.rollout.rule import Severity
from include.stats.calibration import Noise, log_hazard, spread_between
from include.stats.noninferiority import LogRatio, log_ratio_limits
from include.stats.planning import largest_passing_ratio
from include.stats.quantiles import SOUGHT, exceedance_log_e, slower_odds
from include.stats.sequence import quantile_variance, running_limits
from include.stats.symmetric import symmetric_log_e

# A percentile rests on the requests beyond it; with fewer than this it is a guess about a handful of them.
LEAST_BEYOND = 10
# In one period, and only where the variants answered different numbers: the percentile of few requests lies
# lower than that of many, so a thinly sampled shadow would look faster than it is.
LEAST_BEYOND_A_PERIOD = 5
ALIKE = (0.8, 1.25)
# Of the periods with requests of both variants, the share that may lack the percentile: the slow ones may be those.
MOST_MISSING = 0.05
# The sd of log latency where only one threshold is known; a small one overstates the jitter, which is the safe side.
NARROW_SPREAD = 0.25
# Weight of the counted requests beside the periods: they see a regression within minutes, where one number a
# period cannot be sure for a quarter of an hour.
COUNTED = 0.9
# Of the noise of independent requests, what is left where both variants answer the same ones (a half at p50 of
# requests whose own effect makes 70 % of the variance; more at higher percentiles).
UNSHARED = 0.5


AT_THE_END = "one-sided t limits of block means, for a window read at its end"
AT_ANY_LOOK = "limits that hold at any look (normal mixture), at the noise named or the larger one seen"


def latency_curve(gate: LatencyGate, table: Table, noise: Noise) -> Floats:
    """Return, after each period, the log evidence against "the shadow is at most the margin slower".

    The weighted mean of e-processes: requests slower than a threshold fixed before the window (where the store
    counts them), the period's log ratio, and the signs of paired log ratios (where containers report their own time);
    all tempered by the noise between equal variants.
    """
    found, pairs = _metrics_curve(gate, table, noise), paced(gate, table)
    if pairs is None:
        return found
    signs = pairs.log_e(noise)
    return np.asarray(np.logaddexp(signs + np.log(WEIGHT), found + np.log1p(-WEIGHT)), dtype=np.float64)


def _metrics_curve(gate: LatencyGate, table: Table, noise: Noise) -> Floats:
    """Return the evidence of the metrics, which see requests in sums and percentiles only."""
    ratio = log_ratios(gate.quantile, table)
    excess = ratio - np.log1p(gate.margin)
    by_period = symmetric_log_e(excess, phi=_remembered(gate, table, noise))
    counted = _exceedances(gate, table, noise)
    if counted is None:
        return by_period
    return np.asarray(
        np.logaddexp(counted + np.log(COUNTED), by_period + np.log1p(-COUNTED)), dtype=np.float64
    )


def latency(gate: LatencyGate, table: Table, reading: Reading, noise: Noise) -> Finding:
    """Pass only if the upper limit of the mean log ratio of the periods' quantiles is below the margin.

    A period without the quantile of one variant is dropped for both. Fail only by running evidence.
    """
    ratios = log_ratios(gate.quantile, table)
    used = np.isfinite(ratios)
    requests = {v: table.column(v, INVOCATIONS)[used] for v in VARIANTS}
    facts: dict[str, Any] = {
        "unit": "shadow / production",
        "limit": 1 + gate.margin,
        "alpha": reading.alpha(gate),
        "n": int(requests["shadow"].sum()),
        "periods": int(used.sum()),
        "dropped": int(len(table) - used.sum()),
    }
    if not used.any():
        return reading.finding(
            gate, Outcome.NO_DATA, f"no period has the {gate.quantile} latency of both variants", **facts
        )
    values = {v: table.column(v, f"latency_{gate.quantile}")[used] for v in VARIANTS}
    means = {v: float(np.exp(np.log(values[v]).mean())) for v in VARIANTS}
    block = max(1, round(gate.block / table.period))
    facts |= {
        "effect": float(np.exp(ratios[used].mean())),
        "details": _details(gate, table, noise, means, block),
    }
    pairs = paced(gate, table)
    if pairs is not None:
        facts["details"]["paired"] = pairs.details
    allowed = f"at most {times(1 + gate.margin)} is allowed"
    found = reading.contradictions.get(gate.name)
    doubt = _doubt(gate, ratios[used], requests, block, missing=int(table.used.sum() - used.sum()))
    limits: LogRatio | None = None
    if reading.is_final and not doubt:
        limits = log_ratio_limits(
            values["shadow"],
            values["production"],
            alpha=reading.alpha(gate),
            block=block,
            offset_sd=noise.offset_sd,
            least_variance=lasting_jitter_of(table, noise) / float(used.sum()),
        )
        facts["details"]["interval"] = AT_THE_END
        facts["details"]["largest_passing"] = largest_passing_ratio(
            sd=float(np.sqrt(max(0.0, limits.error**2 - noise.offset_sd**2) * limits.blocks)),
            margin=gate.margin,
            alpha=reading.alpha(gate),
            periods=limits.blocks,
            offset_sd=noise.offset_sd,
        )
    elif found is not None or not reading.is_final:
        limits = _running(gate, table, noise, alpha=reading.alpha(gate))
        facts["details"]["interval"] = AT_ANY_LOOK
    words = _compared(gate, means, facts["effect"], limits)
    if limits is not None:
        facts["low"], facts["high"] = limits.ratio_limits
    if found is not None:
        if pairs is not None and not pairs.problems:
            words = f"{words}; {pairs.words}"
        return reading.finding(gate, Outcome.FAIL, f"{words}; {allowed}, and {found.words}", **facts)
    if not reading.is_final:
        return reading.finding(
            gate,
            Outcome.INCONCLUSIVE,
            f"{words}; {allowed}; the window was cut short before this gate was read",
            **facts,
        )
    if limits is None:
        return reading.finding(gate, Outcome.INCONCLUSIVE, f"{words}, but {doubt}", **facts)
    sure = f"with {percent(1 - reading.alpha(gate))} confidence"
    if limits.upper < np.log1p(gate.margin):
        return reading.finding(gate, Outcome.PASS, f"{words}; {allowed}, which holds {sure}", **facts)
    return reading.finding(
        gate,
        Outcome.INCONCLUSIVE,
        f"{words}; {allowed}, and more cannot be excluded {sure}",
        **facts,
    )


def abreast(
    findings: Sequence[Finding], gates: Iterable[Gate], table: Table, noise: Noise
) -> tuple[Finding, ...]:
    """Return the findings with every binding percentile told wherever one percentile is contradicted.

    Whoever reads why a window was cut short wants to see how much slower the shadow is, not only at the
    percentile whose evidence crossed first. The others' latencies, ratios and limits, which hold at any look,
    are put behind the reason of the first binding latency FAIL, and into the details of each.
    """
    failed = [f for f in findings if f.kind == "latency" and f.outcome is Outcome.FAIL and f.binds]
    if not failed:
        return tuple(findings)
    contradicted, first = {f.gate for f in failed}, failed[0].gate
    company: dict[str, dict[str, Any]] = {}
    sentences = []
    for gate in gates:
        if not isinstance(gate, LatencyGate) or gate.severity is not Severity.CRITICAL:
            continue
        used = np.isfinite(log_ratios(gate.quantile, table))
        if not used.any():
            continue
        limits = _running(gate, table, noise, alpha=gate.alpha)
        means = {
            v: float(np.exp(np.log(table.column(v, f"latency_{gate.quantile}")[used]).mean()))
            for v in VARIANTS
        }
        company[gate.quantile] = {
            "ratio": limits.ratio,
            "low": limits.ratio_limits[0],
            "high": limits.ratio_limits[1],
            "limit": 1 + gate.margin,
            "mean_ms": {v: value / 1000 for v, value in means.items()},
        }
        if gate.name != first:
            sentences.append(_compared(gate, means, limits.ratio, limits))
    return tuple(
        replace(
            finding,
            reason="; ".join([finding.reason, *(sentences if finding.gate == first else ())]),
            details={**finding.details, "quantiles": company, "quantiles_interval": AT_ANY_LOOK},
        )
        if finding.gate in contradicted
        else finding
        for finding in findings
    )


def latency_threshold(gate: LatencyThresholdGate, table: Table, reading: Reading) -> Finding:
    """Compare the whole-window percentile with the limit, and say that this comparison has no interval.

    The percentile is one over all requests of the window, never an average of the periods' percentiles.
    """
    used = table.used
    value = table.whole.get("shadow", {}).get(gate.quantile)
    facts: dict[str, Any] = {
        "unit": "milliseconds",
        "limit": gate.limit_ms,
        "n": int(table.column("shadow", INVOCATIONS)[used].sum()),
        "periods": int(used.sum()),
        "dropped": int(len(table) - used.sum()),
        "details": {"interval": None, "estimand": f"{gate.quantile} of all requests of the window"},
    }
    if value is None or not np.isfinite(value) or value <= 0 or not used.any():
        return reading.finding(
            gate, Outcome.NO_DATA, f"there is no {gate.quantile} of the shadow over the window", **facts
        )
    facts["effect"] = value / 1000
    words = f"the shadow's {gate.quantile} over the whole window is {milliseconds(value)}"
    allowed = f"{milliseconds(1000 * gate.limit_ms)}"
    if not reading.is_final:
        return reading.finding(
            gate,
            Outcome.INCONCLUSIVE,
            f"{words} of the {allowed} allowed; the window was cut short before this gate was read",
            **facts,
        )
    needed = np.ceil(LEAST_BEYOND / (1 - share_of(gate.quantile)) - 1e-6)
    if facts["n"] < needed:
        return reading.finding(
            gate,
            Outcome.INCONCLUSIVE,
            f"{words} of {count(facts['n'])} requests; a {gate.quantile} needs {count(needed)}",
            **facts,
        )
    if value / 1000 <= gate.limit_ms:
        return reading.finding(
            gate, Outcome.PASS, f"{words}, within the {allowed} allowed (no interval)", **facts
        )
    return reading.finding(
        gate, Outcome.FAIL, f"{words}; at most {allowed} is allowed (no interval)", **facts
    )


def _compared(gate: LatencyGate, means: dict[str, float], ratio: float, limits: LogRatio | None) -> str:
    words = (
        f"the shadow's {gate.quantile} {milliseconds(means['shadow'])} is {times(ratio)} production's "
        f"{milliseconds(means['production'])}"
    )
    return words if limits is None else f"{words} ({between(*limits.ratio_limits)})"


def _running(gate: LatencyGate, table: Table, noise: Noise, *, alpha: float) -> LogRatio:
    """Return limits of the mean log ratio that hold at any look, from the first period on.

    A period's ratio varies by the variants' own jitter (lengthened by its memory) and by their requests.
    """
    ratios = log_ratios(gate.quantile, table)
    used = np.isfinite(ratios)
    variance = lasting_jitter_of(table, noise) + sampling_variances(gate.quantile, table)[used]
    return running_limits(ratios[used], variance, alpha=alpha, offset_sd=noise.offset_sd)


def _remembered(gate: LatencyGate, table: Table, noise: Noise) -> Floats:
    """Return by how much memory lengthens each period's noise: the jitter's part of it alone remembers.

    The part of the requests follows from thresholds fixed beforehand; without them all noise may remember.
    """
    share = share_of(gate.quantile)
    spread = spread_between({share_of(t.label): t.production_us for t in table.thresholds}, share)
    jitter = 2 * noise.jitter_sd**2
    if spread is None or jitter == 0:
        return np.full(len(table), noise.memory)
    forgotten = np.zeros(len(table))
    for variant in VARIANTS:
        requests = np.nan_to_num(table.column(variant, INVOCATIONS))
        forgotten += UNSHARED * quantile_variance(requests, share=share, spread=spread)
    return (jitter * noise.memory + forgotten) / (jitter + forgotten)


def _exceedances(gate: LatencyGate, table: Table, noise: Noise) -> Floats | None:
    """Return the exceedance e-process, or None without a threshold that tests at least this gate's margin."""
    share = share_of(gate.quantile)
    fixed = {share_of(t.label): t.production_us for t in table.thresholds}
    threshold = next((t for t in table.thresholds if t.label == gate.quantile), None)
    if threshold is None or not 0 < share < 1 or not threshold.production_us > 0:
        return None
    if threshold.shadow_us < (1 + gate.margin) * threshold.production_us * (1 - 1e-6):
        return None
    over = {v: table.column(v, f"slower_{gate.quantile}") for v in VARIANTS}
    requests = {v: table.column(v, INVOCATIONS) for v in VARIANTS}
    used = table.used & np.isfinite(over["production"]) & np.isfinite(over["shadow"])
    if not used.any():
        return None
    counts = {v: np.where(used, requests[v], 0.0) for v in VARIANTS}
    total = counts["production"] + counts["shadow"]
    spread = spread_between(fixed, share)
    sought: dict[str, Any] = (
        {} if spread is None else {"odds": slower_odds(share=share, spread=spread), "weights": SOUGHT}
    )
    # From the period's own requests alone, so that a curve once seen never changes.
    phi = noise.design_effect(
        exceedances=total * (1 - share),
        shadow_share=counts["shadow"] / np.maximum(total, 1.0),
        log_hazard=log_hazard(share=share, spread=spread or NARROW_SPREAD),
    )
    return exceedance_log_e(
        shadow_over=np.where(used, over["shadow"], 0.0),
        production_over=np.where(used, over["production"], 0.0),
        shadow_requests=counts["shadow"],
        production_requests=counts["production"],
        phi=phi,
        **sought,
    )


def _doubt(
    gate: LatencyGate, ratios: Floats, requests: dict[str, Floats], block: int, *, missing: int
) -> str:
    """Say why no interval can be trusted, or nothing; `missing` periods had requests of both and no such latency."""
    if missing > MOST_MISSING * (missing + ratios.size):
        return (
            f"{missing} of {missing + ratios.size} periods with requests of both variants have no {gate.quantile} of one of "
            f"them, and at most {percent(MOST_MISSING)} may lack it"
        )
    if ratios.size // block < 2:
        return f"{ratios.size} periods make fewer than two blocks of {block}, too few for an interval"
    if ratios.size > 1 and np.ptp(ratios) == 0:
        return "the ratio is the same in every period: the store is too coarse, or the measurement is stuck"
    few = {v: float(np.median(n)) * (1 - share_of(gate.quantile)) for v, n in requests.items()}
    relation = float(requests["shadow"].sum() / requests["production"].sum())
    if not ALIKE[0] <= relation <= ALIKE[1] and min(few.values()) < LEAST_BEYOND_A_PERIOD:
        return (
            f"a period has about {min(few.values()):.1f} requests beyond the {gate.quantile}, and "
            f"{LEAST_BEYOND_A_PERIOD} are needed where the variants answer different numbers of requests; "
            "take a longer period, more sampling or a lower quantile"
        )
    return ""


def _details(
    gate: LatencyGate, table: Table, noise: Noise, means: dict[str, float], block: int
) -> dict[str, Any]:
    whole = {v: table.whole.get(v, {}).get(gate.quantile) for v in VARIANTS}
    return {
        "estimand": f"mean log ratio of the {gate.quantile} per period of {table.period} s",
        "mean_ms": {v: value / 1000 for v, value in means.items()},
        "whole_window_ms": {v: None if value is None else value / 1000 for v, value in whole.items()},
        "block_periods": block,
        "noise": noise.source,
        "offset_sd": noise.offset_sd,
    }
