"""Endpoints: their statuses, blue/green updates, what a failed update leaves, and what is refused when."""

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _configs(plane: Any, variant: Any) -> None:
    plane.model("m")
    plane.model("n")
    plane.config("one", variant(), DataCaptureConfig=CAPTURE)
    plane.config("two", variant(model="n", InitialInstanceCount=3, InitialVariantWeight=0.7))
    plane.config(
        "shadowed",
        variant(),
        shadow=variant("shadow", "n", InitialVariantWeight=0.5),
        MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
    )


CAPTURE = {
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://captures/prefix",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}


def created(plane: Any, config: str = "one", **more: Any) -> dict[str, Any]:
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName=config, **more)
    plane.settle()
    described: dict[str, Any] = plane.endpoint()
    return described


def updated(plane: Any, config: str, **more: Any) -> dict[str, Any]:
    plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName=config, **more)
    plane.settle()
    described: dict[str, Any] = plane.endpoint()
    return described


def test_an_endpoint_is_creating_until_its_fleet_answers(plane: Any) -> None:
    plane.runtime.gate.clear()
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="one")
    creating = plane.endpoint()
    assert creating["EndpointStatus"] == "Creating"
    assert "ProductionVariants" not in creating
    pending = creating["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "one"
    assert pending["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"
    plane.runtime.gate.set()
    plane.settle()
    ready = plane.endpoint()
    assert ready["EndpointStatus"] == "InService"
    assert "PendingDeploymentSummary" not in ready


def test_an_endpoint_in_service_shows_both_kinds_of_variants(plane: Any) -> None:
    described = created(plane, "shadowed")
    (production,), (shadow,) = described["ProductionVariants"], described["ShadowProductionVariants"]
    assert (production["VariantName"], production["CurrentWeight"], production["CurrentInstanceCount"]) == (
        "production",
        1.0,
        1,
    )
    assert (shadow["VariantName"], shadow["CurrentWeight"], shadow["DesiredWeight"]) == ("shadow", 0.5, 0.5)
    assert described["MetricsConfig"] == {
        "EnableEnhancedMetrics": True,
        "MetricPublishFrequencyInSeconds": 10,
    }
    assert plane.runtime.serving["e"].metrics_frequency == 10


def test_capture_is_described_and_planned(plane: Any) -> None:
    described = created(plane)
    assert described["DataCaptureConfig"] == {
        "EnableCapture": True,
        "CaptureStatus": "Started",
        "CurrentSamplingPercentage": 50,
        "DestinationS3Uri": "s3://captures/prefix",
        "KmsKeyId": "",
    }
    capture = plane.runtime.serving["e"].capture
    assert (capture.percentage, capture.input, capture.output) == (50, True, True)


def test_a_fleet_that_does_not_start_fails_the_endpoint_which_can_only_be_deleted(
    plane: Any, refused: Any
) -> None:
    plane.runtime.failure = "The container did not pass the ping health check."
    failed = created(plane)
    assert failed["EndpointStatus"] == "Failed"
    assert failed["FailureReason"] == "The container did not pass the ping health check."
    with pytest.raises(refused, match=r"Cannot update failed endpoint"):
        updated(plane, "two")
    plane.call("DeleteEndpoint", EndpointName="e")
    plane.settle()
    with pytest.raises(refused, match=r'ValidationException: Could not find endpoint "arn:.*:endpoint/e"'):
        plane.endpoint()


def test_an_endpoints_name_is_unique_whatever_the_case(plane: Any, refused: Any) -> None:
    created(plane)
    with pytest.raises(
        refused, match=r'Cannot create already existing endpoint "arn:aws:sagemaker:.*:endpoint/e"'
    ):
        plane.call("CreateEndpoint", EndpointName="E", EndpointConfigName="one")


def test_an_update_brings_green_up_before_blue_goes(plane: Any) -> None:
    created(plane)
    plane.runtime.notes.clear()
    described = updated(plane, "two")
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("InService", "two")
    assert plane.runtime.notes == [("prepare", "two"), ("activate", "two"), ("retire", "one")]


def test_while_updating_the_old_config_is_shown_and_every_change_is_refused(plane: Any, refused: Any) -> None:
    created(plane)
    plane.runtime.gate.clear()
    plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="shadowed")
    updating = plane.endpoint()
    assert (updating["EndpointStatus"], updating["EndpointConfigName"]) == ("Updating", "one")
    pending = updating["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == "shadowed"
    assert pending["ShadowProductionVariants"][0]["VariantStatus"][0]["Status"] == "Creating"
    text = 'Cannot update in-progress endpoint "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"'
    weights = [{"VariantName": "production", "DesiredWeight": 1}]
    for operation, more in (
        ("UpdateEndpoint", {"EndpointConfigName": "two"}),
        ("DeleteEndpoint", {}),
        ("UpdateEndpointWeightsAndCapacities", {"DesiredWeightsAndCapacities": weights}),
    ):
        with pytest.raises(refused, match=text):
            plane.call(operation, EndpointName="e", **more)
    plane.runtime.gate.set()
    plane.settle()
    assert plane.endpoint()["EndpointConfigName"] == "shadowed"


def test_a_failed_update_leaves_the_old_fleet_serving_and_says_why(plane: Any) -> None:
    created(plane)
    plane.runtime.failure = "no ping"
    described = updated(plane, "two")
    assert described["EndpointStatus"] == "InService"
    assert described["EndpointConfigName"] == "one"
    assert described["FailureReason"] == "no ping"
    assert "PendingDeploymentSummary" not in described
    assert plane.runtime.serving["e"].config == "one"
    assert "FailureReason" not in updated(plane, "two")


def test_a_missing_artefact_fails_the_update_with_its_url(plane: Any) -> None:
    created(plane)
    plane.store.delete("models", "n.tar.gz")
    described = updated(plane, "two")
    assert described["EndpointConfigName"] == "one"
    assert described["FailureReason"].startswith("Failed to download model data for container")
    assert "s3://models/n.tar.gz" in described["FailureReason"]


def test_the_last_deployment_config_is_remembered(plane: Any) -> None:
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": 30,
        }
    }
    assert "LastDeploymentConfig" not in created(plane)
    before = plane.clock.now()
    assert updated(plane, "two", DeploymentConfig=policy)["LastDeploymentConfig"] == policy
    assert plane.clock.now() == before + 30  # blue stayed that long
    assert updated(plane, "one")["LastDeploymentConfig"] == policy


