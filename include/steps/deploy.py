"""Deploy the candidate as the shadow of production."""

from __future__ import annotations

from functools import partial

from include.ledger.objects import Kind, deployment_key
from include.rollout.stage import Stage, config_name
from include.steps.creation import CREATING, create
from include.steps.edit import attend
from include.steps.experiment import generated_configs, is_managed, start
from include.steps.reach import reach
from include.steps.rollout import Rollout, Wait
from include.steps.scaling import scale_shadow


def deploy_shadow(rollout: Rollout, wait: Wait | None = None) -> Wait | None:
    """Bring the endpoint to SHADOW, once; an update that ends elsewhere raises DeploymentError.

    An endpoint that the spec says to create is created first, with production alone.
    """
    rollout.refuse_if_over()
    noted = deployment_key(Stage.SHADOW)
    if wait is None and rollout.ledger.read(noted) is not None:
        # A task that is cleared later would else take a withdrawn shadow, or what was promoted, back to this stage.
        rollout.headline(Stage.SHADOW)("the shadow was deployed before")
        return None
    lease = rollout.lease()
    if wait is None or wait.phase == CREATING:
        creating = create(rollout, lease, wait)
        if creating is not None:
            return creating
        wait = None
    candidate = rollout.ledger.require(Kind.CANDIDATE)["model"]
    put = start if is_managed(rollout) else partial(reach, stage=Stage.SHADOW)
    pending = put(rollout, lease=lease, wait=wait, candidate=candidate)
    if pending is None:
        scale_shadow(rollout, lease)
        config = (generated_configs(rollout) or [config_name(rollout.id, Stage.SHADOW, rollout.baseline)])[-1]
        rollout.write(noted, {"config": config})
        if is_managed(rollout):
            attend(rollout)  # what it began with, so that what is edited later is told from it
        share = f"{rollout.spec.sampling:.0%}"
        rollout.headline("SHADOW")(
            f"the shadow serves next to {rollout.baseline.variant} and gets {share} of its requests"
        )
    return pending
