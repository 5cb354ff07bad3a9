"""Inference experiments: their statuses, and what they do to their endpoint."""

import datetime
from typing import Any

from tests.unit.localcloud.sagemaker.lab import DAY, HOUR, Lab, asked, model_variant, shadow_mode


def test_without_a_schedule_it_starts_at_once_and_lasts_seven_days(lab: Lab) -> None:
    shown = lab.create()
    assert shown["Status"] == "Running"
    assert shown["Schedule"] == lab.schedule(0, 7 * DAY)
    assert lab.statuses() == {"production": "InService", "candidate": "InService"}
    assert lab.serving() == {"production": ("m", 2, 1.0, False), "candidate": ("n", 1, 0.5, True)}


def test_it_generates_a_config_that_keeps_what_it_does_not_say(lab: Lab) -> None:
    name = lab.create()["EndpointMetadata"]["EndpointConfigName"]
    config = lab.plane.call("DescribeEndpointConfig", EndpointConfigName=name)
    assert config["MetricsConfig"]["MetricPublishFrequencyInSeconds"] == 10
    assert config["ProductionVariants"][0]["RoutingConfig"] == {"RoutingStrategy": "RANDOM"}
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == "s3://captures/own"
    assert lab.plane.endpoint()["EndpointConfigName"] == name


def test_its_own_data_capture_takes_every_request_with_its_content_types(lab: Lab) -> None:
    lab.create(
        DataStorageConfig={
            "Destination": "s3://captures/experiment/",
            "ContentType": {"CsvContentTypes": ["text/csv"]},
        }
    )
    capture = lab.plane.runtime.serving["e"].capture
    assert (capture.destination, capture.percentage) == ("s3://captures/experiment/", 100)
    assert (capture.input, capture.output, capture.csv_types) == (True, True, ("text/csv",))


def test_a_scheduled_one_waits_and_leaves_its_endpoint_alone_until_then(lab: Lab) -> None:
    shown = lab.create(Schedule=lab.schedule(HOUR, 3 * HOUR))
    assert shown["Status"] == "Created"
    assert lab.statuses() == {"production": "InService", "candidate": "Creating"}
    lab.plane.advance(HOUR - 1)
    assert lab.shown()["Status"] == "Created"
    assert lab.plane.endpoint()["EndpointConfigName"] == "one"
    lab.plane.advance(1)
    assert lab.shown()["Status"] == "Running"


def test_while_its_fleet_comes_up_it_is_starting(lab: Lab) -> None:
    lab.plane.runtime.gate.clear()
    lab.plane.call("CreateInferenceExperiment", **asked())

    async def a_moment() -> None:
        import asyncio

        for _ in range(30):
            await asyncio.sleep(0)

    lab.plane.run(a_moment())
    assert lab.shown()["Status"] == "Starting"
    assert lab.statuses() == {"production": "Updating", "candidate": "Creating"}
    lab.plane.runtime.gate.set()
    lab.plane.quiet()
    assert lab.shown()["Status"] == "Running"


def test_at_its_natural_end_the_endpoint_is_what_it_was_before(lab: Lab) -> None:
    wish = {"VariantName": "production", "DesiredInstanceCount": 3}
    lab.plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish])
    lab.plane.quiet()
    before = lab.plane.endpoint()
    lab.create(Schedule=lab.schedule(0, HOUR))
    lab.plane.call("DeleteEndpointConfig", EndpointConfigName="one")  # the state is kept, not the name of it
    lab.plane.advance(HOUR)
    shown = lab.shown()
    assert (shown["Status"], shown["CompletionTime"]) == ("Completed", lab.moment(0))
    assert lab.statuses() == {"production": "InService", "candidate": "Deleted"}
    after = lab.plane.endpoint()
    for told in (before, after):
        del told["LastModifiedTime"], told["ProductionVariants"][0]["DeployedImages"]
    assert after == before
    assert lab.serving() == {"production": ("m", 3, 1.0, False)}


def test_started_before_its_time_it_keeps_its_end_unless_that_is_too_late(lab: Lab) -> None:
    lab.create(Schedule=lab.schedule(DAY, 2 * DAY))
    lab.plane.call("StartInferenceExperiment", Name="x")
    lab.plane.quiet()
    assert lab.shown()["Status"] == "Running"
    assert lab.shown()["Schedule"] == lab.schedule(0, 2 * DAY)


def test_an_early_start_moves_an_end_that_would_be_more_than_thirty_days_away(lab: Lab) -> None:
    lab.create(Schedule=lab.schedule(10 * DAY, 39 * DAY))
    lab.plane.call("StartInferenceExperiment", Name="x")
    assert lab.shown()["Schedule"] == lab.schedule(0, 30 * DAY)


