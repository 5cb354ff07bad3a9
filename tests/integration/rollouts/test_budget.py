"""A shadow that costs more than it may: refused beforehand, or taken away when the money is spent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.aws.clients import Clients
from include.rollout.errors import PlanError
from include.rollout.verdict import End, Verdict
from tests.integration.rollouts.conftest import Drive, serves

Make = Callable[..., Drive]
WINDOW = {"length": 20, "maximum": 30}  # and 2 s of lag


@pytest.mark.parametrize(
    ("budget", "candidate", "said"),
    [
        ({"limit": 0.0001}, {}, "budget.limit is 0.0001 USD and the shadow costs about 0.00 USD"),
        ({"limit": 5}, {"instance_type": "ml.p4d.24xlarge"}, "the price of ml.p4d.24xlarge is not known"),
    ],
    ids=["too little", "no price"],
)
def test_a_budget_that_cannot_do_is_refused_before_anything_is_touched(
    clients: Clients,
    endpoint: str,
    drive: Make,
    budget: dict[str, float],
    candidate: dict[str, str],
    said: str,
) -> None:
    run = drive(budget=budget, candidate=candidate, window=WINDOW)
    with pytest.raises(PlanError, match=said):
        run.open()
    assert run.rollout.ledger.require("outcome")["end"] == "REFUSED"
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)


def test_the_window_closes_when_the_budget_is_spent(clients: Clients, endpoint: str, drive: Make) -> None:
    # The planned window is within the budget; too few requests make it inconclusive, and its extension is not.
    rules = [{"kind": "completeness"}, {"kind": "min_sample", "requests": 8000}]
    run = drive(
        budget={"limit": 30.0, "prices": {"ml.m5.large": 3600.0}},  # a dollar a second
        window={"length": 20, "maximum": 200},
        gates={"rules": rules},
    )
    run.begin()
    assert run.watch() is Verdict.INCONCLUSIVE
    assert run.finish() is End.INCONCLUSIVE
    ledger = run.rollout.ledger
    assert ledger.require("verdict")["closed"] == "budget"
    assert "the budget was spent" in ledger.require("outcome")["reason"]
    cost = ledger.require("cost")
    assert cost["usd"] >= 30.0
    assert cost["usd"] == pytest.approx(cost["hours"] * 3600.0, abs=0.5)
    assert serves(clients, endpoint) == (f"{endpoint}-config", 0)
    assert ledger.require("report.json")["objects"]["cost"]["usd"] == cost["usd"]
