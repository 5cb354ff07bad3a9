"""Account-level quotas: how many resources of a kind there may be, where a test says that they are few.

On AWS every account has its own, so here there is no limit until one is asked for.
"""

from collections.abc import Callable

Quota = Callable[[str], int | None]  # a kind of resource, or an instance type -> the most there may be
KINDS = {  # what is counted -> its quota's name in the refusal
    "model": "Number of models",
    "endpoint-config": "Number of endpoint configurations",
    "endpoint": "Number of endpoints",
    "inference-experiment": "Number of inference experiments",
    "model-package-group": "Number of model package groups",
    "model-package": "Number of model packages",
    "alarm": "Number of metric alarms",
    "scalable-target": "Number of scalable targets",
    "scaling-policy": "Number of scaling policies",
}
INSTANCES = "ml."  # an instance type begins so


def unlimited(kind: str) -> int | None:
    """Return None: nothing is limited."""
    return None


def excess(quota: Quota, kind: str, used: int, more: int = 1) -> str | None:
    """Return the refusal of `more` beside the `used` ones, None where the quota has room for them.

    SageMaker's sentence about instances is seen in public issues; the other kinds are told in the same form.
    """
    most = quota(kind)
    if most is None or more <= 0 or used + more <= most:
        return None
    name, unit = (
        (f"{kind} for endpoint usage", " Instances") if kind.startswith(INSTANCES) else (KINDS[kind], "")
    )
    return (
        f"The account-level service limit '{name}' is {most}{unit}, with current utilization of {used}{unit} and a "
        f"request delta of {more}{unit}. Please use AWS Service Quotas to request an increase for this quota."
    )
