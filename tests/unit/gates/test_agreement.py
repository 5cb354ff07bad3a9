"""Agreement passes on evidence, fails on evidence, and is silent about everything else."""

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.gates.agreement import agreement, agreement_curve
from include.gates.judge import judge
from include.gates.look import look_at
from include.gates.reading import Reading
from include.gates.rules import assess
from include.rollout.columns import Column, Columns, Label
from include.rollout.evidence import Evidence, Resampling
from include.rollout.gate import AgreementGate, CompletenessGate, GatePolicy, Outcome
from include.rollout.moments import Moments
from include.rollout.pairs import MOST_SEGMENTS, Pairs, Records, Tally
from include.rollout.sketch import Sketch
from include.rollout.verdict import Verdict
from tests.unit.gates.conftest import BEGIN
from tests.unit.gates.paired import PERIOD, counted, table_of

GATE = AgreementGate()
POLICY = GatePolicy(rules=(CompletenessGate(), GATE))


def found(pairs, gate=GATE, *, reading=1, **facts):
    """Judge as the judge does: the running evidence first, then the reading."""
    table = table_of(pairs, periods=max(1, len(pairs.periods)) if pairs is not None else 3, **facts)
    seen = look_at(table, GatePolicy(rules=(CompletenessGate(), gate)), readings=True)
    return assess(
        gate, table, Reading(number=reading, contradictions=seen.contradictions, log_es=seen.log_es)
    )


def test_few_flips_of_many_pairs_pass():
    finding = found(counted([1] * 5, [1000] * 5))
    assert finding.outcome is Outcome.PASS
    assert finding.reason.startswith("5 of 5,000 pairs disagree (0.1 %)")
    assert finding.effect < finding.high < GATE.limit


def test_few_pairs_show_nothing():
    finding = found(counted([0], [100]))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "cannot be excluded" in finding.reason


def test_a_candidate_that_answers_differently_fails_with_the_evidence_told():
    finding = found(counted([100] * 5, [200] * 5))
    assert finding.outcome is Outcome.FAIL
    assert "the evidence against that limit" in finding.reason
    assert finding.details["crossed_after"] == 1


def test_more_flips_than_the_limit_without_enough_evidence_neither_pass_nor_fail():
    assert found(counted([3], [200])).outcome is Outcome.INCONCLUSIVE


def test_a_regression_hidden_in_one_segment_fails():
    """0.8 % of all pairs disagree, within the limit; they are half of one segment's."""
    pairs = counted([80], [10_000], segments={"size": {"xl": (160, 80), "s": (9840, 0)}})
    assert found(counted([80], [10_000])).outcome is not Outcome.FAIL
    finding = found(pairs)
    assert finding.outcome is Outcome.FAIL
    assert "size xl: 80 of 160 disagree" in finding.reason
    assert finding.details["segments"][0]["value"] == "xl"


def test_a_suspect_segment_does_not_pass_even_before_the_evidence_suffices():
    pairs = counted([6], [20_000], segments={"size": {"xl": (60, 6), "s": (19_940, 0)}})
    finding = found(pairs)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "size xl: 6 of 60 disagree, more than can be chance" in finding.reason


def test_a_segment_that_was_not_told_apart_does_not_pass():
    finding = found(counted([0], [10_000], scattered=frozenset({"customer"})))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "segment customer has more than 64 values" in finding.reason


def test_inputs_that_repeat_count_as_few():
    pairs = counted([0], [4000], repetition=40)
    finding = found(pairs)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "inputs repeat, so they are worth 100" in finding.reason


def test_an_answer_that_never_changes_shows_nothing():
    finding = found(counted([0], [10_000], answers=(7, 7)))
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "the same answer to every request" in finding.reason


def test_production_s_own_flips_come_on_top_of_the_limit():
    """A model that answers at random 3 % of the time would never agree to 1 %; against itself it does not either."""
    pairs = counted([300] * 2, [10_000] * 2)
    assert found(pairs).outcome is Outcome.FAIL
    noisy = AgreementGate(noise_flips=600, noise_pairs=20_000)
    assert found(pairs, noisy).outcome is Outcome.PASS
    assert found(counted([900] * 2, [10_000] * 2), noisy).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("production", "shadow", "words"),
    [
        (
            Records(read=10_000, matched=9000, unmatched=1000),
            Records(read=9000, matched=9000),
            "9,000 of production's 10,000 requests have a partner",
        ),
        (
            Records(read=9000, matched=9000),
            Records(read=10_000, matched=9000, late=1000),
            "9,000 of the shadow's 10,000 answers have a partner",
        ),
        (
            Records(read=10_000, malformed=500, matched=9000),
            Records(read=9000, matched=9000),
            "500 of 10,000 records of production are malformed",
        ),
        (
            Records(read=10_000, unmatched=1000, matched=9000, named=10_000),
            Records(read=9000, matched=9000),
            "set pairs.join to input",
        ),
    ],
)
def test_pairs_that_are_not_the_window_s_requests_show_nothing_even_of_flips(production, shadow, words):
    for flips in (0, 5000):
        pairs = counted([flips], [9000], production=production, shadow=shadow)
        finding = found(pairs)
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert words in finding.reason


