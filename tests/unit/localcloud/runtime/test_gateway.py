"""Invocations, mirroring and fleets, with real processes on real sockets."""

import asyncio
import json
import os
import signal

import pytest

from include.localcloud.runtime import connection
from include.localcloud.runtime.plan import FleetPlan, StartupError
from include.localcloud.runtime.usage import UsageMeter


def test_an_answer_names_the_variant_and_hides_what_instances_tell_the_gateway(play):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ANSWER="0.5"))
        return await world.invoke()

    response = play(scenario)
    assert (response.status, response.body) == (200, b"0.5")
    assert response.headers == {
        "Content-Type": "text/csv; charset=utf-8",
        "x-Amzn-Invoked-Production-Variant": "live",
    }


def test_an_unknown_endpoint_is_a_validation_error(play):
    response = play(lambda world: world.invoke(endpoint="nobody"))
    assert response.status == 400
    assert response.headers["x-amzn-ErrorType"] == "ValidationError"
    assert json.loads(response.body)["Message"] == "Endpoint nobody of account 123456789012 not found."


@pytest.mark.parametrize(
    ("headers", "body", "status", "said"),
    [
        ({"x_amzn_sagemaker_target_variant": "shadow"}, b"1", 400, "not a production variant"),
        ({"x_amzn_sagemaker_target_model": "m.tar.gz"}, b"1", 400, "target model"),
        ({"x_amzn_sagemaker_enable_explanations": "`true`"}, b"1", 400, "with an explainer"),
        ({"x_amzn_sagemaker_inference_id": "x" * 65}, b"1", 400, "equal to 64"),
        ({"x_amzn_sagemaker_custom_attributes": "x" * 1025}, b"1", 400, "1024"),
        ({}, b"x" * 6_291_457, 413, "6291456"),
    ],
    ids=["shadow as target", "target model", "explanations", "long id", "long attributes", "large body"],
)
def test_what_the_service_model_forbids_never_reaches_an_instance(play, headers, body, status, said):
    async def scenario(world):
        await world.serve(world.light(), world.shadow())
        response = await world.invoke(body, **headers)
        return response, world.counts("live")["served"]

    response, served = play(scenario)
    assert (response.status, served) == (status, 0)
    assert said in json.loads(response.body)["Message"]


def test_a_containers_error_is_a_model_error_with_its_status_and_text(play):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ERROR_SHARE=1, LOCAL_ERROR_STATUS=503))
        return await world.invoke()

    response = play(scenario)
    error = json.loads(response.body)
    assert (response.status, response.headers["x-amzn-ErrorType"]) == (424, "ModelError")
    assert error["OriginalStatusCode"] == 503
    assert "LOCAL_ERROR_SHARE" in error["OriginalMessage"]
    assert error["Message"].startswith("Received server error (503) from primary with message")
    assert error["LogStreamArn"].endswith("/aws/sagemaker/Endpoints/churn")


def test_production_variants_share_the_traffic_by_weight_and_a_target_overrules_it(play):
    async def scenario(world):
        await world.serve(world.light("a", weight=3.0), world.light("b", weight=1.0))
        world.gateway._chance.seed(7)
        drawn = [await world.invoke(str(i).encode()) for i in range(400)]
        aimed = await world.invoke(x_amzn_sagemaker_target_variant="b")
        world.gateway.reweight("churn", "a", 0.0)
        after = await world.invoke()
        name = "x-Amzn-Invoked-Production-Variant"
        return [each.headers[name] for each in drawn], aimed.headers[name], after.headers[name]

    drawn, aimed, after = play(scenario)
    assert 0.68 < drawn.count("a") / 400 < 0.82
    assert (aimed, after) == ("b", "b")


@pytest.mark.parametrize(
    "shadow",
    [
        {"LOCAL_ANSWER": "shadow"},
        {"LOCAL_ANSWER": "shadow", "LOCAL_SERVICE_TIME_MEDIAN_MS": 30_000},
        {"LOCAL_ANSWER": "shadow", "LOCAL_ERROR_SHARE": 1},
    ],
    ids=["wrong", "slow", "failing"],
)
def test_no_caller_ever_sees_or_waits_for_the_shadow(play, wait_until, shadow):
    async def scenario(world):
        fleet = await world.serve(world.light(LOCAL_ANSWER="live"), world.shadow(**shadow))
        answers = [await world.invoke(str(i).encode()) for i in range(200)]
        offered = world.counts("shadow")["mirrored"] + world.counts("shadow")["shed"]
        if "LOCAL_SERVICE_TIME_MEDIAN_MS" in shadow:
            await fleet.stop(1.0)  # nobody waits half a minute for a test
        return {answer.body for answer in answers}, {answer.status for answer in answers}, offered

    assert play(scenario) == ({b"live"}, {200}, 200)