def test_an_update_takes_the_configs_counts_unless_the_live_ones_are_retained(plane: Any) -> None:
    created(plane)
    wish = {"VariantName": "production", "DesiredInstanceCount": 5, "DesiredWeight": 0.25}
    plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish])
    plane.settle()
    kept = updated(plane, "shadowed", RetainAllVariantProperties=True)["ProductionVariants"][0]
    assert (kept["CurrentInstanceCount"], kept["CurrentWeight"]) == (5, 0.25)
    excluded = [{"VariantPropertyType": "DesiredInstanceCount"}]
    part = updated(plane, "two", RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded)
    assert part["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    assert part["ProductionVariants"][0]["CurrentWeight"] == 0.25
    fresh = updated(plane, "one")["ProductionVariants"][0]
    assert (fresh["CurrentInstanceCount"], fresh["CurrentWeight"]) == (1, 1.0)


def test_exclusions_without_retaining_are_refused(plane: Any, refused: Any) -> None:
    created(plane)
    with pytest.raises(refused, match=r"needs RetainAllVariantProperties"):
        updated(plane, "two", ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}])


def test_weights_and_counts_change_on_shadows_too(plane: Any) -> None:
    created(plane, "shadowed")
    plane.runtime.notes.clear()
    plane.runtime.gate.clear()
    wishes = [
        {"VariantName": "shadow", "DesiredWeight": 1.0},
        {"VariantName": "production", "DesiredInstanceCount": 2},
    ]
    plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=wishes)
    resizing = plane.endpoint()
    assert resizing["EndpointStatus"] == "Updating"
    assert resizing["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    assert resizing["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert resizing["ProductionVariants"][0]["VariantStatus"][0]["Status"] == "Updating"
    plane.runtime.gate.set()
    plane.settle()
    described = plane.endpoint()
    assert described["ShadowProductionVariants"][0]["CurrentWeight"] == 1.0
    assert described["ShadowProductionVariants"][0]["CurrentInstanceCount"] == 1
    assert described["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert described["ProductionVariants"][0]["CurrentWeight"] == 1.0
    assert ("reweight", "shadow", 1.0) in plane.runtime.notes
    assert ("resize", "production", 2) in plane.runtime.notes


def test_a_resize_that_fails_rolls_back_to_what_was(plane: Any) -> None:
    created(plane)
    plane.runtime.failure = "no capacity"
    wish = {"VariantName": "production", "DesiredInstanceCount": 9}
    plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish])
    plane.settle()
    described = plane.endpoint()
    assert (described["EndpointStatus"], described["FailureReason"]) == ("InService", "no capacity")
    production = described["ProductionVariants"][0]
    assert (production["CurrentInstanceCount"], production["DesiredInstanceCount"]) == (1, 1)


