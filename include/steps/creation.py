"""An endpoint that the rollout itself creates, and removes again where the spec says so."""

from __future__ import annotations

from datetime import timedelta

from include.aws import endpoints, registry
from include.aws.clients import Clients
from include.ledger.lease import Lease
from include.ledger.objects import deployment_key, removed_key
from include.rollout.baseline import Baseline
from include.rollout.creation import production_config
from include.rollout.errors import DeploymentError, ForeignChangeError, RefusedError
from include.rollout.spec import RolloutSpec
from include.rollout.verdict import End
from include.steps.experiment import known_configs
from include.steps.rollout import EXPIRES, NEVER, Rollout, Wait

CREATING = "creating"  # the phase of a wait for the new endpoint
REMOVING = "removing"
_BEGUN = deployment_key("created.begun")
_CREATED = deployment_key("created")


def new_baseline(clients: Clients, spec: RolloutSpec, rollout: str) -> Baseline:
    """Return what the spec's new endpoint is without a shadow; RefusedError where it exists, or its model does not."""
    create, name = spec.endpoint.create, spec.endpoint.name
    assert create is not None
    if endpoints.describe(clients, name) is not None:
        raise RefusedError(
            f"endpoint {name} exists already and the spec says to create it; take endpoint.create out to roll out on it, "
            "or name another endpoint."
        )
    model = registry.describe_model(clients, create.model)
    if model is None:
        raise RefusedError(
            f"model {create.model} does not exist in {clients.region}; create it or correct endpoint.create.model."
        )
    config = production_config(
        create,
        rollout=rollout,
        endpoint=name,
        variant=spec.endpoint.variant,
        period=spec.window.period,
    )
    return Baseline(
        endpoint=name,
        endpoint_arn="",
        variant=config["ProductionVariants"][0]["VariantName"],
        config_name=config["EndpointConfigName"],
        config=config,
        instance_count=create.instance_count,
        weight=1.0,
        model_name=create.model,
        model=model,
        container=registry.container(clients, model),
        created=True,
    )


def create(rollout: Rollout, lease: Lease, wait: Wait | None) -> Wait | None:
    """Create the endpoint with production alone, once; None once it serves, or where it was there before the rollout.

    An endpoint of that name that the rollout did not ask for is a foreign one. Raises ForeignChangeError, FenceError,
    DeploymentError, when it cannot start, and CloudError.
    """
    baseline, ledger = rollout.baseline, rollout.ledger
    if not baseline.created or ledger.read(_CREATED) is not None:
        return None
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    if state is None:
        rollout.leases.check(lease)
        endpoints.ensure_config(rollout.clients, baseline.config, rollout.tags)
        rollout.write(_BEGUN, {"config": baseline.config_name})
        rollout.leases.check(lease)
        endpoints.create(rollout.clients, baseline.endpoint, baseline.config_name, rollout.tags)
        rollout.headline(CREATING)(f"creating endpoint {baseline.endpoint} with {baseline.config_name}")
    else:
        _refuse_foreign(rollout, state)
        if state.status == "Failed":
            raise DeploymentError(
                f"endpoint {baseline.endpoint} could not be created: {state.failure or 'no reason given'}."
            )
        if state.in_service:
            rollout.write(_CREATED, {"config": baseline.config_name})
            rollout.headline(CREATING)(f"endpoint {baseline.endpoint} serves {baseline.model_name}")
            return None
    return _wait(rollout, wait, CREATING, f"endpoint {baseline.endpoint} to be created")


def is_unfinished(rollout: Rollout) -> bool:
    """Say whether the rollout's new endpoint never served: before the rollout there was none, and so it must be after."""
    return rollout.baseline.created and rollout.ledger.read(_CREATED) is None


def ending(rollout: Rollout) -> End | None:
    """Return how the rollout ends if its endpoint is being removed already, else None."""
    begun = rollout.ledger.read(removed_key())
    return None if begun is None else End(begun["end"])


def is_to_go(rollout: Rollout, end: End) -> bool:
    """Say whether the endpoint that the rollout created is removed at this end."""
    create = rollout.spec.endpoint.create
    return rollout.baseline.created and create is not None and (is_unfinished(rollout) or create.removes(end))


def remove(rollout: Rollout, lease: Lease, wait: Wait | None, end: End) -> Wait | None:
    """Delete the endpoint that the rollout created, unless it is on a config that is not the rollout's; None once gone."""
    assert rollout.baseline.created, "only what the rollout created is ever deleted"
    name = rollout.baseline.endpoint
    state = endpoints.describe(rollout.clients, name)
    if state is not None:
        _refuse_foreign(rollout, state)
    waited = wait if wait is not None and wait.phase == REMOVING else None
    if (
        state is None
        and waited is None
        and is_unfinished(rollout)
        and rollout.ledger.read(_BEGUN) is not None
    ):
        # Whoever began to create it may have asked a moment before the fence was raised: look once more.
        return _wait(rollout, None, REMOVING, f"endpoint {name} not to appear")
    rollout.write(removed_key(), {"end": end.value})
    if state is None:
        rollout.headline(REMOVING)(f"endpoint {name} is gone")
        return None
    if state.in_service or state.status in {"Failed", "OutOfService", "UpdateRollbackFailed"}:
        rollout.leases.check(lease)
        endpoints.delete(rollout.clients, name)
        rollout.headline(REMOVING)(f"deleting endpoint {name}, which the rollout created")
    return _wait(rollout, waited, REMOVING, f"endpoint {name} to be deleted")


def keep(rollout: Rollout) -> None:
    """Say on the endpoint that the rollout created, and on its config, that they are needed for good."""
    baseline = rollout.baseline
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    if state is not None:
        endpoints.tag(rollout.clients, state.arn, {EXPIRES: NEVER})
    if endpoints.describe_config(rollout.clients, baseline.config_name) is not None:
        endpoints.tag_config(rollout.clients, baseline.config_name, {EXPIRES: NEVER})


def _refuse_foreign(rollout: Rollout, state: endpoints.EndpointState) -> None:
    """Raise ForeignChangeError unless the endpoint of that name is the one that the rollout asked for."""
    if rollout.ledger.read(_BEGUN) is None:
        raise ForeignChangeError(
            f"somebody else created endpoint {state.name} while the rollout ran; it is left as they made it."
        )
    endpoints.refuse_foreign(state, state.name, known_configs(rollout, state))


def _wait(rollout: Rollout, wait: Wait | None, phase: str, what: str) -> Wait:
    limit = timedelta(seconds=rollout.spec.deploy_timeout)
    return Wait(
        what=what,
        every=rollout.poll,
        until=wait.until if wait is not None else rollout.now() + limit,
        phase=phase,
        endpoint=rollout.baseline.endpoint,
    )