def test_a_shadow_that_dies_again_and_again_costs_no_caller_anything(play, wait_until):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ANSWER="live"), world.shadow(LOCAL_ANSWER="shadow"))
        answers = []
        for _ in range(3):
            (shadow,) = world.counts("shadow")["instances"]
            os.kill(shadow["pid"], signal.SIGKILL)
            answers += await asyncio.gather(*(world.invoke(str(i).encode()) for i in range(50)))
            restarts = shadow["restarts"]
            await wait_until(
                lambda restarts=restarts: (
                    (i := world.counts("shadow")["instances"][0])["ready"] and i["restarts"] > restarts
                )
            )
        return {answer.body for answer in answers}, len(answers), world.counts("shadow")

    bodies, answered, shadow = play(scenario)
    assert (bodies, answered) == ({b"live"}, 150)
    assert shadow["mirrored"] + shadow["shed"] == 150


def test_swapping_fleets_under_traffic_loses_nothing_and_ends_the_old_processes(play, is_alive):
    async def scenario(world):
        fleets = [await world.serve(world.light(LOCAL_ANSWER="0"), world.shadow(LOCAL_ANSWER="shadow"))]
        pids, over = world.pids(), False

        async def client():
            answers = []
            while not over:
                answers.append(await world.invoke(b"1"))
            return answers

        clients = [asyncio.create_task(client()) for _ in range(4)]
        for swap in range(1, 4):
            variants = (world.light(LOCAL_ANSWER=swap), world.shadow(LOCAL_ANSWER="shadow"))
            fleets.append(await world.serve(*variants, config=f"config-{swap + 1}"))
            await world.gateway.retire(fleets[-2])
            assert not any(is_alive(pid) for pid in pids)
            pids = world.pids()
        over = True
        return await asyncio.gather(*clients)

    # Each client by itself: one's request to the old fleet may be answered after another's to the new.
    for answers in play(scenario):
        assert {answer.status for answer in answers} == {200}
        assert [answer.body for answer in answers] == sorted(answer.body for answer in answers)
        assert {answer.body for answer in answers} == {b"0", b"1", b"2", b"3"}


def test_a_request_stays_with_the_fleet_it_began_on(play):
    async def scenario(world):
        old = await world.serve(world.light(LOCAL_ANSWER="old", LOCAL_SERVICE_TIME_MEDIAN_MS=300))
        begun = asyncio.create_task(world.invoke())
        await asyncio.sleep(0.05)
        await world.serve(world.light(LOCAL_ANSWER="new"))
        after = await world.invoke()
        await world.gateway.retire(old)
        return begun.done(), (await begun).body, after.body

    assert play(scenario) == (True, b"old", b"new")


def test_an_instance_that_dies_in_a_request_is_a_model_error_and_comes_back(play, wait_until):
    async def scenario(world):
        await world.serve(world.light(LOCAL_ANSWER="1", LOCAL_SERVICE_TIME_MEDIAN_MS=5_000))
        begun = asyncio.create_task(world.invoke())
        await wait_until(lambda: world.counts("live")["instances"][0]["outstanding"] == 1)
        os.kill(world.pids()[0], signal.SIGKILL)
        lost = await begun
        await wait_until(lambda: not world.counts("live")["instances"][0]["ready"])
        refused = await world.invoke()
        await wait_until(lambda: world.counts("live")["instances"][0]["ready"])
        world.clock.time += 60
        return lost, refused, world.metric("InvocationModelErrors", "live")

    lost, refused, errors = play(scenario)
    assert (lost.status, json.loads(lost.body)["OriginalStatusCode"]) == (424, 0)
    assert (refused.status, refused.headers["x-amzn-ErrorType"]) == (503, "ServiceUnavailable")
    assert [samples.total for samples in errors.values()] == [1.0]


def test_resizing_starts_and_stops_real_processes(play, is_alive):
    async def scenario(world):
        await world.serve(world.light())
        first = set(world.pids())
        await world.gateway.resize("churn", "live", 3)
        three = set(world.pids())
        await asyncio.gather(*(world.invoke(str(i).encode()) for i in range(30)))
        await world.gateway.resize("churn", "live", 1)
        return first, three, set(world.pids()), [pid for pid in three if is_alive(pid)]

    first, three, last, living = play(scenario)
    assert (first < three, len(three), last, living) == (True, 3, first, list(first))


@pytest.mark.parametrize(
    ("image", "said"),
    [("somebody/else:1", "known image repositories"), ("sagemaker-xgboost:3.0-5", "needs ModelDataUrl")],
)
def test_a_fleet_that_does_not_come_up_says_why_and_leaves_no_process(play, tmp_path, image, said):
    async def scenario(world):
        from dataclasses import replace

        with pytest.raises(StartupError, match=said):
            await world.serve(world.light(), replace(world.shadow(), image=image))
        return list((tmp_path / "runtime" / "instances").iterdir())

    assert play(scenario) == []


