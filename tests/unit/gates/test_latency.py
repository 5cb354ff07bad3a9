"""Latency percentiles against production's and against a fixed limit."""

from dataclasses import replace

import numpy as np
import pytest

from include.gates.judge import judge
from include.gates.latency import abreast, latency, latency_curve, latency_threshold
from include.gates.look import look
from include.gates.reading import Contradiction, Reading
from include.gates.table import Table
from include.rollout.evidence import Threshold
from include.rollout.gate import CompletenessGate, GatePolicy, LatencyGate, LatencyThresholdGate, Outcome
from include.rollout.rule import Severity
from include.rollout.verdict import deciding
from include.stats.calibration import PRIOR, Noise

GATE = LatencyThresholdGate(quantile="p99", limit_ms=20)
FIRST = Reading(number=1)


@pytest.mark.parametrize(("microseconds", "outcome"), [(19_999.0, Outcome.PASS), (20_001.0, Outcome.FAIL)])
def test_the_whole_window_percentile_is_compared_and_says_it_has_no_interval(measured, microseconds, outcome):
    table = Table.of(measured([600] * 8, [300] * 8, whole={"shadow": {"p99": microseconds}}))
    finding = latency_threshold(GATE, table, FIRST)
    assert finding.outcome is outcome
    assert "no interval" in finding.reason
    assert (finding.low, finding.high) == (None, None)
    assert finding.effect == pytest.approx(microseconds / 1000)


def test_a_percentile_of_too_few_requests_is_inconclusive(measured):
    table = Table.of(measured([600] * 3, [300] * 3, whole={"shadow": {"p99": 1_000.0}}))
    finding = latency_threshold(GATE, table, FIRST)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "1,000" in finding.reason


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), 0.0, -5.0])
def test_a_percentile_that_cannot_be_is_no_data(measured, value):
    whole = {"shadow": {} if value is None else {"p99": value}}
    table = Table.of(measured([600] * 8, [300] * 8, whole=whole))
    assert latency_threshold(GATE, table, FIRST).outcome is Outcome.NO_DATA


def test_a_window_cut_short_neither_passes_nor_fails(measured):
    table = Table.of(measured([600] * 8, [300] * 8, whole={"shadow": {"p99": 50_000.0}}))
    assert latency_threshold(GATE, table, Reading(number=0)).outcome is Outcome.INCONCLUSIVE


MARGIN = LatencyGate(quantile="p90", margin=0.2, block=10)


def jittered(measured, ratio, *, periods=8, sd=0.02, seed=1, **facts):
    rng = np.random.default_rng(seed)
    production = 16_000 * np.exp(rng.normal(0, sd, periods))
    shadow = 16_000 * ratio * np.exp(rng.normal(0, sd, periods))
    return measured(
        [600] * periods,
        [300] * periods,
        production_latency=production.tolist(),
        shadow_latency=shadow.tolist(),
        **facts,
    )


@pytest.mark.parametrize(("ratio", "outcome"), [(1.0, Outcome.PASS), (1.19, Outcome.INCONCLUSIVE)])
def test_the_upper_limit_of_the_mean_log_ratio_is_held_against_the_margin(measured, ratio, outcome):
    finding = latency(MARGIN, Table.of(jittered(measured, ratio)), FIRST, PRIOR)
    assert finding.outcome is outcome
    assert finding.low < ratio < finding.high
    assert (finding.high < finding.limit) is (outcome is Outcome.PASS)
    assert "mean log ratio" in finding.details["estimand"]
    assert finding.details["noise"] == PRIOR.source


def test_a_much_slower_shadow_fails_only_by_running_evidence_and_says_both_latencies(measured):
    table = Table.of(jittered(measured, 1.4))
    assert latency(MARGIN, table, FIRST, PRIOR).outcome is Outcome.INCONCLUSIVE
    reading = Reading(number=1, contradictions={MARGIN.name: Contradiction(log_e=6.0, bar=4.6, periods=4)})
    finding = latency(MARGIN, table, reading, PRIOR)
    assert finding.outcome is Outcome.FAIL
    for part in ("22.", "16.", "1.396x", "1.200x is allowed", "4 periods"):
        assert part in finding.reason


