"""The fast lane back: from a promoted candidate to the model before it, without a window or gates."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from include.aws import endpoints, registry
from include.ledger.objects import Kind
from include.rollout.errors import DeploymentError, RefusedError
from include.rollout.verdict import End
from include.steps.experiment import promoted_config
from include.steps.restore import restore
from include.steps.rollout import Rollout

_MARGIN = timedelta(minutes=10)  # of the lease, on top of the updates


def take_back(rollout: Rollout, *, who: str, why: str, sleep: Callable[[float], None] = time.sleep) -> str:
    """Bring the endpoint of a promoted rollout back to its baseline and return that config's name.

    Takes the endpoint's lease in the rollout's name, raises its fence, and records who asked and why before anything
    is done; instance counts stay as they are now. What served until then is left in place. Safe to call again.
    Raises RefusedError, in one sentence, where there is no way back; LeaseHeldError while another rollout has the
    endpoint; ForeignChangeError and DeploymentError as restoring does.
    """
    if not who.strip() or not why.strip():
        raise RefusedError("a rollback is recorded with who asked and why; give both.")
    _refuse_unpromoted(rollout)
    baseline, spec = rollout.baseline, rollout.spec
    promoted = promoted_config(rollout)
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    if state is None:
        raise RefusedError(f"endpoint {baseline.endpoint} was deleted; there is nothing to roll back.")
    if state.in_service and state.config == baseline.config_name:
        raise RefusedError(
            f"endpoint {baseline.endpoint} serves {state.config} already, as before rollout {rollout.id}."
        )
    for name in (state.config, state.pending):
        if name not in (None, promoted, baseline.config_name):
            raise RefusedError(
                f"endpoint {baseline.endpoint} went on to endpoint config {name} after rollout {rollout.id}; "
                "only the promotion that serves now can be rolled back."
            )
    if registry.describe_model(rollout.clients, baseline.model_name) is None:
        raise RefusedError(
            f"model {baseline.model_name}, which endpoint {baseline.endpoint} served before rollout {rollout.id}, was "
            "deleted; create it again from `baseline` in the ledger, or roll another model out."
        )
    now = rollout.now()
    lease = rollout.leases.acquire(
        baseline.endpoint,
        rollout.id,
        rollout.run,
        now=now,
        until=now + timedelta(seconds=3 * spec.deploy_timeout) + _MARGIN,
        owner_is_over=rollout.owner_is_over,
    )
    lease = rollout.leases.raise_fence(lease)
    said = {"who": who.strip(), "why": why.strip(), "from": promoted, "to": baseline.config_name}
    rollout.ledger.append(Kind.ROLLBACK, {**said, "done": False}, at=now)
    rollout.headline("rollback")(f"{who} rolls endpoint {baseline.endpoint} back: {why}")
    try:
        pending = restore(rollout, lease)
        while pending is not None:
            if rollout.now() >= pending.until:
                raise DeploymentError(
                    f"waited until {pending.until:%H:%M:%S} UTC for {pending.what}, in vain."
                )
            sleep(pending.every)
            pending = restore(rollout, lease, pending)
    finally:
        rollout.leases.release(lease)
    rollout.ledger.append(Kind.ROLLBACK, {**said, "done": True}, at=rollout.now())
    candidate = rollout.ledger.require(Kind.CANDIDATE)
    if candidate["registered"]:
        registry.judge_package(
            rollout.clients,
            candidate["package"],
            status=None,
            metadata={"penumbra-rollback": f"{who.strip()}: {why.strip()}"[:256]},
        )
    rollout.headline("rollback")(
        f"{promoted} and model {candidate['model']} are left in place, to look at; the next promotion deletes them"
    )
    return baseline.config_name


def _refuse_unpromoted(rollout: Rollout) -> None:
    outcome = rollout.ledger.read(Kind.OUTCOME)
    if outcome is None:
        raise RefusedError(
            f"rollout {rollout.id} still runs; end it with `conclude {rollout.id} remove`, which rolls it back."
        )
    if outcome["end"] != End.PROMOTED:
        raise RefusedError(
            f"rollout {rollout.id} ended as {outcome['end']} and promoted nothing; only a PROMOTED one can be rolled back."
        )
