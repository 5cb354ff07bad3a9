"""Rollouts that create their endpoint: both strategies, every removal, and dying beside CreateEndpoint or DeleteEndpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from include.aws import endpoints
from include.aws.clients import Clients, connect
from include.ledger.reader import Reader
from include.report.headline import headline
from include.rollout.errors import DeploymentError, ForeignChangeError, RefusedError
from include.rollout.verdict import Conclusion, End
from include.steps.conclude import conclude
from include.steps.deploy import deploy_shadow
from include.steps.register import register
from include.steps.settle import settle
from tests.integration.rollouts.conftest import ROLE, Drive, document, promote_now, resources, serves, session


class Killed(BaseException):
    """The process died here."""


@pytest.fixture
def make(clients: Clients, source: str, drive: Callable[..., Drive]) -> Callable[..., Drive]:
    """Make a driver for a rollout that creates an endpoint of its own with an existing model."""
    clients.sagemaker.create_model(
        ModelName=(model := f"m-{uuid4().hex[:8]}"),
        ExecutionRoleArn=ROLE,
        PrimaryContainer={"Image": "penumbra/light:1"},
    )

    def new(*, create: dict[str, Any] | None = None, **changes: Any) -> Drive:
        asked = {"model": model, "instance_type": "ml.m5.large", **(create or {})}
        spec = document(f"n-{uuid4().hex[:8]}", source, promotion={"override": True}, **changes)
        spec["endpoint"]["create"] = asked
        return drive(spec)

    return new


def name_of(run: Drive) -> str:
    return str(run.spec["endpoint"]["name"])


def concluded(run: Drive, word: Conclusion) -> End:
    run.begin()
    assert len(serves_shadows(run)) == 1
    if word is Conclusion.PROMOTE:
        promote_now(run)
    else:
        conclude(run.rollout, word, who="Ada", why="a test")
    run.watch()
    return run.finish()


def serves_shadows(run: Drive) -> tuple[Any, ...]:
    state = endpoints.describe(run.clients, name_of(run))
    assert state is not None
    return state.shadow


@pytest.mark.parametrize("strategy", ["self_service", "managed"])
def test_a_candidate_that_is_not_wanted_leaves_the_new_endpoint_with_production_alone(
    clients: Clients, make: Callable[..., Drive], strategy: str
) -> None:
    run = make(strategy=strategy)
    assert concluded(run, Conclusion.REMOVE) is End.ROLLED_BACK
    config, shadows = serves(clients, name_of(run))
    assert (config, shadows) == (run.rollout.baseline.config_name, 0)
    assert resources(clients, run.rollout.id) == [config]
    described = clients.sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert described["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    for arn in (endpoint_arn(clients, run), described["EndpointConfigArn"]):
        assert endpoints.tags(clients, arn)["penumbra:expires"] == "never"
    assert run.rollout.leases.current(name_of(run)) is None


def endpoint_arn(clients: Clients, run: Drive) -> str:
    return str(clients.sagemaker.describe_endpoint(EndpointName=name_of(run))["EndpointArn"])


def test_a_promoted_candidate_serves_on_an_endpoint_that_is_removed_unless_promoted(
    clients: Clients, make: Callable[..., Drive]
) -> None:
    run = make(create={"remove": "unless_promoted"})
    assert concluded(run, Conclusion.PROMOTE) is End.PROMOTED
    candidate = run.rollout.ledger.require("candidate")["model"]
    config, _ = serves(clients, name_of(run))
    served = endpoints.describe_config(clients, config)
    assert served is not None
    assert served["ProductionVariants"][0]["ModelName"] == candidate
    assert resources(clients, run.rollout.id) == sorted([config, candidate, run.rollout.baseline.config_name])


def test_an_endpoint_that_is_always_removed_goes_with_everything_that_was_made_for_it(
    clients: Clients, make: Callable[..., Drive]
) -> None:
    run = make(create={"remove": "always"})
    assert concluded(run, Conclusion.PROMOTE) is End.PROMOTED
    assert endpoints.describe(clients, name_of(run)) is None
    assert resources(clients, run.rollout.id) == []
    assert resources(clients, run.rollout.baseline.model_name) == [run.rollout.baseline.model_name]
    record = Reader(run.rollout.store).rollout(run.rollout.id)
    assert record is not None
    assert "which it had created, was removed" in headline(record).sentence


@pytest.mark.parametrize(
    ("event", "operation", "again"),
    [
        ("before-call", "CreateEndpoint", False),
        ("after-call", "CreateEndpoint", True),
        ("after-call", "CreateEndpoint", False),
        ("after-call", "DeleteEndpoint", False),
    ],
)
def test_dying_beside_a_call_leaves_no_endpoint_where_there_was_none(
    clients: Clients, cloud_url: str, make: Callable[..., Drive], event: str, operation: str, again: bool
) -> None:
    run = make(create={"remove": "always"})
    run.clients = dying(cloud_url, event, operation)
    with pytest.raises(Killed):
        begin_and_settle(run)
    run.clients = clients
    if again:  # its tasks go on; else it is settled as it is
        run.begin()
        assert len(serves_shadows(run)) == 1
    assert run.step(settle) is End.CRASHED
    assert endpoints.describe(clients, name_of(run)) is None
    assert resources(clients, run.rollout.id) == []
    assert run.rollout.leases.current(name_of(run)) is None


def begin_and_settle(run: Drive) -> None:
    run.begin()
    run.step(settle)


def dying(url: str, event: str, operation: str) -> Clients:
    """Give clients whose process dies once beside an operation."""
    own = session()

    def strike(**_: Any) -> None:
        raise Killed

    own.events.register(f"{event}.sagemaker.{operation}", strike)
    return connect(own, {"": url})


def test_an_endpoint_that_cannot_start_is_told_and_removed(
    clients: Clients, make: Callable[..., Drive], faults: Callable[..., None]
) -> None:
    faults(capacity=0, instance_type="ml.c5.4xlarge")
    run = make(create={"instance_type": "ml.c5.4xlarge"})
    with pytest.raises(DeploymentError, match="could not be created"):
        run.begin()
    assert run.step(settle) is End.CRASHED
    assert endpoints.describe(clients, name_of(run)) is None
    assert resources(clients, run.rollout.id) == []


def test_an_endpoint_that_somebody_else_created_meanwhile_is_theirs(
    clients: Clients, make: Callable[..., Drive]
) -> None:
    run = make(create={"remove": "always"})
    run.open()
    register(run.rollout)
    name = name_of(run)
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{name}-theirs",
        ProductionVariants=run.rollout.baseline.config["ProductionVariants"],
    )
    clients.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-theirs")
    clients.sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})
    with pytest.raises(ForeignChangeError, match="somebody else created"):
        run.step(deploy_shadow)
    assert run.step(settle) is End.FOREIGN_CHANGE
    assert serves(clients, name) == (f"{name}-theirs", 0)
    assert resources(clients, run.rollout.id) == []


def test_what_cannot_be_created_is_refused_before_anything_is_touched(
    clients: Clients, endpoint: str, make: Callable[..., Drive]
) -> None:
    taken, modelless = make(), make(create={"model": "nobody"})
    taken.spec["endpoint"]["name"] = endpoint
    for run, said in ((taken, "exists already"), (modelless, "model nobody does not exist")):
        with pytest.raises(RefusedError, match=said):
            run.open()
        assert run.rollout.ledger.require("outcome")["end"] == "REFUSED"
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
