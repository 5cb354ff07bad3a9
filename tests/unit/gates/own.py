"""An expectation of somebody's own, as a project would add one."""

from great_expectations import expectations as gxe


class ExpectScoresToBeShares(gxe.ExpectColumnValuesToBeBetween):
    """Expect scores of the shadow to lie between 0 and `most`."""

    column: str = "shadow"
    min_value: float = 0.0
    max_value: float = 1.0


class NoExpectation:
    """A class that is none."""