def test_promoting_makes_the_shadow_production_under_its_own_name(lab: Lab) -> None:
    lab.create()
    shown = lab.stop(
        ModelVariantActions={"production": "Remove", "candidate": "Promote"},
        DesiredState="Completed",
        Reason="it is better",
    )
    assert (shown["Status"], shown["StatusReason"]) == ("Completed", "it is better")
    assert lab.statuses() == {"production": "Deleted", "candidate": "InService"}
    assert lab.serving() == {"candidate": ("n", 1, 1.0, False)}
    assert [v["VariantName"] for v in lab.plane.endpoint()["ProductionVariants"]] == ["candidate"]


def test_desired_variants_say_the_infrastructure_to_keep(lab: Lab) -> None:
    lab.create()
    lab.stop(
        ModelVariantActions={"candidate": "Promote"},
        DesiredModelVariants=[model_variant("candidate", "n", 4, "ml.c5.large")],
    )
    (variant,) = lab.plane.runtime.serving["e"].variants
    assert (variant.instance_type, variant.instance_count) == ("ml.c5.large", 4)


def test_removing_the_shadow_keeps_production_as_it_is_with_its_own_capture(lab: Lab) -> None:
    lab.create(DataStorageConfig={"Destination": "s3://captures/experiment"})
    wish = {"VariantName": "production", "DesiredInstanceCount": 5}
    lab.plane.call("UpdateEndpointWeightsAndCapacities", EndpointName="e", DesiredWeightsAndCapacities=[wish])
    lab.plane.quiet()
    shown = lab.stop(ModelVariantActions={"production": "Retain", "candidate": "Remove"})
    assert shown["Status"] == "Cancelled"
    assert lab.serving() == {"production": ("m", 5, 1.0, False)}
    assert lab.plane.runtime.serving["e"].capture.destination == "s3://captures/own"


def test_retaining_both_changes_nothing_and_sets_the_endpoint_free(lab: Lab) -> None:
    config = lab.create()["EndpointMetadata"]["EndpointConfigName"]
    lab.plane.runtime.notes.clear()
    shown = lab.stop(ModelVariantActions={"production": "Retain", "candidate": "Retain"})
    assert lab.statuses() == {"production": "InService", "candidate": "InService"}
    assert shown["EndpointMetadata"]["EndpointConfigName"] == config
    assert lab.plane.runtime.notes == []
    lab.plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="one")


def test_before_it_starts_everything_but_its_endpoint_may_change(lab: Lab) -> None:
    lab.create(Schedule=lab.schedule(HOUR, 3 * HOUR))
    shown = lab.update(
        Description="later",
        Schedule=lab.schedule(2 * HOUR, 5 * HOUR),
        ModelVariants=[model_variant("production", "m"), model_variant("rival", "n", 2)],
        ShadowModeConfig=shadow_mode(100, "rival"),
        DataStorageConfig={"Destination": "s3://captures/x"},
    )
    assert (shown["Status"], shown["Description"]) == ("Created", "later")
    lab.plane.advance(2 * HOUR)
    assert lab.serving() == {"production": ("m", 1, 1.0, False), "rival": ("n", 2, 1.0, True)}


def test_one_variant_alone_can_be_given_other_infrastructure(lab: Lab) -> None:
    lab.create(Schedule=lab.schedule(HOUR, 3 * HOUR))
    lab.update(ModelVariants=[model_variant("candidate", "n", 3)])
    lab.plane.advance(HOUR)
    assert lab.serving()["candidate"] == ("n", 3, 0.5, True)


def test_while_it_runs_sampling_description_and_end_may_change_without_a_new_fleet(lab: Lab) -> None:
    config = lab.create(Schedule=lab.schedule(0, 2 * HOUR))["EndpointMetadata"]["EndpointConfigName"]
    lab.plane.runtime.notes.clear()
    shown = lab.update(
        Description="more", ShadowModeConfig=shadow_mode(80), Schedule={"EndTime": lab.moment(3 * HOUR)}
    )
    assert (shown["Status"], shown["EndpointMetadata"]["EndpointConfigName"]) == ("Running", config)
    assert ("reweight", "candidate", 0.8) in lab.plane.runtime.notes
    assert not [note for note in lab.plane.runtime.notes if note[0] in {"prepare", "activate"}]
    (shadow,) = lab.plane.endpoint()["ShadowProductionVariants"]
    assert shadow["CurrentWeight"] == 0.8
    lab.plane.advance(2 * HOUR)
    assert lab.shown()["Status"] == "Running"
    lab.plane.advance(HOUR)
    assert lab.shown()["Status"] == "Completed"


def test_without_an_endpoint_of_that_name_it_creates_one_that_keeps_production_at_the_end(lab: Lab) -> None:
    shown = lab.create(EndpointName="new")
    assert shown["Status"] == "Running"
    described = lab.plane.endpoint("new")
    assert described["EndpointStatus"] == "InService"
    assert len(described["ShadowProductionVariants"]) == 1
    lab.plane.advance(7 * DAY)
    assert lab.shown()["Status"] == "Completed"
    described = lab.plane.endpoint("new")
    assert [v["VariantName"] for v in described["ProductionVariants"]] == ["production"]
    assert "ShadowProductionVariants" not in described


