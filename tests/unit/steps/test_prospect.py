"""What a plan says of gates before anything is deployed: when they can decide, and why they never can."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from include.rollout.baseline import Baseline
from include.rollout.evidence import Period
from include.rollout.spec import parse
from include.stats.flips import least_pairs
from include.stats.spending import reading_alphas
from include.steps.prospect import differing_inputs, prospect

NOBODY = SimpleNamespace(store_access=lambda: None)  # a local source asks no cloud


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "requests.csv"

    def written(different, times=1):
        file.write_text("".join(f"{i},1\n" for i in range(different)) * times)
        return str(file)

    return written


def baseline(**config):
    variant = {"VariantName": "live", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    return Baseline(
        endpoint="churn",
        endpoint_arn="arn",
        variant="live",
        config_name="c",
        config={"ProductionVariants": [variant], **config},
        instance_count=1,
        weight=1.0,
        model_name="m",
        model={},
        container={},
    )


def spec_of(*gates, **changes):
    return parse(
        {
            "endpoint": {"name": "churn"},
            "side_effect_free": True,
            "candidate": {"image": "new:1"},
            "capture": {"destination": "s3://captures"},
            "pairs": {},
            "gates": {"rules": [{"kind": "completeness"}, *gates]},
            "window": {"length": 3600, "maximum": 3600},  # read once, with the whole of alpha
            **changes,
        },
        "a spec",
    )


def told(gate, *, live=0.0, rate=10.0, seen=(), of=None, **changes):
    spec = spec_of(gate, **changes)
    return prospect(spec.gates.rules[1], NOBODY, spec, of or baseline(), rate=rate, live=live, seen=seen)


AGREEMENT = {"kind": "agreement", "limit": 0.01}


def test_agreement_takes_as_many_different_inputs_as_can_decide_and_the_time_to_send_them(source):
    found = told(AGREEMENT, replay={"source": source(400), "rate": 10}, sampling=0.5)
    assert found.needed == 60  # 299 pairs at 5/s, in whole periods of 60 s
    assert found.sentence.startswith("299 pairs of different inputs")


def test_a_replay_of_too_few_different_inputs_never_decides(source):
    found = told(AGREEMENT, replay={"source": source(250, times=10), "rate": 10})
    assert found.needed is None
    assert "299 different inputs are needed, and the replay's source has 250" in found.sentence
    assert told(AGREEMENT, replay={"source": source(250), "rate": 10}, live=5).needed is not None
    counted = told(AGREEMENT, replay={"source": source(500), "rate": 10, "count": 200})
    assert "has 200" in counted.sentence


def test_two_readings_share_alpha_so_they_take_more(source):
    twice = {"length": 3600, "maximum": 7200}
    found = told(AGREEMENT, replay={"source": source(900), "rate": 10}, window=twice)
    first = least_pairs(limit=0.01, alpha=reading_alphas(0.05, 0.5)[0])
    assert found.sentence.startswith(f"{first} pairs")
    # Too slow for the window's end: the second reading takes fewer, and is not taken before that end.
    slow = told(AGREEMENT, replay={"source": source(900), "rate": 10}, rate=first / 4000, window=twice)
    assert slow.needed == 3600
    assert not slow.sentence.startswith(f"{first} pairs")


def test_noise_that_is_too_coarse_never_decides():
    found = told({**AGREEMENT, "noise_flips": 3, "noise_pairs": 100}, live=5)
    assert found.needed is None
    assert "noise of 100 pairs is too coarse" in found.sentence


def test_a_source_is_not_read_further_than_it_takes(source):
    spec = spec_of(AGREEMENT, replay={"source": source(1000), "rate": 1})
    assert differing_inputs(NOBODY, spec, 10) == 10
    assert differing_inputs(NOBODY, spec_of(AGREEMENT), 10) is None
    few = spec_of(AGREEMENT, replay={"source": source(5, times=1000), "rate": 1})
    assert differing_inputs(NOBODY, few, 10) is None  # nobody knows what comes behind


def test_an_expectation_takes_its_least(source):
    gate = {
        "kind": "expectation",
        "type": "expect_column_values_to_not_be_null",
        "kwargs": {"column": "shadow"},
    }
    assert told(gate, live=10).needed == 120
    assert "1000 different inputs are needed" in told(gate, replay={"source": source(30), "rate": 1}).sentence


def test_saturation_tells_productions_own_use_and_needs_values_in_every_period():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    seen = [Period(start=now, utilization={"CPUUtilization.average": 68.0})]
    found = told({"kind": "saturation"}, seen=seen)
    assert found.needed == 600
    assert "production's CPUUtilization averaged 68 %" in found.sentence
    assert "published no CPUUtilization" in told({"kind": "saturation"}).sentence
    short = {"window": {"period": 10, "length": 600, "maximum": 600}}
    never = told({"kind": "saturation"}, **short)
    assert never.needed is None
    assert "published every 60 s and window.period is 10" in never.sentence
    often = baseline(MetricsConfig={"EnableEnhancedMetrics": True, "MetricPublishFrequencyInSeconds": 10})
    assert told({"kind": "saturation"}, of=often, **short).needed == 600


def test_what_is_too_dear_is_known_beforehand():
    dear = {"candidate": {"instance_type": "ml.m5.xlarge"}, "promotion": {"settings": "shadow"}}
    found = told({"kind": "cost", "ratio": 1.5}, **dear)
    assert found.needed is None
    assert "2.000 times production's" in found.sentence
    assert told({"kind": "cost", "ratio": 2}, **dear).needed == 120
    unknown = {"candidate": {"instance_type": "ml.new.xlarge"}, "promotion": {"settings": "shadow"}}
    assert "ml.new.xlarge is not known" in told({"kind": "cost", "ratio": 2}, **unknown).sentence


def test_overhead_takes_two_blocks():
    assert told({"kind": "overhead", "limit_ms": 5, "block": 120}).needed == 240


def test_other_kinds_are_planned_elsewhere():
    assert told({"kind": "min_sample"}) is None
