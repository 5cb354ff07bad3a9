"""Endpoint configs: CreateEndpointConfig, DescribeEndpointConfig, ListEndpointConfigs, DeleteEndpointConfig."""

from collections.abc import Mapping
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.quota import Quota
from include.localcloud.sagemaker.container import exclusions
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.models import Models
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.wording import check_quota, exists, invalid, missing, unsupported
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

_FREQUENCIES = (10, 30, 60, 120, 180, 240, 300)  # seconds: the service model's documentation of MetricsConfig


class EndpointConfigs:
    """The endpoint configs: immutable; each names models that exist at its creation."""

    def __init__(self, table: Table, *, models: Models, tags: Tags, clock: Clock, quota: Quota) -> None:
        self._table = table
        self._models = models
        self._tags = tags
        self._clock = clock
        self._quota = quota

    def get(self, name: str) -> Record:
        """Return the config's record; raise ValidationException when there is none."""
        if name not in self._table:
            raise missing("endpoint configuration", _arn(name))
        return self._table[name]

    def __contains__(self, name: object) -> bool:
        return name in self._table

    async def CreateEndpointConfig(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"EndpointConfigArn": self.create(params)["EndpointConfigArn"]}

    def create(self, params: Mapping[str, Any]) -> Record:
        """Store a config and return its record; raise ValidationException for one that cannot be."""
        name = params["EndpointConfigName"]
        if name in self._table:
            raise exists("endpoint configuration", _arn(name))
        record = self.check(params)
        check_quota(self._quota, "endpoint-config", len(self._table))
        record["EndpointConfigArn"] = _arn(name)
        record["CreationTime"] = self._clock.now()
        self._tags.set(record["EndpointConfigArn"], params.get("Tags"))
        self._table[name] = record
        return record

    def check(self, params: Mapping[str, Any]) -> Record:
        """Return the config with its defaults, not stored; raise ValidationException for one that cannot be."""
        production = [_with_defaults(variant) for variant in params["ProductionVariants"]]
        shadows = [_with_defaults(variant) for variant in params.get("ShadowProductionVariants", ())]
        self._check_variants(production, shadows)
        _check_whole(params, shadowed=bool(shadows))
        record: Record = {key: value for key, value in params.items() if key != "Tags"}
        record["ProductionVariants"] = production
        if shadows:
            record["ShadowProductionVariants"] = shadows
        else:
            record.pop("ShadowProductionVariants", None)
        return record

    async def DescribeEndpointConfig(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"EnableNetworkIsolation": False} | self.get(params["EndpointConfigName"])

    async def ListEndpointConfigs(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return page(
            self._table.values(),
            params,
            name="EndpointConfigName",
            key="EndpointConfigs",
            summary=lambda record: {field: record[field] for field in fields},
        )

    async def DeleteEndpointConfig(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["EndpointConfigName"])  # in use or not: AWS only advises against it
        del self._table[params["EndpointConfigName"]]
        self._tags.drop(record["EndpointConfigArn"])
        return {}

    def _check_variants(self, production: list[dict[str, Any]], shadows: list[dict[str, Any]]) -> None:
        variants = production + shadows
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) != len(names):
            raise invalid(f"Variant names must be unique within an endpoint configuration; found {names}.")
        if shadows and (len(production), len(shadows)) != (1, 1):
            raise invalid(
                f"An endpoint configuration with ShadowProductionVariants has exactly one production and one "
                f"shadow variant; found {len(production)} and {len(shadows)}."
            )
        for variant in variants:
            excluded = list(_excluded(variant))
            if "ModelName" in variant:
                excluded += exclusions(self._models.get(variant["ModelName"]))
            if excluded and shadows:
                raise invalid(
                    f"Variant {variant['VariantName']} uses {excluded[0]}; endpoints with shadow variants do not "
                    f"support that."
                )
            if excluded:
                raise unsupported(f"{excluded[0]} (variant {variant['VariantName']})")
            for field in ("InstanceType", "InitialInstanceCount"):
                if field not in variant:
                    raise invalid(f"Variant {variant['VariantName']} has no {field}; it needs one.")
            if shadows and variant["InstanceType"].startswith("ml.inf1"):
                raise invalid(
                    f"Variant {variant['VariantName']} uses {variant['InstanceType']}; endpoints with shadow "
                    f"variants do not support Inf1 instances."
                )


def _arn(name: str) -> str:
    return arn("sagemaker", f"endpoint-config/{name.lower()}")


def _with_defaults(variant: Mapping[str, Any]) -> dict[str, Any]:
    return {"InitialVariantWeight": 1.0} | dict(variant)


def _excluded(variant: Mapping[str, Any]) -> list[str]:
    """Return what shadow tests exclude (developer guide, "shadow tests: exclusions") and we cannot run."""
    found = []
    if "ServerlessConfig" in variant:
        found.append("serverless inference")
    if "AcceleratorType" in variant:
        found.append("Elastic Inference")
    if "ModelName" not in variant:
        found.append("inference components (a variant without ModelName)")
    if "InstancePools" in variant:
        found.append("instance pools")
    return found


def _check_whole(params: Mapping[str, Any], *, shadowed: bool) -> None:
    for field, what in (
        ("AsyncInferenceConfig", "asynchronous inference"),
        ("ExplainerConfig", "explainers"),
    ):
        if field in params:
            if shadowed:
                raise invalid(f"Endpoints with shadow variants do not support {what}.")
            raise unsupported(what)
    frequency = params.get("MetricsConfig", {}).get("MetricPublishFrequencyInSeconds", 60)
    if frequency not in _FREQUENCIES:
        allowed = ", ".join(map(str, _FREQUENCIES))
        raise invalid(f"MetricPublishFrequencyInSeconds is {frequency}; it must be one of {allowed}.")
    capture = params.get("DataCaptureConfig")
    if capture and not capture["DestinationS3Uri"].startswith("s3://"):
        raise unsupported(f"the capture destination {capture['DestinationS3Uri']}; use an s3:// URL")
