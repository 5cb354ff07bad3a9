"""Endpoint configs: everything is echoed, and what a shadow test excludes is refused before anything starts."""

from typing import Any

import pytest

CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://captures/prefix",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
    "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
}


@pytest.fixture(autouse=True)
def _models(plane: Any) -> None:
    plane.model("m")
    plane.model("n")


def test_everything_that_was_asked_is_echoed(plane: Any, variant: Any) -> None:
    asked = {
        "ProductionVariants": [
            variant(InitialInstanceCount=2, ContainerStartupHealthCheckTimeoutInSeconds=90)
        ],
        "ShadowProductionVariants": [variant("shadow", "n", InitialVariantWeight=0.5)],
        "DataCaptureConfig": CAPTURE,
        "MetricsConfig": {"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10},
        "KmsKeyId": "key",
    }
    arn = plane.call("CreateEndpointConfig", EndpointConfigName="C-1", **asked)["EndpointConfigArn"]
    described = plane.call("DescribeEndpointConfig", EndpointConfigName="C-1")
    assert {key: described[key] for key in asked} == asked
    assert (
        described["EndpointConfigArn"]
        == arn
        == "arn:aws:sagemaker:us-east-1:123456789012:endpoint-config/c-1"
    )


def test_a_variant_without_a_weight_weighs_one(plane: Any, variant: Any) -> None:
    bare = variant()
    del bare["InitialVariantWeight"]
    plane.config("c", bare)
    described = plane.call("DescribeEndpointConfig", EndpointConfigName="c")
    assert described["ProductionVariants"] == [variant(InitialVariantWeight=1.0)]
    assert "ShadowProductionVariants" not in described


def test_a_config_that_exists_is_refused(plane: Any, variant: Any, refused: Any) -> None:
    plane.config("c", variant())
    with pytest.raises(
        refused, match=r'Cannot create already existing endpoint configuration "arn:.*config/c"'
    ):
        plane.config("c", variant())


def test_production_and_shadow_models_must_exist(plane: Any, variant: Any, refused: Any) -> None:
    with pytest.raises(refused, match=r'ValidationException: Could not find model "arn:.*:model/gone"'):
        plane.config("c", variant(model="gone"))
    with pytest.raises(refused, match=r'Could not find model "arn:.*:model/gone"'):
        plane.config("c", variant(), shadow=variant("shadow", "gone"))


def test_a_shadow_goes_with_exactly_one_production_variant(plane: Any, variant: Any, refused: Any) -> None:
    with pytest.raises(refused, match=r"exactly one production and one shadow variant; found 2 and 1"):
        plane.config("c", variant("a"), variant("b"), shadow=variant("shadow", "n"))
    two = [variant("s1", "n"), variant("s2", "n")]
    with pytest.raises(refused, match=r"found 1 and 2"):
        plane.config("c", variant(), ShadowProductionVariants=two)


def test_ten_production_variants_are_allowed_and_eleven_are_not(
    plane: Any, variant: Any, refused: Any
) -> None:
    plane.config("c", *(variant(f"v{number}") for number in range(10)))
    with pytest.raises(
        refused, match=r"'productionVariants' failed to satisfy constraint: .* less than or equal to 10"
    ):
        plane.config("d", *(variant(f"v{number}") for number in range(11)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"VariantName": "production"}, "Variant names must be unique"),
        ({"InstanceType": "ml.inf1.xlarge"}, "do not support Inf1"),
        ({"AcceleratorType": "ml.eia2.medium"}, "Elastic Inference"),
        ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1}}, "serverless"),
        ({"ModelName": None}, "inference components"),
        ({"InitialInstanceCount": None}, "has no InitialInstanceCount"),
        ({"InstanceType": None}, "has no InstanceType"),
        ({"InstanceType": "ml.unknown"}, "Member must satisfy enum value set"),
    ],
)
def test_what_shadow_tests_exclude_is_refused(
    plane: Any, variant: Any, refused: Any, change: Any, reason: str
) -> None:
    shadow = variant("shadow", "n") | change
    with pytest.raises(refused, match=reason):
        plane.config(
            "c", variant(), shadow={key: value for key, value in shadow.items() if value is not None}
        )


def test_multi_model_and_multi_container_models_take_part_in_no_shadow_test(
    plane: Any, variant: Any, refused: Any
) -> None:
    plane.model("multi", Mode="MultiModel")
    with pytest.raises(refused, match=r"multi-model"):
        plane.config("c", variant(), shadow=variant("shadow", "multi"))
    image = plane.call("DescribeModel", ModelName="m")["PrimaryContainer"]["Image"]
    plane.call("CreateModel", ModelName="pipe", Containers=[{"Image": image}, {"Image": image}])
    with pytest.raises(refused, match=r"multi-container"):
        plane.config("c", variant(), shadow=variant("shadow", "pipe"))


def test_asynchronous_inference_is_refused_with_and_without_a_shadow(
    plane: Any, variant: Any, refused: Any
) -> None:
    config = {"OutputConfig": {"S3OutputPath": "s3://out/here"}}
    with pytest.raises(refused, match=r"shadow variants do not support asynchronous"):
        plane.config("c", variant(), shadow=variant("shadow", "n"), AsyncInferenceConfig=config)
    with pytest.raises(refused, match=r"local cloud does not support asynchronous"):
        plane.config("c", variant(), AsyncInferenceConfig=config)


def test_metrics_are_published_at_the_documented_frequencies_only(
    plane: Any, variant: Any, refused: Any
) -> None:
    with pytest.raises(refused, match=r"MetricPublishFrequencyInSeconds is 15; it must be one of 10, 30"):
        plane.config("c", variant(), MetricsConfig={"MetricPublishFrequencyInSeconds": 15})


def test_a_config_in_use_can_be_deleted_and_the_endpoint_serves_on(
    plane: Any, variant: Any, refused: Any
) -> None:
    plane.config("c", variant())
    plane.call("CreateEndpoint", EndpointName="e", EndpointConfigName="c")
    plane.settle()
    plane.call("DeleteEndpointConfig", EndpointConfigName="c")
    plane.call("DeleteModel", ModelName="m")
    assert plane.endpoint()["EndpointStatus"] == "InService"
    with pytest.raises(refused, match=r'Could not find endpoint configuration "arn:.*:endpoint-config/c"'):
        plane.call("DescribeEndpointConfig", EndpointConfigName="c")