@pytest.mark.parametrize("periods", [1, 2])
def test_a_contradiction_before_there_are_two_blocks_has_an_interval(measured, periods):
    table = Table.of(jittered(measured, 1.5, periods=periods))
    gate = MARGIN.model_copy(update={"block": 20})
    found = {gate.name: Contradiction(log_e=6.0, bar=4.6, periods=periods)}
    finding = latency(gate, table, Reading(number=0, contradictions=found), PRIOR)
    assert finding.outcome is Outcome.FAIL
    assert finding.low < 1.5 < finding.high
    assert f"between {finding.low:.3f}x and {finding.high:.3f}x" in finding.reason
    assert "any look" in finding.details["interval"]


def test_a_window_cut_short_has_limits_for_any_look_which_are_wider(measured):
    table = Table.of(jittered(measured, 1.0))
    early, end = (latency(MARGIN, table, Reading(number=n), PRIOR) for n in (0, 1))
    assert early.low < end.low < end.high < early.high
    assert early.details["interval"] != end.details["interval"]


def slower(measured):
    """Return evidence of a shadow whose p50 is 30 % and whose p90 is 60 % slower, for two periods."""
    evidence = jittered(measured, 1.0, periods=2)
    factors = {"production": 1.0, "shadow": 1.6}
    rows = {
        variant: tuple(
            replace(
                p,
                latency={"p50": 10_000.0 * (1.3 if factor > 1 else 1) + i, "p90": 16_000.0 * factor + i},
                slower={"p90": 240.0 if factor > 1 else 60.0},
            )
            for i, p in enumerate(getattr(evidence, variant))
        )
        for variant, factor in factors.items()
    }
    threshold = Threshold(label="p90", production_us=16_000.0, shadow_us=16_000.0 * 1.2)
    return replace(evidence, **rows, thresholds=(threshold,))


def everywhere_slower(measured):
    """Return evidence of a shadow whose p50 and p90 are both far slower, with exceedances counted at both."""
    evidence = slower(measured)
    rows = {
        variant: tuple(
            replace(
                p,
                latency={**p.latency, "p50": 10_000.0 * factor + i},
                slower={**p.slower, "p50": 290.0 if factor > 1 else 300.0},
            )
            for i, p in enumerate(getattr(evidence, variant))
        )
        for variant, factor in {"production": 1.0, "shadow": 1.6}.items()
    }
    threshold = Threshold(label="p50", production_us=10_000.0, shadow_us=12_000.0)
    return replace(evidence, **rows, thresholds=(*evidence.thresholds, threshold))


INFO = LatencyGate(quantile="p99", margin=0.5, severity=Severity.INFO, abort=False)
POLICY = GatePolicy(
    rules=(CompletenessGate(), *(LatencyGate(quantile=q, margin=0.2, block=20) for q in ("p50", "p90")), INFO)
)


def test_an_abort_tells_every_binding_percentile_with_both_latencies_ratio_and_interval(measured):
    evidence = slower(measured)
    found = look(evidence, POLICY)
    assert [finding.gate for finding in found.findings] == ["latency:p90"]
    for part in (
        "p90 25.6 ms is 1.600x production's 16 ms (between",
        "p50 13 ms is 1.300x production's 10 ms (between",
    ):
        assert part in found.sentence
    assert "p99" not in found.sentence
    judged = judge(evidence, POLICY, reading=1, aborting=True)
    failed = next(finding for finding in judged.findings if finding.outcome is Outcome.FAIL)
    assert failed.reason == found.sentence
    assert set(failed.details["quantiles"]) == {"p50", "p90"}
    for told in failed.details["quantiles"].values():
        assert told["low"] < told["ratio"] < told["high"]


