"""Whether the shadow decides as production does, on the same requests, overall and in every segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from include.gates.reading import Reading
from include.gates.table import INVOCATIONS, Floats, Table
from include.gates.wording import count, percent
from include.rollout.gate import AgreementGate, Finding, Outcome
from include.rollout.pairs import MOST_SEGMENTS, Pairs, Records, Tally
from include.stats.eprocess import rate_log_e
from include.stats.proportions import Counts, clopper_pearson, difference_upper

_SHOWN = 5  # segments that a finding lists, the worst first


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One value of one segment, and how it agrees."""

    name: str
    value: str
    tally: Tally
    low: float  # exact lower limit of its share of flips, corrected for the number of segments
    high: float

    @property
    def words(self) -> str:
        return f"{self.name} {self.value}: {count(self.tally.flips)} of {count(self.tally.n)} disagree"


def agreement_curve(gate: AgreementGate, table: Table) -> Floats:
    """Return, after each period, the log evidence against "at most the limit of the pairs disagrees, in every segment".

    One half of the evidence is that of all pairs, the other is spread evenly over MOST_SEGMENTS places of each segment
    name, of which those that are not taken stay at 1: weights that are fixed before anything is seen. Segments are
    looked at after the last period only. Without pairs, or with too few of them to conclude from, there is no evidence.
    """
    pairs = table.pairs
    if pairs is None or not len(table) or not pairs.all.n or problems_of(pairs, table, gate.unmatched):
        return np.zeros(len(table))
    limit = _limit(gate)
    if not limit < 1:
        return np.zeros(len(table))
    by_period = [pairs.periods.get(int(start.timestamp()), (0, 0)) for start in table.starts]
    flips, compared = ([row[i] for row in by_period] for i in (1, 0))
    phi = pairs.repetition
    curve = rate_log_e(flips, compared, limit, phi=phi) + np.log(0.5)
    names = len(pairs.segments) + len(pairs.scattered)
    if names:
        places = names * MOST_SEGMENTS
        found = [
            float(rate_log_e([tally.flips], [tally.n], limit, phi=min(phi, max(1.0, tally.n)))[-1])
            for _, _, tally in _segments(pairs)
        ]
        spread = np.logaddexp.reduce([*found, np.log(places - len(found))]) - np.log(places)
    else:
        spread = 0.0
    curve[-1] = np.logaddexp(curve[-1], spread + np.log(0.5))
    return np.asarray(curve, dtype=np.float64)


