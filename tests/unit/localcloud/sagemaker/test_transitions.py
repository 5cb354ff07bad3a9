"""A killed local cloud finds its way on: what served serves again, what was under way goes on."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def served(plane: Any, variant: Any) -> Any:
    plane.model("m")
    plane.model("n")
    plane.config("one", variant())
    plane.config("two", variant(model="n"))
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    plane.settle()
    return plane


@pytest.fixture
def revived(plane: Any, tmp_path: Path) -> Any:
    """Return a maker of a second control plane on the first one's state, as after a SIGKILL."""
    planes = []

    def revive() -> Any:
        plane.run(plane.sagemaker.transitions.close())
        again = type(plane)(tmp_path)
        planes.append(again)
        again.run(again.sagemaker.transitions.resume())
        return again

    yield revive
    for again in planes:
        again.close()


def test_an_endpoint_in_service_comes_back(served: Any, revived: Any) -> None:
    before = served.endpoint()
    again = revived()
    assert again.endpoint() == before
    assert again.runtime.serving["e"].config == "one"


def test_it_comes_back_with_the_counts_it_had_and_without_its_s3_object(served: Any, revived: Any) -> None:
    wish = {"VariantName": "production", "DesiredInstanceCount": 4}
    served.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish])
    served.settle()
    served.store.delete("models", "m.tar.gz")
    again = revived()
    (variant,) = again.runtime.serving["e"].variants
    assert variant.instance_count == 4
    assert variant.model_data.read_bytes() == b"m"


def test_scripts_in_s3_are_kept_like_model_data(plane: Any, variant: Any, revived: Any) -> None:
    plane.model("code")
    url = "s3://models/code.tar.gz"
    plane.model("m", Environment={"SAGEMAKER_SUBMIT_DIRECTORY": url})
    plane.config("one", variant())
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    plane.settle()
    plane.run(plane.store.put("models", "code.tar.gz", b"other code"))
    again = revived()
    (served,) = again.runtime.serving["e"].variants
    assert (served.source.read_bytes(), served.model_data.read_bytes()) == (b"code", b"m")
    again.store.delete("models", "code.tar.gz")
    again.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="one")  # a deployment of its own
    again.settle()
    assert f"There are no scripts at {url}" in again.endpoint()["FailureReason"]


def test_copies_that_no_deployment_needs_are_gone_after_a_restart(
    served: Any, revived: Any, tmp_path: Path
) -> None:
    copies = tmp_path / "sagemaker" / "artifacts"
    served.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="two")
    served.settle()
    assert len(list(copies.iterdir())) == 2
    revived()
    assert [file.read_bytes() for file in copies.iterdir()] == [b"n"]


def test_an_update_cut_short_is_carried_on(served: Any, revived: Any) -> None:
    served.runtime.gate.clear()
    served.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="two")
    again = revived()
    again.settle()
    assert again.endpoint()["EndpointConfigName"] == "two"
    assert [note for note in again.runtime.notes if note[0] == "activate"] == [
        ("activate", "one"),
        ("activate", "two"),
    ]


def test_a_creation_cut_short_is_carried_on(plane: Any, variant: Any, revived: Any) -> None:
    plane.model("m")
    plane.config("one", variant())
    plane.runtime.gate.clear()
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    again = revived()
    again.settle()
    assert again.endpoint()["EndpointStatus"] == "InService"


def test_a_deletion_cut_short_is_carried_on(served: Any, revived: Any, refused: Any) -> None:
    served.runtime.gate.clear()
    served.call("DeleteEndpoint", EndpointName="e")
    again = revived()
    again.settle()
    with pytest.raises(refused, match=r"Could not find endpoint"):
        again.endpoint()


def test_a_fleet_that_does_not_come_back_fails_its_endpoint(served: Any, tmp_path: Path) -> None:
    served.run(served.sagemaker.transitions.close())
    again = type(served)(tmp_path)
    again.runtime.failure = "no ping"
    again.run(again.sagemaker.transitions.resume())
    assert again.endpoint()["EndpointStatus"] == "Failed"
    assert "did not come back after a restart: no ping" in again.endpoint()["FailureReason"]
    again.close()


def test_a_slow_transition_is_held_up_by_the_fault(served: Any) -> None:
    served.faults.add({"delay": 120, "endpoint": "e"})
    before = served.clock.now()
    served.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="two")
    served.settle()
    assert served.clock.now() == before + 120


def test_a_guarded_update_cut_short_begins_again_from_the_old_fleet(served: Any, revived: Any) -> None:
    served.runtime.gate.clear()
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    policy = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    served.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="two", DeploymentConfig=policy)
    again = revived()
    again.settle()
    assert again.endpoint()["EndpointConfigName"] == "two"
    assert again.runtime.notes == [
        ("prepare", "one"),
        ("activate", "one"),
        ("prepare", "two"),
        ("share", "two", 1.0),
        ("activate", "two"),
        ("retire", "one"),
    ]
