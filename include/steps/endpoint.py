"""The endpoint before the rollout: what it is, and whether a shadow can be put on it."""

from __future__ import annotations

from typing import Any

from include.aws import endpoints, registry, scaling
from include.aws.clients import Clients
from include.rollout.baseline import Baseline
from include.rollout.errors import RefusedError
from include.rollout.spec import RolloutSpec
from include.steps.creation import new_baseline

_USUAL = 60  # seconds between a variant's metrics


def read_baseline(clients: Clients, spec: RolloutSpec, rollout: str) -> Baseline:
    """Return the endpoint's complete state, or raise RefusedError, in one sentence, when it cannot take a shadow.

    Of an endpoint that the rollout is to create, what it will be.
    """
    if spec.endpoint.create is not None:
        return new_baseline(clients, spec, rollout)
    name = spec.endpoint.name
    state = endpoints.describe(clients, name)
    if state is None:
        raise RefusedError(
            f"endpoint {name} does not exist in {clients.region}; create it or correct endpoint.name."
        )
    if not state.in_service:
        raise RefusedError(
            f"endpoint {name} is {state.status}"
            + (f" on its way to {state.pending}" if state.pending else "")
            + (f" ({state.failure})" if state.failure else "")
            + "; a rollout starts from an endpoint that is InService, so wait for it or repair it."
        )
    if state.shadow:
        raise RefusedError(
            f"endpoint {name} has the shadow variant {state.shadow[0].name} already; remove it first, an endpoint takes one."
        )
    if len(state.production) != 1:
        names = ", ".join(v.name for v in state.production)
        raise RefusedError(
            f"endpoint {name} has {len(state.production)} production variants ({names}); SageMaker puts a shadow beside "
            "exactly one, so move the traffic to one of them first."
        )
    live = state.production[0]
    if spec.endpoint.variant not in (None, live.name):
        raise RefusedError(
            f"endpoint {name} has no production variant {spec.endpoint.variant}; it has {live.name}."
        )
    config = endpoints.describe_config(clients, state.config)
    if config is None:
        raise RefusedError(
            f"endpoint {name} serves endpoint config {state.config}, which was deleted; without it the endpoint could not "
            "be restored, so update the endpoint to a config that exists first."
        )
    _refuse_excluded(name, config, live.name)
    _refuse_coarse(name, config, spec.window.period)
    variant: dict[str, Any] = next(v for v in config["ProductionVariants"] if v["VariantName"] == live.name)
    model = registry.describe_model(clients, variant["ModelName"])
    if model is None:
        raise RefusedError(
            f"endpoint {name} serves model {variant['ModelName']}, which was deleted; a copy of it could not start, "
            "so create it again first."
        )
    return Baseline(
        endpoint=name,
        endpoint_arn=state.arn,
        variant=live.name,
        config_name=state.config,
        config=config,
        instance_count=live.instance_count,
        weight=live.weight,
        model_name=variant["ModelName"],
        model=model,
        container=registry.container(clients, model),
        capture=state.capture,
        last_deployment=state.last_deployment,
        tags=endpoints.tags(clients, state.arn),
        scaling=scaling.targets(clients, name, live.name),
    )


def _refuse_coarse(name: str, config: dict[str, Any], period: int) -> None:
    """Refuse an endpoint whose metrics come less often than the window's periods: most of these would be empty."""
    section = config.get("MetricsConfig") or {}
    # The frequency is that of requests and latencies only with enhanced metrics; without, they come every minute.
    enhanced = section.get("EnableEnhancedMetrics", False)
    every = int(section.get("MetricPublishFrequencyInSeconds", _USUAL)) if enhanced else _USUAL
    if period % every:
        raise RefusedError(
            f"endpoint {name} publishes its metrics every {every} s and window.period is {period}; make it a multiple of "
            f"{every}, or give the endpoint enhanced metrics every {period} s."
        )


def _refuse_excluded(name: str, config: dict[str, Any], variant: str) -> None:
    """Refuse what SageMaker excludes from shadow testing."""
    found = next(v for v in config["ProductionVariants"] if v["VariantName"] == variant)
    for present, kind in (
        ("AsyncInferenceConfig" in config, "asynchronous inference"),
        ("ServerlessConfig" in found, "serverless variants"),
        ("AcceleratorType" in found, "Elastic Inference accelerators"),
        ("ModelName" not in found, "inference components"),
        (str(found.get("InstanceType", "")).startswith("ml.inf1."), "Inf1 instances"),
    ):
        if present:
            raise RefusedError(f"endpoint {name} uses {kind}, which SageMaker excludes from shadow tests.")
