"""Plans are born valid."""

import pytest

from include.localcloud.runtime.plan import CapturePlan, FleetPlan, VariantPlan, mirrored_share


def _variant(**changes):
    values = {
        "name": "live",
        "image": "i",
        "model_data": None,
        "environment": {},
        "instance_type": "ml.m5.large",
    }
    return VariantPlan(**(values | {"instance_count": 1, "weight": 1.0, "shadow": False} | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instance_count": -1}, "0 or more"),
        ({"weight": -0.1}, "0 or more"),
        ({"weight": float("nan")}, "0 or more"),
    ],
)
def test_a_variant_with_a_negative_number_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        _variant(**changes)


def test_a_fleet_needs_a_production_variant():
    with pytest.raises(ValueError, match="no production variant"):
        FleetPlan(endpoint="e", config="c", variants=(_variant(shadow=True),))


def test_capture_needs_an_s3_destination_and_a_percentage():
    with pytest.raises(ValueError, match="s3://"):
        CapturePlan(destination="/tmp/x", percentage=1, input=True, output=True)
    with pytest.raises(ValueError, match="between 0 and 100"):
        CapturePlan(destination="s3://b", percentage=101, input=True, output=True)


@pytest.mark.parametrize(
    ("shadow", "production", "share"), [(0.5, 1.0, 0.5), (2.0, 1.0, 1.0), (1.0, 2.0, 0.5), (1.0, 0.0, 0.0)]
)
def test_the_mirrored_share_is_capped_at_everything(shadow, production, share):
    assert mirrored_share(shadow_weight=shadow, production_weight=production) == share