def test_captures_of_both_variants_carry_the_same_inference_id(play, wait_until):
    from include.localcloud.runtime.plan import CapturePlan

    plan = CapturePlan(
        destination="s3://lake/cap/", percentage=100, input=True, output=True, csv_types=("text/csv",)
    )

    async def scenario(world):
        await world.serve(world.light(), world.shadow(), capture=plan)
        for i in range(10):
            await world.invoke(str(i).encode(), x_amzn_sagemaker_inference_id=f"id-{i}")
        await wait_until(lambda: world.counts("shadow")["served"] == 10)
        await world.gateway.flush()
        return world.objects.held

    held = play(scenario)
    assert {bucket for bucket, _ in held} == {"lake"}
    trees = {key.split("/")[2]: body.decode().splitlines() for (_, key), body in held.items()}
    read = {
        name: sorted(json.loads(line)["eventMetadata"]["inferenceId"] for line in lines)
        for name, lines in trees.items()
    }
    assert read == {key: [f"id-{i}" for i in range(10)] for key in ("live", "shadow")}


def test_every_invocation_is_metered_for_both_variants_under_both_dimension_sets(play, wait_until):
    async def scenario(world):
        await world.serve(
            world.light(count=2), world.shadow(LOCAL_ERROR_SHARE=1, LOCAL_ERROR_STATUS=404), frequency=10
        )
        for i in range(20):
            await world.invoke(str(i).encode())
        await wait_until(lambda: world.counts("shadow")["served"] == 20)
        early = world.metric("Invocations", "live")
        world.clock.time += 10
        return early, world

    early, world = play(scenario)
    assert early == {}
    for config in ("", "config-1"):
        read = {
            (variant, name): [samples.total for samples in world.metric(name, variant, config).values()]
            for variant in ("live", "shadow")
            for name in (
                "Invocations",
                "InvocationsPerInstance",
                "Invocation4XXErrors",
                "Invocation5XXErrors",
                "InvocationModelErrors",
            )
        }
        assert read == {
            ("live", "Invocations"): [20.0],
            ("live", "InvocationsPerInstance"): [10.0],
            ("live", "Invocation4XXErrors"): [0.0],
            ("live", "Invocation5XXErrors"): [0.0],
            ("live", "InvocationModelErrors"): [0.0],
            ("shadow", "Invocations"): [20.0],
            ("shadow", "InvocationsPerInstance"): [20.0],
            ("shadow", "Invocation4XXErrors"): [20.0],
            ("shadow", "Invocation5XXErrors"): [0.0],
            ("shadow", "InvocationModelErrors"): [20.0],
        }
        for name in ("ModelLatency", "OverheadLatency"):
            (samples,) = world.metric(name, "live", config).values()
            assert samples.count == 20
            assert samples.low > 0


def test_enhanced_metrics_tell_instances_apart_and_add_up_to_their_variant(play):
    async def scenario(world):
        fleet = await world.serve(world.light(count=2), frequency=10, enhanced=True)
        meter = UsageMeter(fleet, world.metrics, world.clock)
        meter.look()
        for i in range(20):
            await world.invoke(str(i).encode())
        await meter.publish(int(world.clock.time))
        await world.gateway.resize("churn", "live", 1)
        world.clock.time += 10
        (whole,) = world.metric("ModelLatency", "live").values()
        known = world.metrics.keys()
        single = [key for key in known if "InstanceId" in dict(key.dimensions)]
        return whole, {key: world.metrics.read(key, start=0, end=4e9, period=10) for key in single}

    whole, single = play(scenario)
    latencies = [
        samples
        for key, found in single.items()
        for samples in found.values()
        if key.name == "ModelLatency" and key.namespace == "AWS/SageMaker"
    ]
    assert [samples.count for samples in latencies] == [10, 10]
    assert sum(samples.total for samples in latencies) == pytest.approx(whole.total)
    names = sorted(key.name for key in single)
    for name in ("Invocations", "InvocationModelErrors", "MemoryUtilization", "DiskUtilization"):
        assert names.count(name) == 2
    assert "InvocationsPerInstance" not in names


def test_without_enhanced_metrics_no_instance_has_any(play):
    async def scenario(world):
        await world.serve(world.light(count=2), frequency=10)
        await world.invoke()
        world.clock.time += 10
        known = world.metrics.keys()
        return [key for key in known if "InstanceId" in dict(key.dimensions)]

    assert play(scenario) == []


def test_an_answer_of_more_bytes_than_are_allowed_is_a_model_error(play, monkeypatch):
    monkeypatch.setattr(connection, "LARGEST_BODY", 10)

    async def scenario(world):
        await world.serve(world.light("a", LOCAL_ANSWER="x" * 10), world.light("b", LOCAL_ANSWER="x" * 11))
        return [await world.invoke(x_amzn_sagemaker_target_variant=name) for name in ("a", "b", "a", "b")]

    responses = play(scenario)
    assert [response.status for response in responses] == [200, 424, 200, 424]
    assert "more than the 10 bytes" in json.loads(responses[1].body)["OriginalMessage"]


def test_a_model_error_names_the_log_group_in_the_endpoints_region(play):
    async def scenario(world):
        plan = FleetPlan(
            endpoint="churn", config="c", variants=(world.light(LOCAL_ERROR_SHARE=1),), region="eu-west-1"
        )
        world.gateway.activate(await world.gateway.prepare(plan))
        return await world.invoke()

    error = json.loads(play(scenario).body)
    assert error["LogStreamArn"].startswith("arn:aws:logs:eu-west-1:")
    assert "https://eu-west-1.console.aws.amazon.com/" in error["Message"]
