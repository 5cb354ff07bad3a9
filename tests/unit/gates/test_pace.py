"""Latency evidence from pairs whose containers report their own time."""

import dataclasses

import numpy as np
import pytest

from include.gates.judge import judge
from include.gates.latency import latency_curve
from include.gates.look import look
from include.gates.pace import paced
from include.gates.table import Table
from include.rollout.evidence import Evidence
from include.rollout.gate import LatencyGate, Outcome
from include.rollout.moments import Moments
from include.rollout.pairs import Pairs
from include.stats.calibration import PRIOR
from tests.soak.world.endpoint import World, until, windows
from tests.soak.world.trial import POLICY

WORLD = World(periods=20, cold=0.0, tail=1.25, timed=True)
P99 = LatencyGate(quantile="p99")


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return next(windows(WORLD, seed=81, runs=1))


def changed(evidence: Evidence, **facts: object) -> Table:
    assert evidence.pairs is not None
    return Table.of(dataclasses.replace(evidence, pairs=dataclasses.replace(evidence.pairs, **facts)))


@pytest.mark.parametrize(("quantile", "share"), [("p50", 1.0), ("p90", 0.5), ("p99", 0.05), ("p99.9", 0.005)])
def test_a_percentile_is_held_against_the_slow_pairs_that_make_it(evidence, quantile, share):
    found = paced(LatencyGate(quantile=quantile), Table.of(evidence))
    assert found is not None
    assert found.share == pytest.approx(share)
    everything = evidence.pairs.all.n
    assert share * everything <= found.n.sum() <= min(1.0, 2 * share) * everything


def test_a_stretched_tail_shows_in_the_slowest_pairs_and_not_in_all(evidence):
    found = {q: paced(LatencyGate(quantile=q), Table.of(evidence)).log_e(PRIOR)[-1] for q in ("p50", "p99")}
    assert found["p99"] > 5
    assert found["p50"] < 0


def test_the_finding_says_what_the_containers_themselves_report(evidence):
    found = look(evidence, POLICY)
    assert found.aborts
    early = until(evidence, found.crossed_after)
    findings = {f.gate: f for f in judge(early, POLICY, reading=1, aborting=True).findings}
    failed = findings["latency:p99"]
    assert failed.outcome is Outcome.FAIL
    assert "by the containers' own times the shadow took more than 1.100x production's in" in failed.reason
    assert "the slowest 5 % of each period" in failed.reason
    paired = failed.details["paired"]
    assert paired["slower"] > 0.55 * paired["pairs"]
    assert paired["unused_because"] == []


def test_without_times_or_against_another_margin_the_evidence_is_that_of_the_metrics(evidence):
    alone = latency_curve(P99, Table.of(dataclasses.replace(evidence, pairs=None)), PRIOR)
    assert latency_curve(P99, changed(evidence, paces={}), PRIOR).tolist() == alone.tolist()
    other = LatencyGate(quantile="p99", margin=0.2)
    assert paced(other, Table.of(evidence)) is None


@pytest.mark.parametrize("lost", ["times", "pairs"])
def test_pairs_of_which_too_many_are_missing_are_no_evidence(evidence, lost):
    pairs: Pairs = evidence.pairs
    n = round(0.97 * pairs.all.n)
    few = dataclasses.replace(pairs.shadow, matched=n, unmatched=pairs.all.n - n)
    table = changed(evidence, **({"latency": Moments(n=n)} if lost == "times" else {"shadow": few}))
    found = paced(P99, table)
    assert found.problems
    assert found.details["unused_because"]
    assert found.log_e(PRIOR).tolist() == [0.0] * len(table)


def test_inputs_that_repeat_are_worth_less(evidence):
    once = paced(P99, Table.of(evidence)).log_e(PRIOR)[-1]
    often = paced(P99, changed(evidence, inputs_squared=3 * evidence.pairs.all.n)).log_e(PRIOR)[-1]
    assert 0 < often < once


def test_periods_without_pairs_change_nothing(evidence):
    pairs: Pairs = evidence.pairs
    starts = sorted(pairs.paces[0.1].periods)
    kept = {start: pairs.paces[0.1].periods[start] for start in starts if start != starts[5]}
    table = changed(evidence, paces={0.1: dataclasses.replace(pairs.paces[0.1], periods=kept)})
    steps = np.diff(paced(P99, table).log_e(PRIOR))
    assert steps[4] == 0
    assert np.isfinite(steps).all()


def test_what_a_look_saw_never_changes_when_pairs_are_added(evidence):
    whole = look(evidence, POLICY)
    for periods in (1, 7, 19):
        assert look(until(evidence, periods), POLICY).curve == pytest.approx(whole.curve[:periods], abs=1e-9)
