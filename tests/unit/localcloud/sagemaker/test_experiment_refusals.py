"""Inference experiments: what is refused, when, and in which words."""

from typing import Any

import pytest

from tests.unit.localcloud.sagemaker.lab import DAY, HOUR, Lab, model_variant, shadow_mode


@pytest.mark.parametrize(
    ("actions", "desired", "said"),
    [
        ({"ghost": "Remove"}, None, "Variant ghost is not one of the inference experiment's"),
        ({"production": "Promote"}, None, "only the shadow candidate can be promoted"),
        ({"production": "Retain", "candidate": "Promote"}, None, "the action for production must be Remove"),
        ({"production": "Remove", "candidate": "Retain"}, None, "nothing serves on the endpoint"),
        ({"production": "Remove", "candidate": "Remove"}, None, "nothing serves on the endpoint"),
        ({"candidate": "Remove"}, [model_variant("candidate", "n")], "these variants stay: production"),
        ({"candidate": "Promote"}, [model_variant("candidate", "m")], "its model is n"),
        ({"candidate": "Promote"}, [model_variant("candidate", "n", 0)], "at least one instance"),
    ],
)
def test_a_stop_that_cannot_be_is_refused_and_changes_nothing(
    lab: Lab, refused: Any, actions: dict[str, str], desired: Any, said: str
) -> None:
    lab.create()
    with pytest.raises(refused, match=f"ValidationException: .*{said}"):
        lab.stop(
            ModelVariantActions=actions, **({} if desired is None else {"DesiredModelVariants": desired})
        )
    assert lab.shown()["Status"] == "Running"


def test_a_scheduled_one_is_called_off_without_touching_the_endpoint(lab: Lab, refused: Any) -> None:
    lab.create(Schedule=lab.schedule(HOUR, 3 * HOUR))
    with pytest.raises(refused, match=r"ConflictException: .*changed nothing yet"):
        lab.stop(ModelVariantActions={"candidate": "Promote"})
    shown = lab.stop(ModelVariantActions={"candidate": "Remove"}, Reason="not today")
    assert (shown["Status"], shown["StatusReason"]) == ("Cancelled", "not today")
    assert lab.plane.endpoint()["EndpointConfigName"] == "one"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ModelVariants": [model_variant("candidate", "n", 2)]}, "ModelVariants cannot change"),
        ({"DataStorageConfig": {"Destination": "s3://b/p"}}, "DataStorageConfig cannot change"),
        (
            {
                "ShadowModeConfig": shadow_mode(50, "rival"),
                "ModelVariants": [model_variant("production", "m"), model_variant("rival", "n")],
            },
            "ModelVariants cannot change",
        ),
    ],
)
def test_while_it_runs_nothing_else_may_change(lab: Lab, refused: Any, change: Any, said: str) -> None:
    lab.create()
    with pytest.raises(refused, match=f"ConflictException: .*{said}"):
        lab.update(**change)
    with pytest.raises(refused, match=r"ConflictException: .*the start cannot change"):
        lab.update(Schedule=lab.schedule(HOUR, 3 * HOUR))
    assert lab.shown()["Status"] == "Running"


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (0.0, HOUR - 60, "lasts between 1 hour and 30 days"),
        (0.0, 30 * DAY + 60, "lasts between 1 hour and 30 days"),
        (HOUR, 0.0, "lasts between 1 hour and 30 days"),
        (-3 * HOUR, -HOUR, "must be in the future"),
    ],
)
def test_impossible_schedules_are_refused(
    lab: Lab, refused: Any, start: float, end: float, said: str
) -> None:
    with pytest.raises(refused, match=f"ValidationException: .*{said}"):
        lab.create(Schedule=lab.schedule(start, end))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ModelVariants": [model_variant("production", "m")]}, "must name one production and one shadow"),
        (
            {"ModelVariants": [model_variant("production", "m"), model_variant("production", "n")]},
            "must be unique",
        ),
        ({"ShadowModeConfig": shadow_mode(50, "ghost")}, "must name one production and one shadow"),
        ({"ShadowModeConfig": shadow_mode(-1)}, "between 0 and 100"),
        ({"ShadowModeConfig": shadow_mode(101)}, "less than or equal to 100"),
        (
            {"ModelVariants": [model_variant("production", "m"), model_variant("candidate", "none")]},
            'Could not find model "arn:',
        ),
        (
            {"ModelVariants": [model_variant("production", "m", 0), model_variant("candidate", "n")]},
            "at least one instance",
        ),
        (
            {"ModelVariants": [model_variant("production", "n"), model_variant("candidate", "m")]},
            "production variant's ModelName is n; on the endpoint e it is m",
        ),
        ({"Type": "ABTest"}, "enum value set"),
        ({"DataStorageConfig": {"Destination": "https://captures/x"}}, "use an s3:// URL"),
    ],
)
def test_impossible_experiments_are_refused_and_not_kept(
    lab: Lab, refused: Any, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(refused, match=f"ValidationException: .*{said}"):
        lab.create(**change)
    with pytest.raises(refused, match='ResourceNotFound: Could not find inference experiment "arn:'):
        lab.shown()


def test_an_endpoint_and_a_name_belong_to_one_experiment_at_a_time(lab: Lab, refused: Any) -> None:
    lab.create()
    with pytest.raises(refused, match="ResourceInUse: Cannot create already existing"):
        lab.create()
    with pytest.raises(refused, match=r"ResourceInUse: The endpoint e is in use by .* x, which is Running"):
        lab.create(Name="y")


def test_while_it_has_the_endpoint_nobody_else_may_replace_or_delete_it(lab: Lab, refused: Any) -> None:
    lab.create()
    for operation, more in (("UpdateEndpoint", {"EndpointConfigName": "one"}), ("DeleteEndpoint", {})):
        with pytest.raises(refused, match="in use by the inference experiment x; stop that one first"):
            lab.plane.call(operation, EndpointName="e", **more)
    lab.plane.advance(7 * DAY)
    lab.plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="one")


def test_what_its_status_does_not_allow_is_a_conflict(lab: Lab, refused: Any) -> None:
    lab.create()
    for operation, more in (("StartInferenceExperiment", {}), ("DeleteInferenceExperiment", {})):
        with pytest.raises(refused, match="ConflictException: The inference experiment x is Running"):
            lab.plane.call(operation, Name="x", **more)
    lab.stop(ModelVariantActions={"candidate": "Remove"})
    for operation, more in (
        ("StopInferenceExperiment", {"ModelVariantActions": {"candidate": "Remove"}}),
        ("UpdateInferenceExperiment", {"Description": "d"}),
    ):
        with pytest.raises(refused, match="ConflictException: The inference experiment x is Cancelled"):
            lab.plane.call(operation, Name="x", **more)


def test_deleting_forgets_the_experiment_alone(lab: Lab, refused: Any) -> None:
    lab.create(Tags=[{"Key": "team", "Value": "churn"}])
    arn = lab.stop(ModelVariantActions={"candidate": "Promote"})["Arn"]
    assert lab.plane.call("ListTags", ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "churn"}]
    lab.plane.call("DeleteInferenceExperiment", Name="x")
    with pytest.raises(refused, match="ResourceNotFound"):
        lab.shown()
    assert lab.serving() == {"candidate": ("n", 1, 1.0, False)}