def test_a_start_that_fails_cancels_it_with_the_reason_and_leaves_the_endpoint(lab: Lab) -> None:
    lab.plane.runtime.failure = "no ping"
    shown = lab.create()
    assert shown["Status"] == "Cancelled"
    assert "did not come to the config" in shown["StatusReason"]
    assert "no ping" in shown["StatusReason"]
    assert shown["EndpointMetadata"] == {
        "EndpointName": "e",
        "EndpointConfigName": "one",
        "EndpointStatus": "InService",
        "FailureReason": "no ping",
    }
    assert lab.statuses() == {"production": "InService", "candidate": "Deleted"}
    assert lab.plane.call("UpdateEndpoint", EndpointName="e", EndpointConfigName="one")


def test_a_stop_that_fails_leaves_the_endpoint_as_it_ran_and_free(lab: Lab) -> None:
    config = lab.create()["EndpointMetadata"]["EndpointConfigName"]
    lab.plane.runtime.failure = "no capacity"
    shown = lab.stop(ModelVariantActions={"candidate": "Promote"}, DesiredState="Completed")
    assert (shown["Status"], shown["EndpointMetadata"]["EndpointConfigName"]) == ("Cancelled", config)
    assert "no capacity" in shown["StatusReason"]
    assert lab.statuses() == {"production": "InService", "candidate": "InService"}


def test_lists_filter_sort_and_page(lab: Lab) -> None:
    for at, name in enumerate(["b-one", "a-two", "c-one"]):
        lab.create(Name=name, EndpointName=f"new-{at}") if name == "x" else lab.plane.call(
            "CreateInferenceExperiment", **asked(Name=name, EndpointName=f"new-{at}")
        )
        lab.plane.quiet()
        lab.plane.clock.advance(60)
    lab.plane.call("StopInferenceExperiment", Name="b-one", ModelVariantActions={"candidate": "Remove"})
    lab.plane.quiet()

    def names(**params: Any) -> list[str]:
        listed = lab.plane.call("ListInferenceExperiments", **params)["InferenceExperiments"]
        return [each["Name"] for each in listed]

    assert names() == ["c-one", "a-two", "b-one"]
    assert names(NameContains="one", SortBy="Name", SortOrder="Ascending") == ["b-one", "c-one"]
    assert names(StatusEquals="Running", SortBy="Name", SortOrder="Ascending") == ["a-two", "c-one"]
    assert names(SortBy="Status", SortOrder="Ascending") == ["b-one", "a-two", "c-one"]
    assert names(CreationTimeAfter=lab.moment(-130)) == ["c-one", "a-two"]
    first = lab.plane.call("ListInferenceExperiments", MaxResults=2)
    rest = lab.plane.call("ListInferenceExperiments", MaxResults=2, NextToken=first["NextToken"])
    assert [each["Name"] for each in rest["InferenceExperiments"]] == ["b-one"]


def test_the_schedule_as_described_can_be_sent_back_with_another_end(lab: Lab) -> None:
    lab.plane.clock.at += 0.123456
    lab.create()
    schedule = lab.shown()["Schedule"]
    schedule["EndTime"] += datetime.timedelta(days=1)
    shown = lab.update(Schedule=schedule)
    assert shown["Status"] == "Running"
    assert shown["Schedule"] == schedule


def test_a_change_that_fails_while_it_runs_ends_it_and_sets_the_endpoint_free(lab: Lab) -> None:
    lab.create()
    lab.plane.sagemaker.endpoints["e"]["EndpointStatus"] = (
        "Failed"  # as after a restart that brought nothing back
    )
    shown = lab.update(ShadowModeConfig=shadow_mode(80))
    assert shown["Status"] == "Cancelled"
    assert "Cannot update failed endpoint" in shown["StatusReason"]
    lab.plane.call("DeleteEndpoint", EndpointName="e")


def test_another_description_or_end_leaves_the_running_endpoint_alone(lab: Lab) -> None:
    lab.create()
    lab.plane.runtime.notes.clear()
    before = lab.plane.endpoint()
    lab.plane.advance(5)
    shown = lab.update(Description="more", Schedule={"EndTime": lab.moment(3 * HOUR)})
    assert (shown["Status"], shown["Description"]) == ("Running", "more")
    assert lab.plane.endpoint() == before
    assert lab.plane.runtime.notes == []


def test_an_hour_from_now_is_an_hour_though_asking_took_a_while(lab: Lab) -> None:
    end = lab.moment(HOUR)
    lab.plane.advance(2)
    assert lab.create(Schedule={"EndTime": end})["Status"] == "Running"