def test_captures_that_are_not_delivered_yet_are_missed_by_cloudwatch_s_count():
    finding = found(counted([0], [9000]), invocations=10_000)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "captures hold 9,000 of the 10,000 requests" in finding.reason


def test_requests_that_failed_need_not_be_captured():
    """Callers that send what no model takes are refused by both variants; captures may leave them out."""
    pairs = counted([0], [9000])
    table = table_of(pairs, invocations=10_000)
    assert agreement(GATE, table, Reading(number=1)).outcome is Outcome.INCONCLUSIVE
    refused = {f"{v}_error_Invocation4XXErrors": np.array([1000.0]) for v in ("production", "shadow")}
    told = replace(table, columns={**table.columns, **refused})
    assert agreement(GATE, told, Reading(number=1)).outcome is Outcome.PASS


def test_a_sample_has_the_partners_that_were_copied():
    records = {"production": Records(read=20_000, matched=10_000, unmatched=10_000)}
    assert found(counted([0], [10_000], **records), sampling=0.5).outcome is Outcome.PASS
    assert found(counted([0], [10_000], **records), sampling=1.0).outcome is Outcome.INCONCLUSIVE


def test_partners_are_expected_at_the_shares_that_were_in_force():
    records = {"production": Records(read=20_000, matched=15_000, unmatched=5_000)}
    pairs = counted([0], [15_000], **records)
    table = table_of(pairs, periods=4)
    assert agreement(GATE, table, Reading(number=1)).outcome is Outcome.INCONCLUSIVE
    half = BEGIN + timedelta(seconds=2 * PERIOD)
    shadow = np.array([5000.0, 5000.0, 2500.0, 2500.0])
    told = replace(
        table,
        columns={**table.columns, "shadow_invocations": shadow},
        resamplings=(Resampling(after=half, by=half, sampling=0.5),),
    )
    assert agreement(GATE, told, Reading(number=1)).outcome is Outcome.PASS


def test_a_window_that_was_cut_short_passes_nothing():
    assert found(counted([0], [10_000]), reading=0).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("pairs", [None, Pairs(period=PERIOD)])
def test_no_pairs_are_no_data(pairs):
    assert found(pairs).outcome is Outcome.NO_DATA


def test_a_limit_without_its_noise_s_size_is_refused():
    with pytest.raises(ValueError, match="at most as many"):
        AgreementGate(noise_flips=1)


def evidence(pairs, invocations=1000.0):
    return table_evidence(pairs, invocations)


def table_evidence(pairs: Pairs | None, invocations: float) -> Evidence:
    from include.rollout.evidence import Period

    rows = tuple(
        Period(start=BEGIN + timedelta(seconds=PERIOD * i), invocations=invocations) for i in range(5)
    )
    return Evidence(
        begin=BEGIN,
        end=BEGIN + timedelta(seconds=5 * PERIOD),
        period=PERIOD,
        sampling=1.0,
        production=rows,
        shadow=rows,
        pairs=pairs,
    )


def test_the_judge_rolls_back_a_candidate_that_answers_differently_and_says_so_twice():
    """The verdict can be computed again from what was stored, to the last bit."""
    good, bad = evidence(counted([1] * 5, [1000] * 5)), evidence(counted([300] * 5, [1000] * 5))
    assert judge(good, POLICY, reading=1).verdict is Verdict.PROMOTE
    first = judge(bad, POLICY, reading=1)
    again = judge(Evidence.from_document(bad.to_document()), POLICY, reading=1)
    assert first.verdict is again.verdict is Verdict.ROLL_BACK
    assert first.evidence_digest == again.evidence_digest
    assert [f.reason for f in first.findings] == [f.reason for f in again.findings]


COUNT = st.integers(0, 10_000)
RECORDS = st.builds(Records, read=COUNT, malformed=COUNT, unmatched=COUNT, late=COUNT, ambiguous=COUNT, matched=COUNT)  # fmt: skip
MOMENTS = st.lists(st.floats(-1e6, 1e6), max_size=3).map(lambda values: Moments.of(*values))
SKETCH = st.lists(st.floats(-1e12, 1e12), max_size=4).map(Sketch.of)


@st.composite
def tallies(draw):
    n = draw(COUNT)
    rises = draw(st.integers(0, n))
    return Tally(
        n=n,
        flips=draw(st.integers(0, n)),
        same=draw(st.integers(0, n)),
        rises=rises,
        falls=draw(st.integers(0, n - rises)),
        wild=draw(st.integers(0, n)),
        difference=draw(MOMENTS),
    )


ELEMENT = st.builds(
    Column,
    production=MOMENTS,
    shadow=MOMENTS,
    shift=MOMENTS,
    production_outputs=SKETCH,
    shadow_outputs=SKETCH,
)
LABEL = st.tuples(COUNT, COUNT, COUNT).map(
    lambda n: Label(production=n[0] + n[2], shadow=n[1] + n[2], both=n[2])
)


