"""The layout and the lines of data capture."""

import asyncio
import base64
import json

from include.localcloud.clock import Clock
from include.localcloud.runtime import capture
from include.localcloud.runtime.capture import CaptureWriter, Exchange
from include.localcloud.runtime.plan import CapturePlan


class FixedClock(Clock):
    def now(self) -> float:
        return 1_767_225_599.5  # 2025-12-31T23:59:59.5Z


class Objects:
    def __init__(self) -> None:
        self.held = {}

    async def put(self, bucket, key, body):
        if bucket == "nowhere":
            raise FileNotFoundError("no such bucket")
        self.held[bucket, key] = body


def _exchange(**changes):
    values = {
        "input_type": "text/csv",
        "input": b"1,2",
        "output_type": "text/csv; charset=utf-8",
        "output": b"0.5",
        "inference_id": "id-1",
    }
    return Exchange(**(values | changes))


def _plan(**changes):
    values = {"destination": "s3://lake/cap", "percentage": 100, "input": True, "output": True}
    return CapturePlan(**(values | {"csv_types": ("text/csv",)} | changes))


def _written(*records):
    async def scenario():
        objects = Objects()
        writer = CaptureWriter(objects, FixedClock())
        for plan, exchange in records:
            writer.record(plan, "churn", "live", exchange)
        await writer.flush()
        return objects.held

    return asyncio.run(scenario())


def test_a_line_holds_exactly_what_sagemaker_writes():
    ((_, body),) = _written((_plan(), _exchange())).items()
    line = json.loads(body)
    event = line["eventMetadata"].pop("eventId")
    assert len(event) == 36
    assert line == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv",
                "mode": "INPUT",
                "data": "1,2",
                "encoding": "CSV",
            },
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8",
                "mode": "OUTPUT",
                "data": "0.5",
                "encoding": "CSV",
            },
        },
        "eventMetadata": {"inferenceId": "id-1", "inferenceTime": "2025-12-31T23:59:59Z"},
        "eventVersion": "0",
    }


def test_files_lie_under_endpoint_variant_and_utc_hour_without_a_doubled_slash():
    for destination in ("s3://lake/cap", "s3://lake/cap/", "s3://lake"):
        ((bucket, key),) = _written((_plan(destination=destination), _exchange()))
        folder = (
            "cap/churn/live/2025/12/31/23/" if destination != "s3://lake" else "churn/live/2025/12/31/23/"
        )
        assert bucket == "lake"
        assert key.startswith(folder)
        assert key.endswith(".jsonl")
        assert "/" not in key.removeprefix(folder)


def test_a_body_is_base64_unless_its_content_type_is_listed():
    rows = _written(
        (_plan(csv_types=()), _exchange()),
        (_plan(json_types=("application/json",)), _exchange(input_type="Application/JSON; charset=utf-8")),
        (_plan(), _exchange(input=b"\xff\xfe")),
    )
    ((_, body),) = rows.items()
    inputs = [json.loads(line)["captureData"]["endpointInput"] for line in body.splitlines()]
    assert [each["encoding"] for each in inputs] == ["BASE64", "JSON", "BASE64"]
    assert base64.b64decode(inputs[0]["data"]) == b"1,2"
    assert base64.b64decode(inputs[2]["data"]) == b"\xff\xfe"


def test_an_inference_id_is_recorded_only_if_the_caller_sent_one():
    ((_, body),) = _written((_plan(), _exchange(inference_id=""))).items()
    assert "inferenceId" not in json.loads(body)["eventMetadata"]


def test_only_the_sides_that_were_asked_for_are_recorded():
    ((_, body),) = _written((_plan(output=False), _exchange())).items()
    assert list(json.loads(body)["captureData"]) == ["endpointInput"]


def test_a_full_buffer_is_written_without_being_asked(monkeypatch):
    monkeypatch.setattr(capture, "_LARGEST_BUFFER", 1000)
    held = _written(*((_plan(), _exchange()) for _ in range(20)))
    assert len(held) > 1
    assert sum(len(body.splitlines()) for body in held.values()) == 20


def test_a_missing_bucket_loses_captures_and_says_so(caplog):
    assert _written((_plan(destination="s3://nowhere/x"), _exchange())) == {}
    assert "1 captured records for s3://nowhere/x/churn/live" in caplog.text
