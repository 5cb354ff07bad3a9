"""A deployment: an endpoint config with its models, as one endpoint runs it. Values only, nothing acts here.

A deployment holds copies of the config and the containers, so deleting either in use harms nothing that serves.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from include.localcloud.runtime.plan import CapturePlan, FleetPlan, VariantPlan
from include.localcloud.sagemaker.wording import invalid
from include.localcloud.state import Record

_PRODUCTION, _SHADOW = "ProductionVariants", "ShadowProductionVariants"
_DEFAULT_STARTUP_SECONDS = 240.0  # developer guide, "use your own inference code": /ping within 4 minutes
_DEFAULT_FREQUENCY = 60
_ECHOED = ("ManagedInstanceScaling", "RoutingConfig")


def deployment(config: Record, models: Mapping[str, Record], now: float) -> Record:
    """Return what an endpoint runs from this config: every variant at its initial weight and count."""
    variants = []
    for field in (_PRODUCTION, _SHADOW):
        for variant in config.get(field, ()):
            image = models[variant["ModelName"]]["Resolved"][0]["Image"]
            variants.append(
                {
                    "VariantName": variant["VariantName"],
                    "Shadow": field == _SHADOW,
                    "InstanceType": variant["InstanceType"],
                    "ModelName": variant["ModelName"],
                    "Image": image,
                    "CurrentWeight": variant["InitialVariantWeight"],
                    "DesiredWeight": variant["InitialVariantWeight"],
                    "CurrentInstanceCount": 0,
                    "DesiredInstanceCount": variant["InitialInstanceCount"],
                }
            )
    containers = {name: record["Resolved"][0] for name, record in models.items()}
    return {"Config": config, "Containers": containers, "Variants": variants, "StartTime": now}


def retain(new: Record, old: Record, excluded: Iterable[str]) -> None:
    """Carry live counts and weights of equally named variants over into `new`, except what is excluded.

    RetainAllVariantProperties of UpdateEndpoint; a shadow keeps a shadow's, a production variant a
    production variant's. `DataCaptureConfig` is a known exclusion that AWS calls not supported.
    """
    live = {(variant["VariantName"], variant["Shadow"]): variant for variant in old["Variants"]}
    kept = {"DesiredInstanceCount", "DesiredWeight"} - set(excluded)
    for variant in new["Variants"]:
        former = live.get((variant["VariantName"], variant["Shadow"]))
        if former is None:
            continue
        for field in kept:
            variant[field] = former[field]
        variant["CurrentWeight"] = variant["DesiredWeight"]


def model_data(container: Mapping[str, Any]) -> str | None:
    """Return the S3 URL of a container's model archive, or None when it has none."""
    url: str | None = container.get("ModelDataUrl")
    return url


