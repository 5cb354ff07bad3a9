"""Promotion after promotion: what the way back needs stays, what came before it goes, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.aws.clients import Clients
from include.ledger.lease import OwnerRun
from include.ledger.reader import Reader
from include.rollout.verdict import End
from include.steps.janitor import last_promotions, tidy
from include.steps.rollback import take_back
from tests.integration.rollouts.conftest import Drive, promote_now, resources, serves

Make = Callable[..., Drive]


def promoted(drive: Make, number: int) -> Drive:
    run = drive(candidate={"environment": {"CANDIDATE": str(number)}}, promotion={"override": True})
    run.begin()
    promote_now(run)
    run.watch()
    assert run.finish() is End.PROMOTED
    return run


def swept(run: Drive) -> list[str]:
    """Tidy as the janitor does."""
    assert run.rollout.id in {identity for identity, _ in last_promotions(Reader(run.rollout.store))}
    return tidy(run.rollout)


@pytest.mark.timeout(400)
def test_one_generation_is_kept_for_the_way_back_and_what_came_before_it_goes(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    first, second = promoted(drive, 1), promoted(drive, 2)
    left = resources(clients, first.rollout.id)
    assert len(left) == 2
    model = first.rollout.ledger.require("candidate")["model"]
    config = clients.sagemaker.describe_endpoint_config(
        EndpointConfigName=second.rollout.baseline.config_name
    )
    clients.sagemaker.create_endpoint_config(
        EndpointConfigName=f"{endpoint}-theirs", ProductionVariants=config["ProductionVariants"]
    )
    third = promoted(drive, 3)
    assert resources(clients, first.rollout.id) == [model]  # somebody's config names it
    assert len(resources(clients, second.rollout.id)) == len(resources(clients, third.rollout.id)) == 2
    assert resources(clients, f"{endpoint}-model") == [f"{endpoint}-model"]
    assert resources(clients, f"{endpoint}-config") == [f"{endpoint}-config"]
    clients.sagemaker.delete_endpoint_config(EndpointConfigName=f"{endpoint}-theirs")
    leases, now = third.rollout.leases, third.rollout.now()
    other = leases.acquire(
        endpoint,
        "bbbbbbbbbbbb",
        OwnerRun(dag_id="shadow_rollout", run_id="another", airflow="http://here"),
        now=now,
        until=now.replace(year=now.year + 1),
        owner_is_over=lambda lease: None,
    )
    assert swept(third) == []  # a rollout has the endpoint
    leases.release(other)
    assert swept(third) == [model]
    assert swept(third) == []
    assert leases.current(endpoint) is None
    take_back(third.rollout, who="Ada", why="a test", sleep=lambda _: None)
    assert serves(clients, endpoint) == (config_of(second), 0)
    assert swept(third) == resources_of(third)
    assert len(resources(clients, second.rollout.id)) == 2


def config_of(run: Drive) -> str:
    return str(run.rollout.ledger.require("promotion")["config"])


def resources_of(run: Drive) -> list[str]:
    return [config_of(run), str(run.rollout.ledger.require("promotion")["model"])]


def test_nothing_is_deleted_while_the_endpoint_serves_what_no_promotion_made(
    clients: Clients, endpoint: str, drive: Make
) -> None:
    run = promoted(drive, 1)
    take_back(run.rollout, who="Ada", why="a test", sleep=lambda _: None)
    assert swept(run) == []
    assert len(resources(clients, run.rollout.id)) == 2
