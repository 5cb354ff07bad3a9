"""What equal variants differ by, as periods show it, and what an A/A rollout teaches about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from include.gates.table import INVOCATIONS, VARIANTS, Floats, Table
from include.rollout.evidence import Evidence
from include.rollout.gate import AgreementGate, GatePolicy
from include.stats.calibration import Calibration, Noise, calibrate, lasting_jitter, spread_between
from include.stats.sequence import quantile_variance

# Jitter slows every request, so the percentile that is best known shows it; a p99's own noise would hide it.
BUSY = ("p50", "p90")
# The sd of log latency where only one percentile is known; for an interval a large one is the safe side.
WIDE_SPREAD = 0.5


def calibration_of(
    evidence: Evidence, *, rollout_id: str, flips: int = 0, pairs: int = 0
) -> Calibration | None:
    """Return what the periods of an A/A rollout taught, or None where too few were measured for both variants.

    Its production and shadow must have been equal: whatever they differ by is called noise. `flips` of `pairs`
    paired answers differed.
    """
    return _calibration(Table.of(evidence), rollout_id=rollout_id, flips=flips, pairs=pairs)


def lasting_jitter_of(table: Table, noise: Noise) -> float:
    """Return what jitter adds to the variance of a mean log ratio, times its periods: as known, or more if seen.

    The window's own periods show how long its jitter lasts, whatever constant factor the variants differ by; blocks
    that it outlasts agree by chance. An instance's jitter slows every request, so one percentile shows it for all.
    """
    known = 2 * noise.jitter_sd**2 * noise.memory
    own = _calibration(table, rollout_id="")
    return known if own is None else max(known, lasting_jitter(own))


def _calibration(table: Table, *, rollout_id: str, flips: int = 0, pairs: int = 0) -> Calibration | None:
    noise = {quantile: sampling_variances(quantile, table) for quantile in BUSY}
    best = min(BUSY, key=lambda quantile: _median(noise[quantile], log_ratios(quantile, table)))
    return calibrate(log_ratios(best, table), noise[best], rollout_id=rollout_id, flips=flips, pairs=pairs)


def log_ratios(quantile: str, table: Table) -> Floats:
    """Return log(shadow / production) per period, NaN where either percentile is missing or zero."""
    production, shadow = (table.column(v, f"latency_{quantile}") for v in VARIANTS)
    with np.errstate(invalid="ignore", divide="ignore"):
        usable = table.used & (production > 0) & (shadow > 0)
        return np.where(usable, np.log(shadow) - np.log(production), np.nan)


def sampling_variances(quantile: str, table: Table) -> Floats:
    """Return what each period's log ratio of a percentile varies by because its requests are finitely many.

    It follows from their numbers and the spread between the percentiles that were measured; requests that both
    variants answered alike make it less. NaN in a period without requests of both.
    """
    share = share_of(quantile)
    variance = np.where(table.used, 0.0, np.nan)
    for variant in VARIANTS:
        spread = spread_between(_typical(table, variant), share) or WIDE_SPREAD
        requests = np.nan_to_num(table.column(variant, INVOCATIONS))
        variance = variance + quantile_variance(requests, share=share, spread=spread)
    return variance


def share_of(quantile: str) -> float:
    """Return 0.9 for "p90"."""
    return float(quantile[1:]) / 100


def _typical(table: Table, variant: str) -> dict[float, float]:
    """Return the median over periods of each percentile between 0 and 1 that was measured."""
    found = {}
    for name, column in table.columns.items():
        quantile = name.removeprefix(f"{variant}_latency_p")
        values = column[np.isfinite(column) & (column > 0)]
        if quantile != name and values.size and 0 < float(quantile) < 100:
            found[float(quantile) / 100] = float(np.median(values))
    return found


def _median(noise: Floats, ratios: Floats) -> float:
    """Return the median of the noise over the periods that were measured, infinite without any."""
    seen = noise[np.isfinite(noise) & np.isfinite(ratios)]
    return float(np.median(seen)) if seen.size else float("inf")


def informed(policy: GatePolicy, calibrations: Iterable[Mapping[str, Any]]) -> GatePolicy:
    """Return the policy with the flips that A/A rollouts counted in each agreement gate that states none itself.

    `calibrations` are stored documents. Without a paired one among them the policy is returned as it is.
    """
    known = [Calibration.from_document(document) for document in calibrations]
    flips, pairs = sum(each.flips for each in known), sum(each.pairs for each in known)
    if not pairs:
        return policy
    measured = {"noise_flips": flips, "noise_pairs": pairs}
    return policy.model_copy(
        update={
            "rules": tuple(
                gate.model_copy(update=measured)
                if isinstance(gate, AgreementGate) and not gate.noise_pairs
                else gate
                for gate in policy.rules
            )
        }
    )
