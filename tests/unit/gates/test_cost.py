"""Cost is arithmetic: it passes and fails by prices that are known, and by nothing else."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from include.gates.reading import Reading
from include.gates.rules import assess
from include.gates.table import Table
from include.rollout.fleet import Fleet
from include.rollout.gate import Outcome
from include.rollout.operating import CostGate
from tests.unit.gates.operated import ALIKE, ONE, used

DEARER = {**ALIKE, "shadow": Fleet(instance_type="ml.m5.xlarge", count=1, usd_per_hour=0.23)}


def found(gate, fleets=ALIKE, *, reading=1, periods=6, **facts):
    return assess(gate, Table.of(used([1.0] * periods, fleets=fleets, **facts)), Reading(number=reading))


def test_a_candidate_of_the_same_price_passes_and_a_dearer_one_fails():
    assert found(CostGate(ratio=1)).outcome is Outcome.PASS
    finding = found(CostGate(ratio=1.5), DEARER)
    assert finding.outcome is Outcome.FAIL
    assert finding.effect == pytest.approx(2)
    assert "2.000x production's 0.115" in finding.reason


def test_a_million_requests_are_priced_at_the_rate_production_answers():
    """600 requests in 10 s are 216,000 an hour; at half of them copied it is still production's rate that counts."""
    price = 0.115 * 1e6 / 216_000
    for sampling in (1.0, 0.5):
        finding = found(CostGate(per_million=price * 1.01), sampling=sampling)
        assert finding.outcome is Outcome.PASS
        assert finding.effect == pytest.approx(price)
    assert found(CostGate(per_million=price * 0.99)).outcome is Outcome.FAIL
    assert found(CostGate(ratio=3, per_million=price), DEARER).outcome is Outcome.FAIL


def test_a_price_that_nobody_knows_is_no_data_and_says_where_to_give_it():
    unknown = {**ALIKE, "shadow": Fleet(instance_type="ml.new.large", count=1)}
    finding = found(CostGate(ratio=1), unknown)
    assert finding.outcome is Outcome.NO_DATA
    assert "ml.new.large is not known; give its USD per hour in budget.prices" in finding.reason
    assert found(CostGate(ratio=1), {}).outcome is Outcome.NO_DATA


def test_too_little_was_seen_for_a_rate():
    assert found(CostGate(ratio=1), periods=1).outcome is Outcome.INCONCLUSIVE
    assert found(CostGate(ratio=1), periods=0).outcome is Outcome.NO_DATA
    assert found(CostGate(ratio=1), reading=0).outcome is Outcome.INCONCLUSIVE
    assert found(CostGate(ratio=1), DEARER, reading=0).outcome is Outcome.INCONCLUSIVE


def test_all_instances_are_paid_for():
    two = {**ALIKE, "shadow": replace(ONE, count=2)}
    assert found(CostGate(ratio=3), two).effect == pytest.approx(2)


def test_a_gate_without_a_limit_is_refused():
    with pytest.raises(ValidationError, match="neither ratio nor per_million"):
        CostGate()
