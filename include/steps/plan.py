"""Plan a rollout: compare configs, count instances, and compute what the window can decide."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from scipy.stats import norm

from include.aws import metrics
from include.aws.clients import Clients
from include.rollout import capacity
from include.rollout.baseline import Baseline
from include.rollout.evidence import Period
from include.rollout.gate import ErrorRateGate, ErrorThresholdGate, LatencyGate, MinSampleGate
from include.rollout.names import resource_name
from include.rollout.plan import GatePlan, Plan
from include.rollout.rule import Severity
from include.rollout.scaling import follows, targets_of
from include.rollout.spec import Mode, RolloutSpec
from include.rollout.stage import Stage, changes_model, differences, endpoint_config, shadow_variant
from include.rollout.window import WindowSection, floor_to
from include.stats.calibration import LEAST_PERIODS, PRIOR, Noise
from include.stats.planning import (
    ErrorDesign,
    detectable_rate,
    largest_passing_ratio,
    latency_periods,
    periods_to_pass,
)
from include.stats.spending import reading_alphas
from include.steps import budget
from include.steps.observe import utilization
from include.steps.prospect import prospect

_POWER = 0.8
_HISTORY = timedelta(hours=1)
_REQUEST_SD = 0.5  # of the log latency of requests, before any was measured
# A margin finer than so many sds of the lasting offset would be answered by which instances the variants got.
_OFFSETS = 2.5


def make_plan(
    clients: Clients, spec: RolloutSpec, baseline: Baseline, rollout: str, *, noise: Noise = PRIOR
) -> Plan:
    """Return the plan of a rollout on the live endpoint. Raises CloudError when CloudWatch cannot be read.

    The traffic is the last hour's of the live endpoint plus the replay's; `noise` is what equal variants differ by
    there. A window is refused when a gate that binds would, even on a candidate equal to production, not pass with
    80 % chance within the maximum, or when its margin is finer than the noise. An A/A rollout decides nothing, so
    only a window too short to learn from is refused.
    """
    live, error_rate, seen = _live(clients, spec, baseline)
    replayed = spec.replay.rate if spec.replay else 0.0
    if spec.replay is not None and spec.replay.top_up:
        replayed = max(0.0, replayed - live)  # it sends only what live traffic lacks
    rate = live + replayed
    candidate = (
        resource_name(rollout, "candidate", baseline.endpoint) if changes_model(spec) else baseline.model_name
    )

    def config(stage: Stage) -> dict[str, Any]:
        return endpoint_config(
            spec,
            baseline,
            rollout=rollout,
            stage=stage,
            candidate_model=candidate,
            live_count=baseline.instance_count,
        )

    found = {plan.gate: plan for plan in _gates(spec, rate, error_rate, noise)}
    for gate in spec.gates.rules:
        if gate.severity is not Severity.CRITICAL or rate <= 0:
            continue
        told = prospect(gate, clients, spec, baseline, rate=rate, live=live, seen=seen)
        if told is not None:
            found[gate.name] = told
    gates = tuple(found[gate.name] for gate in spec.gates.rules if gate.name in found)
    return Plan(
        endpoint=baseline.endpoint,
        changes=(*_changes(baseline, config(Stage.SHADOW)), *_scaled(spec, baseline)),
        promotion_changes=_changes(baseline, config(Stage.PROMOTED)),
        instances=_instances(config(Stage.SHADOW), baseline),
        requests_per_second=rate,
        traffic=_traffic(live, replayed, spec.sampling),
        window=spec.window.length,
        maximum=spec.window.maximum,
        gates=gates,
        refusal=_refusal(spec, rate, gates, noise)
        or budget.refusal(spec, baseline)
        or capacity.refusal(spec, baseline),
        warnings=capacity.warnings(spec, baseline, config(Stage.SHADOW), rate),
        cost=budget.planned_cost(spec, baseline),
    )


def _scaled(spec: RolloutSpec, baseline: Baseline) -> tuple[str, ...]:
    """Say within which bounds the shadow scales, and by what; nothing where it does not."""
    if not follows(spec, baseline):
        return ()
    targets = targets_of(baseline, shadow_variant(baseline))
    return tuple(f"which scales as production does, {found.words}" for found in targets)


def _live(clients: Clients, spec: RolloutSpec, baseline: Baseline) -> tuple[float, float, tuple[Period, ...]]:
    """Return production's requests per second and error rate since its first request of the last hour, and that hour."""
    period = max(60, spec.window.period)
    end = floor_to(clients.now(), period)
    variants = metrics.Variants(
        endpoint=baseline.endpoint, production=baseline.variant, shadow=shadow_variant(baseline)
    )
    seen = metrics.read_evidence(
        clients,
        variants,
        begin=end - _HISTORY,
        end=end,
        period=period,
        sampling=spec.sampling,
        utilization=utilization(spec),
    ).production
    requests = sum(row.invocations or 0.0 for row in seen)
    errors = sum(row.errors.get("InvocationModelErrors", 0.0) for row in seen)
    if not requests:
        return 0.0, 0.0, seen
    # Traffic that began a minute ago counts as what it is now, not as a sixtieth of it.
    since = (end - min(row.start for row in seen if row.invocations is not None)).total_seconds()
    return requests / since, errors / requests, seen