def agreement(gate: AgreementGate, table: Table, reading: Reading) -> Finding:
    """Pass only if the upper limit of the share of flips is below the limit and no segment contradicts it.

    The limit is exact (Clopper & Pearson 1934), on as many pairs as there are different inputs' worth; with measured
    noise it is the score limit of the difference to production's own flips. Fail only by running evidence. Pairs that
    are missing, or an answer that is the same for every request, show nothing.
    """
    pairs, alpha = table.pairs, reading.alpha(gate)
    facts: dict[str, Any] = {
        "unit": "share of pairs that disagree",
        "limit": gate.limit,
        "alpha": alpha,
        "n": 0 if pairs is None else pairs.all.n,
        "periods": 0 if pairs is None else len(pairs.periods),
        "dropped": 0 if pairs is None else max(0, len(table) - len(pairs.periods)),
    }
    if pairs is None or not pairs.all.n:
        why = "no captures of both variants were collected" if pairs is None else _nothing(pairs)
        return reading.finding(gate, Outcome.NO_DATA, why, **facts)
    shadow = Counts(errors=pairs.all.flips / pairs.repetition, requests=pairs.all.n / pairs.repetition)
    low, high = clopper_pearson(shadow, alpha=alpha)
    effect = shadow.rate
    words = f"{count(pairs.all.flips)} of {count(pairs.all.n)} pairs disagree ({percent(shadow.rate)}{_worth(pairs)})"
    if gate.noise_pairs:
        noise = Counts(errors=gate.noise_flips, requests=gate.noise_pairs)
        effect -= noise.rate
        high = difference_upper(shadow, noise, alpha=alpha)
        low = -difference_upper(noise, shadow, alpha=alpha)
        facts["unit"] = "share of pairs that disagree, above production's own"
        words += f", and {percent(noise.rate)} do where production is shadowed by itself"
    parts = sorted(_parts(pairs, alpha), key=lambda part: (-part.low, -part.tally.flips, part.name))
    facts |= {"effect": effect, "low": low, "high": high, "details": _details(gate, pairs, parts)}
    more = " more" if gate.noise_pairs else ""
    allowed = f"at most {percent(gate.limit)}{more} may"
    guilty = [part for part in parts if part.low > _limit(gate)]
    found = reading.contradictions.get(gate.name)
    if found is not None:
        worst = f" (worst, {guilty[0].words})" if guilty else ""
        return reading.finding(gate, Outcome.FAIL, f"{words}{worst}; {allowed}, and {found.words}", **facts)
    doubts = problems_of(pairs, table, gate.unmatched)
    if not reading.is_final:
        doubts.append("the window was cut short before this gate was read")
    if pairs.is_constant:
        doubts.append("production gave the same answer to every request, so agreeing with it shows nothing")
    doubts += [
        f"segment {name} has more than {MOST_SEGMENTS} values and was not told apart, so give it edges or leave it out"
        for name in sorted(pairs.scattered)
    ]
    if guilty:
        doubts.append(f"{guilty[0].words}, more than can be chance at {percent(_limit(gate))}")
    if not high < gate.limit:
        doubts.append(f"up to {percent(high)}{more} cannot be excluded with {percent(1 - alpha)} confidence")
    if doubts:
        return reading.finding(
            gate, Outcome.INCONCLUSIVE, f"{words}; {allowed}, but {'; '.join(doubts)}", **facts
        )
    return reading.finding(
        gate,
        Outcome.PASS,
        f"{words}; {allowed}, and it is at most {percent(high)}{more} with {percent(1 - alpha)} confidence",
        **facts,
    )


def problems_of(pairs: Pairs, table: Table, most: float) -> list[str]:
    """Say why the pairs are not those of the window's requests; nothing is concluded from what is left of them.

    Judged are, each against `most`: malformed records, records without their partner, pairs of which nothing could be
    read, and captures against the requests that CloudWatch counted (what is not delivered yet is missing on both sides).
    """
    problems = []
    for variant, records in (("production", pairs.production), ("shadow", pairs.shadow)):
        if records.malformed > most * records.read:
            problems.append(
                f"{count(records.malformed)} of {count(records.read)} records of {variant} are malformed"
            )
        inside = _inside(records)
        answered = float(np.nansum(table.column(variant, INVOCATIONS)))
        for failed in ("Invocation4XXErrors", "Invocation5XXErrors"):  # nothing says that these are captured
            answered -= float(np.nansum(table.errors(variant, failed)))
        if answered > 0 and inside < (1 - most) * answered:
            problems.append(
                f"captures hold {count(inside)} of the {count(answered)} requests that {variant} answered"
            )
    captured = _inside(pairs.production)
    sampling = _least_sampling(table)
    expected = sampling * captured
    chance = 3 * np.sqrt(expected * (1 - sampling))
    if captured and pairs.production.matched < (1 - most) * expected - chance:
        problems.append(
            f"{count(pairs.production.matched)} of production's {count(captured)} requests have a partner where "
            f"{percent(sampling)} are copied{_named(pairs)}"
        )
    copies = _inside(pairs.shadow)
    if copies and pairs.shadow.matched < (1 - most) * copies:
        problems.append(
            f"{count(pairs.shadow.matched)} of the shadow's {count(copies)} answers have a partner{_named(pairs)}"
        )
    if pairs.unreadable > most * pairs.production.matched:
        problems.append(
            f"of {count(pairs.unreadable)} of {count(pairs.production.matched)} pairs neither answer could be read"
        )
    return problems


