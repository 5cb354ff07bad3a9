"""Endpoints: Create, Update, UpdateWeightsAndCapacities, Describe, List and Delete."""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from include.localcloud.clock import Clock
from include.localcloud.quota import Quota
from include.localcloud.sagemaker import deployment
from include.localcloud.sagemaker.capacity import desired
from include.localcloud.sagemaker.endpoint_configs import EndpointConfigs
from include.localcloud.sagemaker.guardrail import Guardrail, check_names, guardrail
from include.localcloud.sagemaker.listing import page
from include.localcloud.sagemaker.models import Models
from include.localcloud.sagemaker.tags import Tags
from include.localcloud.sagemaker.transitions import Transitions
from include.localcloud.sagemaker.wording import check_quota, exists, in_progress, invalid, missing
from include.localcloud.scope import arn
from include.localcloud.state import Record, Table

_FINAL = ("InService", "OutOfService", "UpdateRollbackFailed")


class Endpoints:
    """The endpoints' operations: check, note what is wanted, hand over to the transitions."""

    def __init__(
        self,
        table: Table,
        *,
        configs: EndpointConfigs,
        models: Models,
        transitions: Transitions,
        tags: Tags,
        clock: Clock,
        quota: Quota,
    ) -> None:
        self._table = table
        self._configs = configs
        self._models = models
        self._transitions = transitions
        self._tags = tags
        self._clock = clock
        self._quota = quota
        # the experiment that has the endpoint to itself
        self.holder: Callable[[str], str | None] = lambda endpoint: None
        # whether automatic scaling has the variant (endpoint, variant) as a target
        self.is_scaled: Callable[[str, str], bool] = lambda endpoint, variant: False

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def get(self, name: str) -> Record:
        """Return the endpoint's record; raise ValidationException when there is none."""
        if name not in self._table:
            raise missing("endpoint", _arn(name))
        return self._table[name]

    async def CreateEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name, kept = params["EndpointName"], {}
        if "DeploymentConfig" in params:
            kept["LastDeploymentConfig"] = params["DeploymentConfig"]  # kept for updates, not for creation
        record = self._create(name, params["EndpointConfigName"], **kept)
        self._tags.set(record["EndpointArn"], params.get("Tags"))
        return {"EndpointArn": record["EndpointArn"]}

    async def UpdateEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["EndpointName"]
        record = self._changeable(name)
        self._check_free(name)
        pending = self._deployment(params["EndpointConfigName"])
        policy = params.get("DeploymentConfig")
        if params.get("RetainDeploymentConfig"):
            policy = record.get("LastDeploymentConfig")
        if policy is not None:
            pending["DeploymentConfig"] = policy
        excluded = [
            item["VariantPropertyType"] for item in params.get("ExcludeRetainedVariantProperties", ())
        ]
        if params.get("RetainAllVariantProperties"):
            deployment.retain(pending, record["Serving"], excluded)
        elif excluded:
            raise invalid("ExcludeRetainedVariantProperties needs RetainAllVariantProperties to be true.")
        plan = guardrail(policy, pending)
        check_names(plan, record["Serving"], pending)
        self._check_scaled(name, record["Serving"], pending)
        self._check_instances(pending, plan)
        if policy is not None:
            record["LastDeploymentConfig"] = policy
        self._replace(record, pending)
        return {"EndpointArn": record["EndpointArn"]}

    async def UpdateEndpointWeightsAndCapacities(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self._change(params["EndpointName"], params["DesiredWeightsAndCapacities"])
        return {"EndpointArn": record["EndpointArn"]}

    async def DescribeEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        record = self.get(params["EndpointName"])
        shown: dict[str, Any] = {
            field: record[field]
            for field in (
                "EndpointName",
                "EndpointArn",
                "EndpointConfigName",
                "EndpointStatus",
                "FailureReason",
                "CreationTime",
                "LastModifiedTime",
                "LastDeploymentConfig",
            )
            if field in record
        }
        serving, pending = record.get("Serving"), record.get("Pending")
        if serving is not None:
            resizing = record["EndpointStatus"] in {"Updating", "RollingBack"} and pending is None
            status = "Updating" if resizing else None
            shown["ProductionVariants"] = deployment.summaries(
                serving, shadow=False, status=status, pending=False
            )
            shadows = deployment.summaries(serving, shadow=True, status=status, pending=False)
            if shadows:
                shown["ShadowProductionVariants"] = shadows
            shown["DataCaptureConfig"] = deployment.capture_summary(serving["Config"])
            shown["MetricsConfig"] = serving["Config"].get("MetricsConfig")
        if pending is not None:
            shown["PendingDeploymentSummary"] = deployment.pending_summary(pending)
        return shown

    async def ListEndpoints(self, params: dict[str, Any]) -> dict[str, Any]:
        fields = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        status = params.get("StatusEquals")
        return page(
            (record for record in self._table.values() if status in {None, record["EndpointStatus"]}),
            params,
            name="EndpointName",
            key="Endpoints",
            summary=lambda record: {field: record[field] for field in fields},
        )

    async def DeleteEndpoint(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["EndpointName"]
        record = self.get(name)
        if record["EndpointStatus"] not in (*_FINAL, "Failed"):
            raise in_progress(record["EndpointArn"])
        self._check_free(name)
        record["EndpointStatus"] = "Deleting"
        self._table[name] = record
        self._transitions.delete(name)
        return {}

    def maintain(self, name: str, seconds: float) -> None:
        """Put the endpoint through a maintenance; raise ValueError, in a sentence, if it is not InService."""
        status = self._table[name]["EndpointStatus"] if name in self._table else "not there"
        if status != "InService":
            raise ValueError(f"the endpoint {name} is {status}; a maintenance needs one that is InService")
        record = self._table[name]
        record["EndpointStatus"] = "SystemUpdating"
        self._table[name] = record
        self._transitions.maintain(name, seconds)

    # what automatic scaling does with variants

    def capacity(self, endpoint: str, variant: str) -> int | None:
        """Return how many instances the variant shall have, None if it does not exist or does not serve yet."""
        if endpoint not in self._table or "Serving" not in self._table[endpoint]:
            return None
        return self.desired_counts(endpoint).get(variant)

    def is_changeable(self, endpoint: str) -> bool:
        """Tell whether the endpoint is changing nothing now."""
        return self.get(endpoint)["EndpointStatus"] in _FINAL

    async def scale(self, endpoint: str, variant: str, count: int) -> str | None:
        """Return when the variant has so many instances, or why it has not."""
        self._change(endpoint, [{"VariantName": variant, "DesiredInstanceCount": count}])
        await self._transitions.rest(endpoint)
        reason: str | None = self.get(endpoint).get("FailureReason")
        return reason

    # what an inference experiment does with its endpoint

    async def rest(self, name: str) -> None:
        """Return when the endpoint is changing no more."""
        await self._transitions.rest(name)

    def base(self, name: str) -> Record:
        """Return the config that the endpoint serves when no experiment is on it."""
        record = self.get(name)
        config: Record = (record.get("Former") or record["Serving"])["Config"]
        return config

    def desired_counts(self, name: str) -> dict[str, int]:
        """Return how many instances each of the endpoint's variants shall have."""
        variants = self.get(name)["Serving"]["Variants"]
        return {variant["VariantName"]: variant["DesiredInstanceCount"] for variant in variants}

    def weight(self, name: str, variant: str) -> float | None:
        """Return the weight that the variant shall have, None if the endpoint does not serve it."""
        variants = self.get(name)["Serving"]["Variants"]
        return next((each["DesiredWeight"] for each in variants if each["VariantName"] == variant), None)

    def launch(self, name: str, config: str) -> None:
        """Create the endpoint with this config; nothing is kept of a state before."""
        self._create(name, config)

    def lend(self, name: str, config: str) -> None:
        """Bring the endpoint to this config and keep the whole of its present state, to be given back."""
        record = self._changeable(name)
        pending = self._deployment(config)
        self._check_instances(pending)
        record["Former"] = copy.deepcopy(record["Serving"])
        self._replace(record, pending)

    def is_lent(self, name: str) -> bool:
        """Tell whether a state from before an experiment is kept."""
        return "Former" in self.get(name)

    def give_back(self, name: str) -> str:
        """Bring the endpoint back to the state in which it was lent; return its config's name."""
        record = self._changeable(name)
        config: str = record["Former"]["Config"]["EndpointConfigName"]
        if record["EndpointConfigName"] != config:
            former = copy.deepcopy(record["Former"])
            former.pop("DeploymentConfig", None)
            former["StartTime"] = self._clock.now()
            self._replace(record, former)
        return config

    def deploy(self, name: str, config: str) -> None:
        """Bring the endpoint to this config, all at once."""
        record, pending = self._changeable(name), self._deployment(config)
        self._check_instances(pending)
        self._replace(record, pending)

    def reweigh(self, name: str, variant: str, weight: float) -> None:
        """Give a variant another weight."""
        self._change(name, [{"VariantName": variant, "DesiredWeight": weight}])

    def release(self, name: str) -> None:
        """Forget the state from before the experiment."""
        record = self.get(name)
        if record.pop("Former", None) is not None:
            self._table[name] = record

    def _create(self, name: str, config: str, **more: Any) -> Record:
        if name.lower() in {known.lower() for known in self._table}:  # unique whatever the case
            raise exists("endpoint", _arn(name))
        pending = self._deployment(config)
        check_quota(self._quota, "endpoint", len(self._table))
        self._check_instances(pending)
        now = self._clock.now()
        record: Record = {
            "EndpointName": name,
            "EndpointArn": _arn(name),
            "EndpointConfigName": config,
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "Pending": pending,
        } | more
        self._table[name] = record
        self._transitions.create(name)
        return record

    def _change(self, name: str, wanted: Iterable[Mapping[str, Any]]) -> Record:
        record = self._changeable(name)
        changed = copy.deepcopy(record["Serving"])
        deployment.change(changed, wanted)
        self._check_more(_instances(changed) - _instances(record["Serving"]))
        record["Serving"] = changed
        self._begin(record)
        self._transitions.resize(name)
        return record

    def _replace(self, record: Record, pending: Record) -> None:
        record["Pending"] = pending
        self._begin(record)
        self._transitions.update(record["EndpointName"])

    def _check_instances(self, pending: Record, plan: Guardrail | None = None) -> None:
        """Raise ResourceLimitExceeded unless the deployment fits into the quotas, beside what serves.

        A rolling update never has more than its batch beside what serves.
        """
        wanted = _instances(pending)
        if plan is not None and plan.batch:
            wanted = Counter(dict.fromkeys(wanted, plan.batch))
        self._check_more(wanted)

    def _check_more(self, wanted: Counter[str]) -> None:
        for kind, more in wanted.items():
            check_quota(self._quota, kind, desired(self._table, kind), more)

    def _check_scaled(self, name: str, old: Record, new: Record) -> None:
        """Raise, in SageMaker's words, if a scalable target would go or change its instance type."""
        types = {variant["VariantName"]: variant["InstanceType"] for variant in new["Variants"]}
        lost = [
            variant["VariantName"]
            for variant in old["Variants"]
            if types.get(variant["VariantName"]) != variant["InstanceType"]
            and self.is_scaled(name, variant["VariantName"])
        ]
        if lost:
            listed = ", ".join(lost)
            raise invalid(
                f'The variant(s) "[{listed}]" must be deregistered as scalable targets with AWS Auto Scaling before '
                "they can be removed or have their instance type updated."
            )

    def _check_free(self, name: str) -> None:
        holder = self.holder(name)
        if holder is not None:
            raise invalid(
                f"The endpoint {name} is in use by the inference experiment {holder}; stop that one first."
            )

    def _changeable(self, name: str) -> Record:
        record = self.get(name)
        if record["EndpointStatus"] == "Failed":
            raise invalid(f'Cannot update failed endpoint "{record["EndpointArn"]}"; it can only be deleted.')
        if record["EndpointStatus"] not in _FINAL:
            raise in_progress(record["EndpointArn"])
        return record

    def _deployment(self, config_name: str) -> Record:
        config = self._configs.get(config_name)
        variants = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", ())]
        models = {variant["ModelName"]: self._models.get(variant["ModelName"]) for variant in variants}
        return deployment.deployment(config, models, self._clock.now())

    def _begin(self, record: Record) -> None:
        record["EndpointStatus"] = "Updating"
        record["LastModifiedTime"] = self._clock.now()
        record.pop("FailureReason", None)
        self._table[record["EndpointName"]] = record


def _instances(deployed: Record) -> Counter[str]:
    counts: Counter[str] = Counter()
    for variant in deployed["Variants"]:
        counts[variant["InstanceType"]] += variant["DesiredInstanceCount"]
    return counts


def _arn(name: str) -> str:
    return arn("sagemaker", f"endpoint/{name.lower()}")