def _changes(baseline: Baseline, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what differs from the baseline's config; its name always does, and a shadow is told in a sentence."""
    told = {"EndpointConfigName", "ShadowProductionVariants"}
    lines = differences(
        {key: value for key, value in baseline.config.items() if key not in told},
        {key: value for key, value in config.items() if key not in told},
    )
    shadows = [
        f"a shadow variant {shadow['VariantName']}: model {shadow['ModelName']} on {shadow['InitialInstanceCount']} x "
        f"{shadow['InstanceType']}, {shadow['InitialVariantWeight']:.0%} of the requests copied to it"
        for shadow in config.get("ShadowProductionVariants", ())
    ]
    created = (
        f"a new endpoint: model {baseline.model_name} on {baseline.instance_count} x "
        f"{baseline.production['InstanceType']} as variant {baseline.variant}",
    )
    return (*(created if shadows and baseline.created else ()), *shadows, *lines)


def _traffic(live: float, replayed: float, sampling: float) -> str:
    parts = [f"{live:.1f} requests/s live over the last hour"]
    if replayed:
        parts.append(f"{replayed:g} requests/s replayed")
    return " + ".join(parts) + f"; {sampling:.0%} copied to the shadow"


def _instances(shadow: Mapping[str, Any], baseline: Baseline) -> tuple[str, ...]:
    production, copy = shadow["ProductionVariants"][0], shadow["ShadowProductionVariants"][0]
    return (
        f"{2 * production['InitialInstanceCount']} x {production['InstanceType']} (production's old and new fleet side by side)",
        f"{copy['InitialInstanceCount']} x {copy['InstanceType']} (the variant {copy['VariantName']})",
    )


def _gates(spec: RolloutSpec, rate: float, error_rate: float, noise: Noise) -> tuple[GatePlan, ...]:
    plans: list[GatePlan] = []
    period, periods = spec.window.period, spec.window.length // spec.window.period
    aborting = sum(
        1 for gate in spec.gates.rules if getattr(gate, "abort", False) and gate.severity is Severity.CRITICAL
    )
    for gate in spec.gates.rules:
        if gate.severity is not Severity.CRITICAL or rate <= 0:
            continue
        if isinstance(gate, MinSampleGate):
            needed = math.ceil(gate.requests / (rate * spec.sampling * period)) * period
            plans.append(
                GatePlan(
                    gate=gate.name,
                    needed=needed,
                    sentence=f"{gate.requests} requests reach the shadow in about {needed} s; "
                    f"{rate * spec.sampling * spec.window.length:.0f} are expected in the window",
                )
            )
        elif isinstance(gate, ErrorRateGate | ErrorThresholdGate):
            plans.append(_error_gate(gate, rate * period, error_rate, periods, period, spec, aborting))
        elif isinstance(gate, LatencyGate):
            plans.append(_latency_gate(gate, rate * period, period, spec, noise))
    return tuple(plans)


def _error_gate(
    gate: ErrorRateGate | ErrorThresholdGate,
    requests: float,
    error_rate: float,
    periods: int,
    period: int,
    spec: RolloutSpec,
    aborting: int,
) -> GatePlan:
    if isinstance(gate, ErrorRateGate):
        relative, absolute = gate.relative, gate.absolute
    else:
        relative, absolute = 0.0, max(gate.limit - error_rate, 1e-6)
    first = reading_alphas(gate.alpha, spec.window.first_reading)[0]
    design = ErrorDesign(
        requests=requests,
        sampling=spec.sampling,
        periods=periods,
        production_rate=error_rate,
        relative=relative,
        absolute=absolute,
        alpha=first,
        abort_alpha=spec.gates.abort_alpha,
        processes=max(1, aborting),
    )
    needed = _needed(
        lambda alpha: periods_to_pass(replace(design, alpha=alpha), power=_POWER), gate.alpha, spec.window
    )
    found = detectable_rate(design, power=_POWER)
    sentence = (
        "no window is long enough" if needed is None else f"an equal candidate passes after about {needed} s"
    )
    sentence += f"; at most {design.limit:.3%} errors are allowed at production's {error_rate:.3%}"
    if found is not None:
        sentence += f", and {found:.2%} would be found within the window"
    return GatePlan(gate=gate.name, needed=needed, sentence=sentence)


def _latency_gate(
    gate: LatencyGate, requests: float, period: int, spec: RolloutSpec, noise: Noise
) -> GatePlan:
    per_block = max(1, gate.block // period)
    sd = _block_sd(float(gate.quantile[1:]) / 100, requests, spec.sampling, per_block, noise)
    needed = _needed(
        lambda alpha: latency_periods(
            sd=sd,
            margin=gate.margin,
            alpha=alpha,
            power=_POWER,
            offset_sd=noise.offset_sd,
            block=per_block,
        ),
        gate.alpha,
        spec.window,
    )
    periods = spec.window.length // period
    ratio = largest_passing_ratio(
        sd=sd,
        margin=gate.margin,
        alpha=reading_alphas(gate.alpha, spec.window.first_reading)[0],
        periods=periods,
        power=_POWER,
        offset_sd=noise.offset_sd,
        block=per_block,
    )
    sentence = (
        "no window is long enough" if needed is None else f"an equal candidate passes after about {needed} s"
    )
    sentence += f"; at most {1 + gate.margin:.2f} times production's {gate.quantile} is allowed"
    if ratio is not None and ratio >= 1:
        sentence += f", and {ratio:.3f} times still passes in the window"
    return GatePlan(gate=gate.name, needed=needed, sentence=f"{sentence} ({_origin(noise)})")


def _needed(periods: Callable[[float], int | None], alpha: float, window: WindowSection) -> int | None:
    """Return the seconds after which an equal candidate passes, by the error of the reading that falls to it.

    `periods` says how many periods it takes at an error. What does not pass at the window's end is read again at
    the end of its extension, by the other error.
    """
    first, second = reading_alphas(alpha, window.first_reading)
    early = periods(first)
    if early is not None and early * window.period <= window.length:
        return early * window.period
    late = periods(second)
    return None if late is None else max(late * window.period, window.length)


def _block_sd(share: float, requests: float, sampling: float, per_block: int, noise: Noise) -> float:
    """Return the sd of a block's mean log ratio of two quantiles between equal variants.

    The sample quantile at `share` of n lognormal requests has sd(log) = sd sqrt(share (1 - share)/n)/phi(z_share)
    (David & Nagaraja, Order Statistics, 3rd ed., section 10.2).
    """
    spread = _REQUEST_SD * math.sqrt(share * (1 - share)) / float(norm.pdf(norm.ppf(share)))
    sampling_variance = spread**2 * (1 / max(requests, 1.0) + 1 / max(requests * sampling, 1.0))
    return math.sqrt((sampling_variance + 2 * noise.jitter_sd**2 * noise.memory) / per_block)


def _origin(noise: Noise) -> str:
    return "noise assumed, not measured" if noise == PRIOR else "noise measured"


def _refusal(spec: RolloutSpec, rate: float, gates: tuple[GatePlan, ...], noise: Noise) -> str | None:
    if rate <= 0:
        return (
            f"endpoint {spec.endpoint.name} had no requests in the last hour and the spec has no replay, "
            "so no window can decide; add a replay section or wait for traffic."
        )
    if spec.mode is Mode.AA:
        least = LEAST_PERIODS * spec.window.period
        if spec.window.length >= least:
            return None
        return (
            f"window.length is {spec.window.length} s; an A/A rollout learns nothing from fewer than {LEAST_PERIODS} periods, "
            f"so set it to {least} s or more."
        )
    finest = math.expm1(_OFFSETS * noise.offset_sd)
    for gate in spec.gates.rules:
        if isinstance(gate, LatencyGate) and gate.severity is Severity.CRITICAL and gate.margin < finest:
            return (
                f"gate {gate.name} has margin {gate.margin:g}, which is finer than the noise of this endpoint "
                f"({noise.source}); the finest that means anything here is {finest:.3f}."
            )
    impossible = [f"{gate.gate} ({gate.sentence})" for gate in gates if gate.needed is None]
    if impossible:
        return f"{', '.join(impossible)} cannot pass in any window at {rate:.1f} requests/s; allow more, or send more requests."
    needed = max((gate.needed or 0 for gate in gates), default=0)
    if needed > spec.window.maximum:
        slowest = max(gates, key=lambda gate: gate.needed or 0)
        return (
            f"window.maximum is {spec.window.maximum} s, and {slowest.gate} needs about {needed} s at {rate:.1f} requests/s "
            f"({spec.sampling:.0%} sampled); set window.maximum (and length) to {needed} s or more, or send more requests."
        )
    return None
