"""SystemUpdating: AWS patches an endpoint's instances, and nothing else may happen to it meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from include.localcloud.faults import FaultError

REFUSED = 'ValidationException: Cannot update in-progress endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"'


@pytest.fixture
def served(held: Any, variant: Any) -> Any:
    held.model("m")
    held.config("one", variant())
    held.config("two", variant())
    held.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    held.quiet()
    return held


def maintained(plane: Any, seconds: float = 60) -> None:
    async def begin() -> None:
        plane.faults.add({"maintenance": seconds, "endpoint": "e"})

    plane.run(begin())
    come_far(plane)


def come_far(plane: Any) -> None:
    """Let whatever does not wait for the clock happen."""

    async def turns() -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    plane.run(turns())


def test_it_lasts_as_long_as_asked_and_changes_nothing_but_the_instances(served: Any) -> None:
    before = served.endpoint()
    served.runtime.notes.clear()
    maintained(served)
    assert served.endpoint() == before | {"EndpointStatus": "SystemUpdating"}
    (listed,) = served.call("ListEndpoints", StatusEquals="SystemUpdating")["Endpoints"]
    assert listed["EndpointName"] == "e"
    assert served.runtime.notes == [("prepare", "one"), ("activate", "one"), ("retire", "one")]
    served.clock.advance(59)
    come_far(served)
    assert served.endpoint()["EndpointStatus"] == "SystemUpdating"
    served.advance(1)
    assert served.endpoint() == before


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("UpdateEndpoint", {"EndpointConfigName": "two"}),
        ("DeleteEndpoint", {}),
        (
            "UpdateEndpointWeightsAndCapacities",
            {"DesiredWeightsAndCapacities": [{"VariantName": "production", "DesiredInstanceCount": 2}]},
        ),
    ],
)
def test_it_cannot_be_updated_deleted_or_rescaled_meanwhile(
    served: Any, refused: Any, operation: str, more: dict[str, Any]
) -> None:
    maintained(served)
    with pytest.raises(refused, match=REFUSED):
        served.call(operation, EndpointName="e", **more)
    assert not served.sagemaker.variants.is_changeable("e")
    served.advance(60)
    served.call(operation, EndpointName="e", **more)


def test_instances_that_do_not_come_up_leave_the_old_ones_serving(served: Any) -> None:
    before = served.endpoint()
    served.runtime.failure = "no"
    served.runtime.notes.clear()
    maintained(served)
    served.advance(60)
    assert served.endpoint() == before
    assert served.runtime.notes == []


def test_a_restart_ends_it(served: Any, tmp_path: Path) -> None:
    before = served.endpoint()
    maintained(served)
    served.run(served.sagemaker.transitions.close())
    again = type(served)(tmp_path)
    again.run(again.sagemaker.transitions.resume())
    assert again.endpoint() == before
    again.close()


def test_only_an_endpoint_in_service_is_maintained(served: Any) -> None:
    for wanted, said in (
        (
            {"maintenance": 5, "endpoint": "none"},
            "the endpoint none is not there; a maintenance needs one that",
        ),
        ({"maintenance": 5}, "a maintenance needs an endpoint"),
        ({"maintenance": "long", "endpoint": "e"}, "maintenance is 'long'; it must be a number"),
    ):
        with pytest.raises((FaultError, ValueError), match=said):
            served.faults.add(wanted)
    maintained(served)
    with pytest.raises(ValueError, match="the endpoint e is SystemUpdating; a maintenance needs one that is"):
        served.faults.add({"maintenance": 5, "endpoint": "e"})
    served.advance(60)