def _least_sampling(table: Table) -> float:
    """Return the share of production's requests that was copied at least, over the whole window."""
    if not table.resamplings:
        return table.sampling
    requests = np.nan_to_num(table.column("production", INVOCATIONS))
    shares = table.least_shares
    return (
        float((shares * requests).sum() / requests.sum()) if requests.any() else float(shares.min(initial=1))
    )


def _inside(records: Records) -> int:
    """Count the records of the window's own requests."""
    return records.matched + records.unmatched + records.late + records.ambiguous


def _named(pairs: Pairs) -> str:
    """Say so when only one variant's captures carry InferenceIds: nothing can be joined on them then."""
    named = [
        v for v, records in (("production", pairs.production), ("the shadow", pairs.shadow)) if records.named
    ]
    return f"; only {named[0]} recorded InferenceIds, so set pairs.join to input" if len(named) == 1 else ""


def _nothing(pairs: Pairs) -> str:
    found = (
        f"{count(pairs.production.read)} records of production and {count(pairs.shadow.read)} of the shadow"
    )
    return f"no pair could be compared among {found}{_named(pairs)}"


def _limit(gate: AgreementGate) -> float:
    """Return the share that the running evidence is held against: the limit, on top of all that noise may explain."""
    if not gate.noise_pairs:
        return gate.limit
    noise = Counts(errors=gate.noise_flips, requests=gate.noise_pairs)
    return gate.limit + clopper_pearson(noise, alpha=0.01)[1]


def _segments(pairs: Pairs) -> Iterator[tuple[str, str, Tally]]:
    for name, values in sorted(pairs.segments.items()):
        for value, tally in sorted(values.items()):
            if tally.n:
                yield name, value, tally


def _parts(pairs: Pairs, alpha: float) -> list[_Part]:
    found = list(_segments(pairs))
    parts = []
    for name, value, tally in found:
        phi = min(pairs.repetition, max(1.0, tally.n))
        counts = Counts(errors=tally.flips / phi, requests=tally.n / phi)
        low, high = clopper_pearson(counts, alpha=alpha / len(found))
        parts.append(_Part(name=name, value=value, tally=tally, low=low, high=high))
    return parts


def _worth(pairs: Pairs) -> str:
    if pairs.repetition < 1.05:
        return ""
    return f"; inputs repeat, so they are worth {count(pairs.all.n / pairs.repetition)}"


def _details(gate: AgreementGate, pairs: Pairs, parts: list[_Part]) -> dict[str, Any]:
    tally = pairs.all
    told: dict[str, Any] = {
        "same": tally.same,
        "close": tally.close,
        "flips": tally.flips,
        "mismatched": tally.mismatched,
        "repetition": pairs.repetition,
        "missing": {
            "production": _inside(pairs.production) - pairs.production.matched,
            "shadow": _inside(pairs.shadow) - pairs.shadow.matched,
            "unreadable": pairs.unreadable,
        },
        "segments": [
            {
                "segment": part.name,
                "value": part.value,
                "n": part.tally.n,
                "flips": part.tally.flips,
                "low": part.low,
                "high": part.high,
                "mean_difference": part.tally.difference.mean,
            }
            for part in parts[:_SHOWN]
        ],
        "difference": {
            "mean": tally.difference.mean,
            **{f"p{100 * share:g}": pairs.differences.quantile(share) for share in (0.01, 0.5, 0.99)},
            "wild": tally.wild,
        },
    }
    if gate.noise_pairs:
        told["noise"] = {"flips": gate.noise_flips, "pairs": gate.noise_pairs}
    if pairs.latency.n:
        told["latency_ratio"] = {
            "n": pairs.latency.n,
            "mean": float(np.exp(min(pairs.latency.mean, 700.0))),
            **{f"p{100 * share:g}": pairs.latency_ratios.quantile(share) for share in (0.5, 0.9, 0.99)},
        }
    return told
