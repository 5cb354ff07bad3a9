"""What earlier promotions left: of an endpoint's generations the serving one and the one before it are kept."""

from __future__ import annotations

from itertools import chain

from include.aws import endpoints, inventory, registry
from include.ledger.lease import Lease
from include.ledger.objects import Kind
from include.rollout.creation import PRODUCTION_ROLE
from include.rollout.experiment import TEST_ROLE
from include.rollout.names import name_part, rollout_of
from include.rollout.stage import CANDIDATE_ROLE, Stage
from include.steps.experiment import promoted_config
from include.steps.rollout import Rollout


def remove_former(rollout: Rollout, lease: Lease) -> list[str]:
    """Delete the configs and models of former promotions on the rollout's endpoint; return their names.

    The law: only what a promotion in this ledger made for this endpoint is deleted, and nothing that an endpoint
    serves or goes to, that the way back from what serves needs, or, of models, that any endpoint config names.
    Where no promotion of this ledger made what serves, somebody else decides, and nothing is deleted.
    """
    deleted = []
    for name in former_configs(rollout):
        rollout.leases.check(lease)
        if endpoints.delete_config(rollout.clients, name):
            deleted.append(name)
    for name in former_models(rollout):
        rollout.leases.check(lease)
        if registry.delete_model(rollout.clients, name):
            deleted.append(name)
    return deleted


def former_configs(rollout: Rollout) -> list[str]:
    """List the configs of former promotions that nothing needs any more."""
    clients, endpoint = rollout.clients, rollout.baseline.endpoint
    state = endpoints.describe(clients, endpoint)
    serving = _maker(rollout, state.config) if state is not None and state.in_service else None
    if state is None or serving is None:
        return []
    kept = {state.config, serving.baseline.config_name}
    found = []
    roles = (Stage.PROMOTED.value.lower(), PRODUCTION_ROLE, TEST_ROLE)
    listed = [inventory.configs(clients, name_part(role, endpoint)).items() for role in roles]
    for name, made in chain.from_iterable(listed):
        maker = _maker(rollout, name) if name not in kept else None
        if maker is None or name not in _configs(maker):
            continue
        if not inventory.config_is_used(clients, name, made=made):
            found.append(name)
    return found


def former_models(rollout: Rollout) -> list[str]:
    """List the models of former promotions that nothing needs any more, the configs of `former_configs` being gone."""
    clients, endpoint = rollout.clients, rollout.baseline.endpoint
    state = endpoints.describe(clients, endpoint)
    serving = _maker(rollout, state.config) if state is not None and state.in_service else None
    if serving is None:
        return []
    found = []
    for name, made in inventory.models(clients, name_part(CANDIDATE_ROLE, endpoint)).items():
        maker = _maker(rollout, name) if name != serving.baseline.model_name else None
        candidate = maker.ledger.read(Kind.CANDIDATE) if maker is not None else None
        if candidate is None or not candidate["created"] or candidate["model"] != name:
            continue
        if not inventory.model_is_used(clients, name, made=made):
            found.append(name)
    return found


def _configs(maker: Rollout) -> set[str]:
    """Return the configs that a rollout leaves behind: the promoted one, and the first of an endpoint that it created."""
    baseline = maker.baseline
    promoted = {promoted_config(maker)}
    return promoted | ({baseline.config_name} if baseline.created else set())


def _maker(rollout: Rollout, name: str) -> Rollout | None:
    """Return the rollout of this ledger that bears this name and promoted on, or created, the same endpoint, if any."""
    identity = rollout_of(name)
    if identity is None:
        return None
    maker = Rollout(
        id=identity, run=rollout.run, store=rollout.store, clients=rollout.clients, say=rollout.say
    )
    if maker.ledger.read(Kind.BASELINE) is None or maker.baseline.endpoint != rollout.baseline.endpoint:
        return None
    promoted = maker.ledger.read(Kind.PROMOTION) is not None
    return maker if promoted or maker.baseline.created else None
