"""How many instances of a type there are to be had, where a fault says that they are few."""

from collections.abc import Callable, Mapping

from include.localcloud.runtime.plan import StartupError
from include.localcloud.state import Record, Table

Limit = Callable[[str], int | None]  # instance type -> most instances at once, None for no limit


def desired(endpoints: Table, instance_type: str) -> int:
    """Return how many instances of the type all endpoints shall have, those of deployments under way included."""
    return sum(
        variant["DesiredInstanceCount"]
        for record in endpoints.values()
        for deployed in (record.get("Serving"), record.get("Pending"))
        if deployed is not None
        for variant in deployed["Variants"]
        if variant["InstanceType"] == instance_type
    )


class Capacity:
    """Counts the instances of all endpoints: those that serve, and those of deployments under way."""

    def __init__(self, endpoints: Table, limit: Limit) -> None:
        self._endpoints = endpoints
        self._limit = limit

    def claim(self, deployed: Record, counts: Mapping[str, int]) -> None:
        """Note that a deployment has so many instances of each variant beside what serves.

        Raises StartupError, in SageMaker's words, when there are not so many to be had.
        """
        former = deployed.get("Claimed", {})
        for variant in deployed["Variants"]:
            name = variant["VariantName"]
            self.require(variant["InstanceType"], counts.get(name, 0) - former.get(name, 0))
        deployed["Claimed"] = former | dict(counts)

    def require(self, instance_type: str, more: int) -> None:
        """Raise StartupError unless so many more instances of the type are to be had."""
        limit = self._limit(instance_type)
        if more > 0 and limit is not None and self._used(instance_type) + more > limit:
            raise StartupError(
                "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please "
                "retry using a different ML instance type or after some time."
            )

    def _used(self, instance_type: str) -> int:
        used = 0
        for record in self._endpoints.values():
            for variant in record.get("Serving", {}).get("Variants", ()):
                if variant["InstanceType"] == instance_type:
                    used += variant["CurrentInstanceCount"]
            pending = record.get("Pending", {})
            for variant in pending.get("Variants", ()):
                if variant["InstanceType"] == instance_type:
                    used += pending.get("Claimed", {}).get(variant["VariantName"], 0)
        return used