@st.composite
def anything(draw):
    """Pairs that no window would give: counts that do not fit together, empty, late, one-sided."""
    tally = draw(tallies())
    return Pairs(
        period=PERIOD,
        production=draw(RECORDS),
        shadow=draw(RECORDS),
        unreadable=draw(COUNT),
        all=tally,
        inputs_squared=draw(st.integers(0, 10**8)),
        periods=draw(
            st.dictionaries(
                st.integers(-2, 3).map(lambda i: int(BEGIN.timestamp()) + PERIOD * i),
                st.integers(0, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
            )
        ),
        segments=draw(
            st.dictionaries(
                st.sampled_from("ab"), st.dictionaries(st.text(max_size=3), tallies(), max_size=3)
            )
        ),
        scattered=draw(st.frozensets(st.sampled_from("cd"))),
        differences=draw(SKETCH),
        outputs=draw(st.dictionaries(st.sampled_from(["production", "shadow"]), SKETCH)),
        levels=draw(st.dictionaries(st.sampled_from(["production", "shadow"]), MOMENTS)),
        shift=draw(MOMENTS),
        answers=draw(st.none() | st.just((1, 1)) | st.just((1, 2))),
        latency=draw(MOMENTS),
        latency_ratios=draw(SKETCH),
        columns=Columns(
            elements=draw(st.dictionaries(st.sampled_from("12"), ELEMENT, max_size=1)),
            labels=draw(st.dictionaries(st.sampled_from("xyz"), LABEL)),
            many=draw(st.booleans()),
        ),
    )


@settings(max_examples=200, deadline=None)
@given(
    pairs=st.none() | anything(),
    periods=st.integers(0, 3),
    invocations=st.sampled_from([0.0, -1.0, math.nan, math.inf, 1e9, 100.0]),
    reading=st.integers(0, 2),
)
def test_nothing_that_can_be_thought_of_raises_or_passes_without_enough_pairs(
    pairs, periods, invocations, reading
):
    table = table_of(pairs, periods=max(1, periods), invocations=invocations)
    curve = agreement_curve(GATE, table)
    assert curve.shape == (len(table),)
    assert not np.isnan(curve).any()
    finding = agreement(GATE, table, Reading(number=reading))
    assert finding.reason
    if finding.outcome is Outcome.PASS:
        assert reading
        assert pairs.all.flips / pairs.all.n < GATE.limit
        assert pairs.all.n / pairs.repetition > 250  # fewer cannot show 1 %
        assert not pairs.is_constant


def test_the_error_of_looking_after_every_period_is_kept():
    """At the limit itself an abort may happen in 1 of 100 windows, and passing in 1 of 40; six times over, it is found."""
    rng = np.random.default_rng(17)
    aborted, passed, found_out = 0, 0, 0
    runs = 300
    for _ in range(runs):
        at_limit = counted(rng.binomial(500, 0.01, 30).tolist(), [500] * 30)
        curve = agreement_curve(GATE, table_of(at_limit, periods=30))
        aborted += bool((curve >= np.log(100)).any())
        table = table_of(at_limit, periods=30)
        passed += agreement(GATE, table, Reading(number=1)).outcome is Outcome.PASS
        worse = counted(rng.binomial(500, 0.06, 30).tolist(), [500] * 30)
        found_out += bool((agreement_curve(GATE, table_of(worse, periods=30)) >= np.log(100)).any())
    assert aborted / runs <= 0.01
    assert passed / runs <= 0.045
    assert found_out == runs


def test_twice_the_limit_is_found_in_nine_minutes_beside_four_other_measures():
    """At 5 captured requests a second; of the average over five measures the other four are worth 1 each."""
    rng = np.random.default_rng(19)
    found = []
    for _ in range(100):
        pairs = counted(rng.binomial(300, 0.02, 40).tolist(), [300] * 40)
        average = np.logaddexp(agreement_curve(GATE, table_of(pairs, periods=40)), np.log(4)) - np.log(5)
        crossed = np.flatnonzero(average >= np.log(100))
        found.append(crossed[0] + 1 if crossed.size else np.inf)
    assert np.median(found) <= 9
    assert np.isfinite(found).all()


def test_segments_at_their_limit_do_not_abort_and_one_beyond_it_does():
    rng = np.random.default_rng(18)
    aborted, found_out = 0, 0
    runs = 300
    for run in range(2 * runs):
        rates = [0.01] * 20 + [0.01 if run < runs else 0.15]
        flips = rng.binomial(300, rates)
        values = {f"{i}": (300, int(x)) for i, x in enumerate(flips)}
        pairs = counted([int(flips.sum())], [300 * len(rates)], segments={"s": values})
        crossed = agreement_curve(GATE, table_of(pairs))[-1] >= np.log(100)
        aborted += bool(crossed) and run < runs
        found_out += bool(crossed) and run >= runs
    assert aborted / runs <= 0.01
    assert found_out / runs >= 0.95
    assert MOST_SEGMENTS >= 21