def test_where_every_percentile_is_contradicted_the_verdicts_reason_has_each_and_the_log_none_twice(measured):
    evidence = everywhere_slower(measured)
    found = look(evidence, POLICY)
    assert [finding.gate for finding in found.findings] == ["latency:p50", "latency:p90"]
    judged = judge(evidence, POLICY, reading=1, aborting=True)
    first = deciding(judged.findings)
    assert first.gate == "latency:p50"
    assert found.sentence == first.reason
    for quantile in ("p50", "p90"):
        assert found.sentence.count(f"the shadow's {quantile} ") == 1


def test_without_a_contradiction_no_company_is_told(measured):
    findings = [latency(MARGIN, Table.of(jittered(measured, 1.0)), FIRST, PRIOR)]
    assert list(abreast(findings, POLICY.rules, Table.of(slower(measured)), PRIOR)) == findings


def test_the_lasting_offset_of_equal_variants_widens_the_interval(measured):
    table = Table.of(jittered(measured, 1.0))
    certain = Noise(jitter_sd=0.0, autocorrelation=0.0, offset_sd=0.0, source="made up")
    wide = Noise(jitter_sd=0.0, autocorrelation=0.0, offset_sd=0.1, source="made up")
    assert latency(MARGIN, table, FIRST, certain).outcome is Outcome.PASS
    assert latency(MARGIN, table, FIRST, wide).outcome is Outcome.INCONCLUSIVE


def test_a_ratio_that_never_moves_is_no_measurement(measured):
    evidence = measured(
        [600] * 8, [300] * 8, production_latency=[16_000.0] * 8, shadow_latency=[16_000.0] * 8
    )
    finding = latency(MARGIN, Table.of(evidence), FIRST, PRIOR)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "too coarse" in finding.reason


def test_a_thinly_sampled_shadow_has_too_few_requests_beyond_a_high_percentile(measured):
    gate = LatencyGate(quantile="p99", margin=0.2, block=10)
    production = [16_000.0 + i for i in range(8)]
    evidence = measured(
        [600] * 8, [60] * 8, production_latency=production, shadow_latency=production[::-1], quantile="p99"
    )
    finding = latency(gate, Table.of(evidence), FIRST, PRIOR)
    assert finding.outcome is Outcome.INCONCLUSIVE
    assert "beyond the p99" in finding.reason


def test_one_period_makes_no_interval(measured):
    evidence = jittered(measured, 1.0, periods=1)
    assert latency(MARGIN, Table.of(evidence), FIRST, PRIOR).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("lacking", "passes"), [(2, True), (3, False)])
def test_a_percentile_that_many_periods_lack_shows_nothing(measured, lacking, passes):
    evidence = jittered(measured, 1.0, periods=48)
    shadow = tuple(replace(p, latency={}) if i < lacking else p for i, p in enumerate(evidence.shadow))
    finding = latency(MARGIN, Table.of(replace(evidence, shadow=shadow)), FIRST, PRIOR)
    assert (finding.outcome is Outcome.PASS) is passes, finding.reason
    assert passes or "3 of 48 periods with requests of both variants have no p90" in finding.reason


def test_without_a_common_quantile_there_is_no_data(measured):
    table = Table.of(measured([600] * 8, [300] * 8))
    assert latency(MARGIN, table, FIRST, PRIOR).outcome is Outcome.NO_DATA
    assert (latency_curve(MARGIN, table, PRIOR) == 0).all()


def test_a_threshold_below_the_margin_is_not_used(measured):
    evidence = jittered(measured, 1.0)
    slow = tuple(replace(p, slower={"p90": 200.0}) for p in evidence.shadow)
    few = tuple(replace(p, slower={"p90": 60.0}) for p in evidence.production)
    for factor, crosses in ((1.2, True), (1.1, False)):
        table = Table.of(
            replace(
                evidence,
                production=few,
                shadow=slow,
                thresholds=(Threshold(label="p90", production_us=16_000.0, shadow_us=16_000.0 * factor),),
            )
        )
        assert bool((latency_curve(MARGIN, table, PRIOR) > 4.7).any()) is crosses