def scripts(container: Mapping[str, Any]) -> str | None:
    """Return the S3 URL of a container's archive of scripts, or None when its environment names none in S3."""
    url: str = container.get("Environment", {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    return url if url.startswith("s3://") else None


def fleet_plan(
    endpoint: str, region: str, deployed: Record, archives: Mapping[str, Path], counts: Mapping[str, int]
) -> FleetPlan:
    """Return the plan of a fleet with `counts` instances by variant; `archives` holds the local file of each URL."""
    config = deployed["Config"]
    asked = {
        variant["VariantName"]: variant
        for field in (_PRODUCTION, _SHADOW)
        for variant in config.get(field, ())
    }
    variants = []
    for variant in deployed["Variants"]:
        container = deployed["Containers"][variant["ModelName"]]
        timeout = asked[variant["VariantName"]].get("ContainerStartupHealthCheckTimeoutInSeconds")
        variants.append(
            VariantPlan(
                name=variant["VariantName"],
                image=container["Image"],
                model_data=None if (url := model_data(container)) is None else archives[url],
                source=None if (url := scripts(container)) is None else archives[url],
                environment=container.get("Environment", {}),
                instance_type=variant["InstanceType"],
                instance_count=counts[variant["VariantName"]],
                weight=variant["DesiredWeight"],
                shadow=variant["Shadow"],
                startup_timeout=float(timeout) if timeout else _DEFAULT_STARTUP_SECONDS,
            )
        )
    metrics = config.get("MetricsConfig", {})
    frequency = metrics.get("MetricPublishFrequencyInSeconds", _DEFAULT_FREQUENCY)
    return FleetPlan(
        endpoint=endpoint,
        config=config["EndpointConfigName"],
        variants=tuple(variants),
        region=region,
        capture=_capture_plan(config.get("DataCaptureConfig")),
        # without enhanced metrics the frequency is for utilization only; invocation metrics stay at 60 s
        metrics_frequency=frequency if metrics.get("EnableEnhancedMetrics") else _DEFAULT_FREQUENCY,
        utilisation_frequency=frequency,
        enhanced_metrics=bool(metrics.get("EnableEnhancedMetrics")),
    )


def arrived(deployed: Record) -> None:
    """Note that every variant has what it desired."""
    for variant in deployed["Variants"]:
        variant["CurrentInstanceCount"] = variant["DesiredInstanceCount"]
        variant["CurrentWeight"] = variant["DesiredWeight"]


def summaries(deployed: Record, *, shadow: bool, status: str | None, pending: bool) -> list[dict[str, Any]]:
    """Return the variants as DescribeEndpoint shows them; a pending deployment's also name the instance type."""
    since = deployed.get("StageTime", deployed["StartTime"])
    config = deployed["Config"]
    asked = {
        variant["VariantName"]: variant
        for field in (_PRODUCTION, _SHADOW)
        for variant in config.get(field, ())
    }
    shown = []
    for variant in deployed["Variants"]:
        if variant["Shadow"] != shadow:
            continue
        image = {"SpecifiedImage": variant["Image"], "ResolvedImage": variant["Image"]}
        summary: dict[str, Any] = {
            "VariantName": variant["VariantName"],
            "DeployedImages": [{**image, "ResolutionTime": deployed["StartTime"]}],
            "CurrentWeight": variant["CurrentWeight"],
            "DesiredWeight": variant["DesiredWeight"],
            "CurrentInstanceCount": variant["CurrentInstanceCount"],
            "DesiredInstanceCount": variant["DesiredInstanceCount"],
        }
        for field in _ECHOED:
            if field in asked[variant["VariantName"]]:
                summary[field] = asked[variant["VariantName"]][field]
        if pending:
            summary["InstanceType"] = variant["InstanceType"]
        if status is not None:
            summary["VariantStatus"] = [{"Status": status, "StartTime": since}]
        shown.append(summary)
    return shown


def pending_summary(deployed: Record) -> dict[str, Any]:
    """Return the PendingDeploymentSummary of a deployment that is not serving alone yet."""
    status = deployed.get("Stage", "Creating")
    summary = {
        "EndpointConfigName": deployed["Config"]["EndpointConfigName"],
        "StartTime": deployed["StartTime"],
        "ProductionVariants": summaries(deployed, shadow=False, status=status, pending=True),
    }
    shadows = summaries(deployed, shadow=True, status=status, pending=True)
    return summary | ({"ShadowProductionVariants": shadows} if shadows else {})


def capture_summary(config: Record) -> dict[str, Any] | None:
    """Return DescribeEndpoint's DataCaptureConfig, or None when the config has none."""
    capture = config.get("DataCaptureConfig")
    if capture is None:
        return None
    enabled = capture.get("EnableCapture", True)
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
        "DestinationS3Uri": capture["DestinationS3Uri"],
        "KmsKeyId": capture.get("KmsKeyId", ""),
    }


def change(deployed: Record, wanted: Iterable[Mapping[str, Any]]) -> None:
    """Set the desired weights and counts of UpdateEndpointWeightsAndCapacities; shadows may be among them.

    Raises ValidationException for a variant that does not exist, a serverless change, or no instance at all.
    """
    known = {variant["VariantName"]: variant for variant in deployed["Variants"]}
    changes = list(wanted)
    for wish in changes:
        if wish["VariantName"] not in known:
            raise invalid(f"Variant {wish['VariantName']} is not one of the endpoint's: {', '.join(known)}.")
        if "ServerlessUpdateConfig" in wish:
            raise invalid(
                f"Variant {wish['VariantName']} is not serverless; it has no ServerlessUpdateConfig."
            )
        if wish.get("DesiredInstanceCount") == 0:
            raise invalid(f"Variant {wish['VariantName']} must keep at least one instance; 0 were desired.")
    for wish in changes:
        for field in ("DesiredWeight", "DesiredInstanceCount"):
            if field in wish:
                known[wish["VariantName"]][field] = wish[field]


def _capture_plan(capture: Mapping[str, Any] | None) -> CapturePlan | None:
    if capture is None or not capture.get("EnableCapture", True):
        return None
    modes = {option["CaptureMode"] for option in capture["CaptureOptions"]}
    types = capture.get("CaptureContentTypeHeader", {})
    return CapturePlan(
        destination=capture["DestinationS3Uri"],
        percentage=capture["InitialSamplingPercentage"],
        input=bool(modes & {"Input", "InputAndOutput"}),
        output=bool(modes & {"Output", "InputAndOutput"}),
        csv_types=tuple(types.get("CsvContentTypes", ())),
        json_types=tuple(types.get("JsonContentTypes", ())),
    )
