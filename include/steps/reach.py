"""Bring the endpoint to the state that a stage means. Deploying, promoting and restoring all go through here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from include.aws import endpoints
from include.ledger.lease import Lease
from include.ledger.objects import asked_key, begun_key
from include.rollout.errors import ForeignChangeError
from include.rollout.guardrail import deployment_config
from include.rollout.promotion import GuardrailSection
from include.rollout.stage import Stage, config_name, endpoint_config
from include.steps.experiment import is_managed, known_configs
from include.steps.rollout import Rollout, Wait


def reach(
    rollout: Rollout,
    stage: Stage,
    lease: Lease,
    wait: Wait | None,
    *,
    candidate: str = "",
    tries: int = 1,
    guardrails: GuardrailSection | None = None,
) -> Wait | None:
    """Move the endpoint towards `stage` and say what to wait for, or None once it serves exactly that.

    `tries` is how often the update may be asked for: once where a failed update must end the stage, more often for
    the way back. `guardrails` let the traffic move in watched steps, for which there is more time. Raises ForeignChangeError, FenceError, DeploymentError and CloudError.
    """
    baseline, spec = rollout.baseline, rollout.spec
    target = config_name(rollout.id, stage, baseline)
    state = endpoints.describe(rollout.clients, baseline.endpoint)
    ours = known_configs(rollout, state)
    endpoints.refuse_foreign(state, baseline.endpoint, ours)
    assert state is not None
    endpoints.refuse_broken(state)
    attempts = wait.attempts if wait else 0
    watched = guardrails.seconds if guardrails is not None else 0
    until = wait.until if wait else state.seen + timedelta(seconds=spec.deploy_timeout + watched)
    if state.in_service and state.config == target:
        return None
    if attempts >= tries and endpoints.arrived(state, target):
        return None
    say = rollout.headline(stage)
    if state.in_service:
        live = max((v.instance_count for v in state.production), default=baseline.instance_count)
        rollout.leases.check(lease)
        arguments = endpoint_config(
            spec, baseline, rollout=rollout.id, stage=stage, candidate_model=candidate, live_count=live
        )
        if stage is not Stage.BASELINE:
            endpoints.ensure_config(rollout.clients, arguments, rollout.tags)
        elif endpoints.describe_config(rollout.clients, target) is None:
            say(f"endpoint config {target} was deleted meanwhile; making it again")
            endpoints.ensure_config(rollout.clients, arguments, baseline.tags)
        say(
            f"updating endpoint {baseline.endpoint} from {state.config} to {target}; at most {spec.deploy_timeout + watched} s"
        )
        asked = endpoints.begin_update(
            rollout.clients,
            baseline.endpoint,
            config=target,
            ours=ours,
            allowed=_recorded(rollout, stage, rollout.guard(lease)),
            retain=stage is Stage.BASELINE,
            deployment=None
            if guardrails is None
            else deployment_config(
                guardrails, rollout=rollout.id, baseline=baseline, deploy_timeout=spec.deploy_timeout
            ),
        )
        attempts += asked
        if asked:
            rollout.write(asked_key(stage), {"stage": stage.value})
    return Wait(
        what=f"endpoint {baseline.endpoint} to serve {target}",
        every=rollout.poll,
        until=until,
        phase=stage.value,
        attempts=attempts,
        endpoint=baseline.endpoint,
    )


def refuse_restored(rollout: Rollout, state: endpoints.EndpointState) -> None:
    """Raise ForeignChangeError where the endpoint is back on the baseline's config, or goes there, and not by our doing.

    That config is one of ours, but whoever took the shadow away by hand meant something by it. Of a managed test
    nothing is said: SageMaker itself moves its endpoint, and lets nobody else do so meanwhile.
    """
    name = rollout.baseline.config_name
    if name not in (state.config, state.pending) or is_managed(rollout):
        return
    if rollout.ledger.read(begun_key(Stage.BASELINE)) is None:
        raise ForeignChangeError(
            f"somebody else moved endpoint {state.name} back to endpoint config {name} while the rollout ran; "
            "it is left as they made it."
        )


def _recorded(rollout: Rollout, stage: Stage, allowed: Callable[[], None]) -> Callable[[], None]:
    """Note in the ledger that an update is about to be asked for, then check the fence."""

    def check() -> None:
        rollout.write(begun_key(stage), {"stage": stage.value})
        allowed()

    return check
