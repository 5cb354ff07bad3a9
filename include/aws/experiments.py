"""Inference experiments, which SageMaker calls managed shadow tests: described, made sure of, edited, stopped."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from include.aws.clients import Clients, service_time
from include.aws.endpoints import tag_list
from include.aws.faults import already_exists, calling, code_of, is_missing, is_transient


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What DescribeInferenceExperiment said."""

    name: str
    status: str
    reason: str | None
    created: datetime
    completed: datetime | None
    start: datetime
    end: datetime  # by its schedule, to the second
    mode: Mapping[str, Any]  # the ShadowModeConfig
    seen: datetime  # when SageMaker said all this

    @property
    def sampling(self) -> float:
        """Return the share of the requests that is copied to the shadow; a test copies whole per cents."""
        return int(self.mode["ShadowModelVariants"][0]["SamplingPercentage"]) / 100

    @property
    def is_over(self) -> bool:
        """Say whether it has ended; a failed one is Cancelled, for there is no status Failed."""
        return self.status in {"Completed", "Cancelled"}

    @property
    def is_ending(self) -> bool:
        """Say whether it has ended or is being stopped."""
        return self.is_over or self.status == "Stopping"


def describe(clients: Clients, name: str) -> Experiment | None:
    """Return the experiment, or None when there is none of that name."""
    with calling(f"Describing inference experiment {name}"):
        try:
            answer = clients.sagemaker.describe_inference_experiment(Name=name)
        except ClientError as error:
            if is_missing(error):
                return None
            raise
    return Experiment(
        name=name,
        status=answer["Status"],
        reason=answer.get("StatusReason"),
        created=answer["CreationTime"],
        completed=answer.get("CompletionTime"),
        start=_moment(answer["Schedule"]["StartTime"]),
        end=_moment(answer["Schedule"]["EndTime"]),
        mode=answer["ShadowModeConfig"],
        seen=service_time(answer),
    )


def _moment(told: datetime) -> datetime:
    return told.astimezone(UTC).replace(microsecond=0)


def ensure(clients: Clients, arguments: Mapping[str, Any], tags: Mapping[str, str]) -> None:
    """Ask for the experiment; one of that name is ours, since names derive from the rollout.

    Where AWS is throttling or erring it may not exist yet: whoever looks and finds none asks again.
    """
    name = arguments["Name"]
    with calling(f"Creating inference experiment {name}"):
        try:
            clients.sagemaker_once.create_inference_experiment(**arguments, Tags=tag_list(tags))
        except ClientError as error:
            # The same code is answered when another experiment has the endpoint.
            if not (already_exists(error) and name in str(error)) and not is_transient(error):
                raise


def update(clients: Clients, experiment: Experiment, *, sampling: float, end: datetime) -> None:
    """Ask for another share of copies and another end; while it runs SageMaker changes nothing else.

    Only what differs from what was described is sent. Where the experiment is being changed, or AWS is throttling or
    erring, it may not have heard: whoever finds it as it was asks again.
    """
    arguments: dict[str, Any] = {}
    if sampling != experiment.sampling:
        (shadow,) = experiment.mode["ShadowModelVariants"]
        copied = {**shadow, "SamplingPercentage": round(100 * sampling)}
        arguments["ShadowModeConfig"] = {**experiment.mode, "ShadowModelVariants": [copied]}
    if end != experiment.end:
        arguments["Schedule"] = {"EndTime": end}
    with calling(f"Editing inference experiment {experiment.name}"):
        try:
            clients.sagemaker_once.update_inference_experiment(Name=experiment.name, **arguments)
        except ClientError as error:
            if code_of(error) != "ConflictException" and not is_transient(error):
                raise


def stop(clients: Clients, arguments: Mapping[str, Any]) -> None:
    """Ask for the end. One that is starting, being changed or stopping is left to go on.

    Where AWS is throttling or erring it may not have heard: whoever finds it running asks again.
    """
    with calling(f"Stopping inference experiment {arguments['Name']}"):
        try:
            clients.sagemaker_once.stop_inference_experiment(**arguments)
        except ClientError as error:
            if code_of(error) != "ConflictException" and not is_transient(error):
                raise


def has_generated(
    clients: Clients,
    experiment: Experiment,
    config: str,
    *,
    variant: str,
    model: str,
    shadows: Collection[str],
) -> bool:
    """Say whether the endpoint config is one that the experiment made for its endpoint.

    SageMaker does not say which configs it generates, so they are known by their content and their time: made while
    the experiment was under way, with `model` as the one production `variant` and nothing but `shadows` beside it.
    """
    with calling(f"Describing endpoint config {config}"):
        try:
            found = clients.sagemaker.describe_endpoint_config(EndpointConfigName=config)
        except ClientError as error:
            if is_missing(error):
                return False
            raise
    made = found["CreationTime"]
    production = [(each["VariantName"], each.get("ModelName")) for each in found["ProductionVariants"]]
    beside = {each.get("ModelName") for each in found.get("ShadowProductionVariants", ())}
    return (
        experiment.created <= made
        and (experiment.completed is None or made <= experiment.completed)
        and production == [(variant, model)]
        and beside <= set(shadows)
    )
