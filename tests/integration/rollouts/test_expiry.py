"""Everything that a rollout creates says until when it may be needed; what was promoted stays for good."""

from __future__ import annotations

from collections.abc import Callable

from include.aws import endpoints
from include.aws.clients import Clients
from include.rollout.experiment import experiment_name
from include.rollout.names import moment
from include.rollout.verdict import End
from include.steps.settle import settle
from tests.integration.rollouts.conftest import Drive, promote_now

Make = Callable[..., Drive]


def expiries(clients: Clients, run: Drive) -> dict[str, str]:
    """Return the expiry of every config and model of the rollout, by name."""
    part = run.rollout.id
    found = {
        model["ModelName"]: model["ModelArn"]
        for model in clients.sagemaker.list_models(NameContains=part)["Models"]
    } | {
        config["EndpointConfigName"]: config["EndpointConfigArn"]
        for config in clients.sagemaker.list_endpoint_configs(NameContains=part)["EndpointConfigs"]
    }
    return {name: endpoints.tags(clients, arn)["penumbra:expires"] for name, arn in found.items()}


def metadata(clients: Clients, package: str) -> dict[str, str]:
    found = clients.sagemaker.describe_model_package(ModelPackageName=package)
    return dict(found["CustomerMetadataProperties"])


def test_what_was_created_expires_with_the_rollout_and_what_was_promoted_never(
    clients: Clients, drive: Make
) -> None:
    run = drive(promotion={"override": True})
    run.begin()
    made = expiries(clients, run)
    assert len(made) == 2
    package = run.rollout.ledger.require("candidate")["package"]
    made["package"] = metadata(clients, package)[
        "penumbra-expires"
    ]  # a version of a group has no tags of its own
    lease = run.rollout.lease()
    for said in made.values():
        assert abs((moment(said) - lease.expires).total_seconds()) < 60
    promote_now(run)
    run.watch()
    assert run.finish() is End.PROMOTED
    assert list(expiries(clients, run).values()) == ["never", "never"]
    assert metadata(clients, package)["penumbra-expires"] == "never"
    group = clients.sagemaker.describe_model_package_group(
        ModelPackageGroupName=run.rollout.baseline.endpoint
    )
    assert endpoints.tags(clients, group["ModelPackageGroupArn"])["penumbra:expires"] == "never"


def test_a_managed_test_expires_too(clients: Clients, drive: Make) -> None:
    run = drive(strategy="managed")
    run.begin()
    name = experiment_name(run.rollout.id, run.rollout.baseline)
    arn = clients.sagemaker.describe_inference_experiment(Name=name)["Arn"]
    assert moment(endpoints.tags(clients, arn)["penumbra:expires"]) > run.rollout.now()
    run.step(settle)