def test_changes_of_variants_that_do_not_exist_are_refused(plane: Any, refused: Any) -> None:
    created(plane)
    with pytest.raises(refused, match=r"Variant ghost is not one of the endpoint's: production"):
        plane.call(
            "UpdateEndpointWeightsAndCapacities",
            EndpointName="e",
            DesiredWeightsAndCapacities=[{"VariantName": "ghost", "DesiredWeight": 1}],
        )


def test_deleting_stops_the_routing_at_once(plane: Any) -> None:
    created(plane)
    plane.runtime.gate.clear()
    plane.call("DeleteEndpoint", EndpointName="e")
    assert plane.endpoint()["EndpointStatus"] == "Deleting"
    assert plane.runtime.serving == {}
    plane.runtime.gate.set()
    plane.settle()
    assert ("retire", "one") in plane.runtime.notes


def test_unknown_endpoints_and_configs_are_validation_exceptions(plane: Any, refused: Any) -> None:
    with pytest.raises(refused, match=r'ValidationException: Could not find endpoint "arn:.*endpoint/none"'):
        plane.endpoint("none")
    with pytest.raises(refused, match=r'Could not find endpoint configuration "arn:.*endpoint-config/none"'):
        created(plane, "none")


def test_a_scalable_target_must_be_deregistered_before_it_goes(
    plane: Any, refused: Any, variant: Any
) -> None:
    created(plane)
    plane.sagemaker.variants.is_scaled = lambda endpoint, name: (endpoint, name) == ("e", "production")
    plane.config("renamed", variant("other"))
    plane.config("larger", variant(InstanceType="ml.m5.2xlarge"))
    for config in ("renamed", "larger"):
        with pytest.raises(refused, match=r'"\[production\]" must be deregistered as scalable targets'):
            updated(plane, config)
    assert updated(plane, "two")["EndpointConfigName"] == "two"


def test_a_quota_counts_both_fleets_of_an_update_and_only_the_batch_of_a_rolling_one(
    plane: Any, variant: Any, refused: Any
) -> None:
    plane.config("c", variant(InitialInstanceCount=2))
    plane.faults.add({"quota": 3, "of": "ml.m5.xlarge"})
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="c")
    plane.settle()
    said = "'ml.m5.xlarge for endpoint usage' is 3 Instances, with current utilization of 2 Instances and a request "
    with pytest.raises(refused, match=f"^ResourceLimitExceeded: .*{said}delta of 2 Instances"):
        plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="c")
    with pytest.raises(refused, match="request delta of 2 Instances"):
        plane.call("CreateEndpoint", EndpointName="other", EndpointConfigName="c")
    four = [{"VariantName": "production", "DesiredInstanceCount": 4}]
    with pytest.raises(refused, match="request delta of 2 Instances"):
        plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=four)
    assert plane.endpoint()["ProductionVariants"][0]["DesiredInstanceCount"] == 2
    batch = {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}, "WaitIntervalInSeconds": 0}
    rolling = {"RollingUpdatePolicy": batch}
    plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="c", DeploymentConfig=rolling)
    plane.settle()
    assert "FailureReason" not in plane.endpoint()


def test_capacity_is_counted_over_all_variants_of_a_change(plane: Any, variant: Any) -> None:
    config = {"EndpointConfigName": "pair", "ProductionVariants": [variant("a"), variant("b")]}
    plane.call("CreateEndpointConfig", **config)
    created(plane, "pair")
    plane.faults.add({"capacity": 3})
    wishes = [{"VariantName": name, "DesiredInstanceCount": 2} for name in "ab"]
    plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=wishes)
    plane.settle()
    described = plane.endpoint()
    assert "InsufficientInstanceCapacity" in described["FailureReason"]
    assert [each["CurrentInstanceCount"] for each in described["ProductionVariants"]] == [1, 1]
