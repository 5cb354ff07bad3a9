"""What a plan says of the gates on answers, and on what the candidate takes to run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from include.aws.clients import Clients
from include.replay import schedule
from include.replay.location import located
from include.rollout.baseline import Baseline
from include.rollout.errors import ReplayError
from include.rollout.evidence import Period
from include.rollout.expectation import ExpectationGate
from include.rollout.fleet import Fleet
from include.rollout.gate import AgreementGate, Gate
from include.rollout.operating import CostGate, OverheadGate, SaturationGate
from include.rollout.plan import GatePlan
from include.rollout.spec import RolloutSpec
from include.rollout.stage import shadow_count
from include.stats.flips import least_pairs
from include.stats.proportions import Counts
from include.stats.spending import reading_alphas
from include.steps.budget import price_of

_READ = 20  # requests that are read of a source at most, for each different one that is sought
_PUBLISHED = 60  # seconds between two values of utilisation where the endpoint's config names none


def prospect(
    gate: Gate,
    clients: Clients,
    spec: RolloutSpec,
    baseline: Baseline,
    *,
    rate: float,
    live: float,
    seen: Sequence[Period],
) -> GatePlan | None:
    """Return what the window can show for a gate on answers, use, overhead or cost; None for any other kind.

    `rate` is of all requests a second and `live` of those that nobody replays; `seen` is production's last hour.
    """
    if isinstance(gate, AgreementGate):
        return _agreement(gate, clients, spec, rate=rate, live=live)
    if isinstance(gate, ExpectationGate):
        return _answers(gate, clients, spec, gate.least, rate=rate, live=live)
    if isinstance(gate, SaturationGate | OverheadGate):
        return _level(gate, spec, baseline, seen)
    if isinstance(gate, CostGate):
        return _cost(gate, spec, planned_fleets(spec, baseline), rate)
    return None


def planned_fleets(spec: RolloutSpec, baseline: Baseline) -> dict[str, Fleet]:
    """Return the instances of both variants as the spec asks for them."""
    production, candidate = baseline.production, spec.candidate
    kind = str(production.get("InstanceType", ""))
    asked = candidate.instance_type or kind
    return {
        "production": Fleet(
            instance_type=kind, count=max(1, baseline.instance_count), usd_per_hour=price_of(spec, kind)
        ),
        "shadow": Fleet(
            instance_type=asked, count=shadow_count(spec, baseline), usd_per_hour=price_of(spec, asked)
        ),
    }


def differing_inputs(clients: Clients, spec: RolloutSpec, wanted: int) -> int | None:
    """Return how many different requests the replay's source holds, `wanted` at most; None where that is not known.

    Only so much of it is read. What cannot be read is for opening the rollout to refuse.
    """
    section = spec.replay
    if section is None:
        return None
    once = section.model_copy(update={"passes": 1, "copies": 1, "shards": 1, "pacer": "constant"})
    found: set[int] = set()
    read = 0
    try:
        place = located(section.source, clients.store_access())
        requests = schedule.requests(once, schedule.source(once, place), 0)
        for request in islice(requests, min(section.count or wanted * _READ, wanted * _READ)):
            read += 1
            found.add(hash((request.content_type, request.body)))
            if len(found) >= wanted:
                break
    except ReplayError:
        return None
    cut = read >= wanted * _READ and len(found) < wanted
    return None if cut else len(found)


def _agreement(
    gate: AgreementGate, clients: Clients, spec: RolloutSpec, *, rate: float, live: float
) -> GatePlan:
    """Say when agreement can be shown: at the window's end, or else at that of its extension by the other error."""
    noise = Counts(errors=gate.noise_flips, requests=gate.noise_pairs) if gate.noise_pairs else None
    window = spec.window
    first, second = reading_alphas(gate.alpha, window.first_reading)
    early = _answers(
        gate, clients, spec, least_pairs(limit=gate.limit, alpha=first, noise=noise), rate=rate, live=live
    )
    if window.first_reading == 1 or (early.needed is not None and early.needed <= window.length):
        return early
    late = _answers(
        gate, clients, spec, least_pairs(limit=gate.limit, alpha=second, noise=noise), rate=rate, live=live
    )
    return late if late.needed is None else replace(late, needed=max(late.needed, window.length))


