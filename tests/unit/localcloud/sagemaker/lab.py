"""An endpoint under experiments: what their tests ask for and look at."""

import datetime
from typing import Any

HOUR, DAY = 3600.0, 86400.0
ROLE = "arn:aws:iam::123456789012:role/serving"
CAPTURE = {
    "InitialSamplingPercentage": 50,
    "DestinationS3Uri": "s3://captures/own",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def model_variant(name: str, model: str, count: int = 1, kind: str = "ml.m5.xlarge") -> dict[str, Any]:
    return {
        "ModelName": model,
        "VariantName": name,
        "InfrastructureConfig": {
            "InfrastructureType": "RealTimeInference",
            "RealTimeInferenceConfig": {"InstanceType": kind, "InstanceCount": count},
        },
    }


def shadow_mode(percentage: int = 50, shadow: str = "candidate") -> dict[str, Any]:
    return {
        "SourceModelVariantName": "production",
        "ShadowModelVariants": [{"ShadowModelVariantName": shadow, "SamplingPercentage": percentage}],
    }


def asked(**more: Any) -> dict[str, Any]:
    return {
        "Name": "x",
        "Type": "ShadowMode",
        "RoleArn": ROLE,
        "EndpointName": "e",
        "ModelVariants": [model_variant("production", "m", 2), model_variant("candidate", "n")],
        "ShadowModeConfig": shadow_mode(),
    } | more


class Lab:
    """An endpoint `e` on the config `one`, and experiments on it."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane

    def moment(self, seconds: float) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.plane.clock.at + seconds, datetime.UTC)

    def schedule(self, start: float, end: float) -> dict[str, datetime.datetime]:
        return {"StartTime": self.moment(start), "EndTime": self.moment(end)}

    def create(self, **more: Any) -> dict[str, Any]:
        self.plane.call("CreateInferenceExperiment", **asked(**more))
        self.plane.quiet()
        return self.shown()

    def stop(self, **params: Any) -> dict[str, Any]:
        self.plane.call("StopInferenceExperiment", Name="x", **params)
        self.plane.quiet()
        return self.shown()

    def update(self, **params: Any) -> dict[str, Any]:
        self.plane.call("UpdateInferenceExperiment", Name="x", **params)
        self.plane.quiet()
        return self.shown()

    def shown(self) -> dict[str, Any]:
        described: dict[str, Any] = self.plane.call("DescribeInferenceExperiment", Name="x")
        return described

    def statuses(self) -> dict[str, str]:
        return {variant["VariantName"]: variant["Status"] for variant in self.shown()["ModelVariants"]}

    def serving(self) -> dict[str, tuple[str, int, float, bool]]:
        """Return what the runtime was told to run: model, instances, weight and role of each variant."""
        plan = self.plane.runtime.serving["e"]
        return {
            variant.name: (
                variant.model_data.read_text(),
                variant.instance_count,
                variant.weight,
                variant.shadow,
            )
            for variant in plan.variants
        }