def _answers(
    gate: AgreementGate | ExpectationGate,
    clients: Clients,
    spec: RolloutSpec,
    least: int | None,
    *,
    rate: float,
    live: float,
) -> GatePlan:
    """Say when so many pairs of different inputs will be there; inputs that are sent again count as one."""
    if least is None:
        sentence = f"its noise of {getattr(gate, 'noise_pairs', 0)} pairs is too coarse for its limit"
        return GatePlan(gate=gate.name, needed=None, sentence=sentence)
    held = differing_inputs(clients, spec, least) if live <= 0 else None
    if held is not None and held < least:
        return GatePlan(
            gate=gate.name,
            needed=None,
            sentence=f"{least} different inputs are needed, and the replay's source has {held}",
        )
    period = spec.window.period
    needed = math.ceil(least / (rate * spec.sampling * period)) * period
    why = ""
    if isinstance(gate, AgreementGate):
        own = "disagrees more often than production with itself" if gate.noise_pairs else "disagrees"
        why = f", if none {own}: at most {gate.limit:.3%} may"
    return GatePlan(
        gate=gate.name,
        needed=needed,
        sentence=f"{least} pairs of different inputs are the least that can decide, in about {needed} s{why}",
    )


def _level(
    gate: SaturationGate | OverheadGate, spec: RolloutSpec, baseline: Baseline, seen: Sequence[Period]
) -> GatePlan:
    """Say what production's own level was, and that an interval takes two blocks."""
    needed = 2 * gate.block
    sentence = f"an interval takes two blocks, {needed} s"
    if isinstance(gate, OverheadGate):
        return GatePlan(
            gate=gate.name, needed=needed, sentence=f"{sentence}; at most {gate.limit_ms:g} ms is allowed"
        )
    config: Mapping[str, int] = baseline.config.get("MetricsConfig") or {}
    every = int(config.get("MetricPublishFrequencyInSeconds", _PUBLISHED))
    if every > spec.window.period:
        return GatePlan(
            gate=gate.name,
            needed=None,
            sentence=f"{gate.metric} is published every {every} s and window.period is {spec.window.period}, so most "
            f"periods would have none; set window.period to {every} or more",
        )
    own = [
        row.utilization[f"{gate.metric}.average"]
        for row in seen
        if f"{gate.metric}.average" in row.utilization
    ]
    if not own:
        return GatePlan(
            gate=gate.name,
            needed=needed,
            sentence=f"{sentence}; production published no {gate.metric} in the last hour",
        )
    return GatePlan(
        gate=gate.name,
        needed=needed,
        sentence=f"{sentence}; production's {gate.metric} averaged {sum(own) / len(own):.3g} % in CloudWatch's count, and "
        f"{gate.limit:g} % of an instance is allowed",
    )


def _cost(gate: CostGate, spec: RolloutSpec, fleets: Mapping[str, Fleet], rate: float) -> GatePlan:
    """Say what the instances cost: that is known beforehand, so a limit that cannot hold ends the plan."""
    unknown = sorted({fleet.instance_type for fleet in fleets.values() if not fleet.price})
    production, shadow = fleets["production"].price, fleets["shadow"].price
    if unknown or not production or not shadow:
        sentence = f"the price of {', '.join(unknown)} is not known; give its USD per hour in budget.prices"
        return GatePlan(gate=gate.name, needed=None, sentence=sentence)
    ratio, million = shadow / production, 1e6 * shadow / (rate * 3600)
    sentence = f"the candidate's instances cost {ratio:.3f} times production's, {million:.3g} USD per million requests"
    if gate.ratio is not None and ratio > gate.ratio:
        return GatePlan(
            gate=gate.name, needed=None, sentence=f"{sentence}, and at most {gate.ratio:g} times is allowed"
        )
    return GatePlan(gate=gate.name, needed=2 * spec.window.period, sentence=sentence)
