"""Data capture: requests and answers as JSON Lines in S3, laid out and written as SageMaker does."""

import asyncio
import base64
import json
import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from include.localcloud.clock import Clock
from include.localcloud.runtime.plan import CapturePlan

_log = logging.getLogger(__name__)
_LARGEST_BUFFER = 4 << 20  # bytes of lines before an object is written
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_OLDEST_SECONDS = 30.0  # SageMaker takes minutes; here a file appears within this time


class ObjectWriter(Protocol):
    """Where captures go."""

    async def put(self, bucket: str, key: str, body: bytes) -> Any:
        """Store an object; raise when it cannot be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One answered request, to be recorded."""

    input_type: str
    input: bytes
    output_type: str
    output: bytes
    inference_id: str  # "" when the caller sent none


@dataclass(slots=True)
class _Buffer:
    bucket: str
    folder: str
    lines: list[bytes] = field(default_factory=list)
    size: int = 0


class CaptureWriter:
    """Buffers lines per variant and UTC hour, and writes an object when a buffer is full, old or flushed."""

    def __init__(self, objects: ObjectWriter, clock: Clock) -> None:
        self._objects, self._clock = objects, clock
        self._buffers: dict[str, _Buffer] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._second, self._hour, self._time = -1, "", ""  # the texts of a time, written once a second

    def record(self, plan: CapturePlan, endpoint: str, variant: str, exchange: Exchange) -> None:
        """Add one line under <prefix>/<endpoint>/<variant>/yyyy/mm/dd/hh/, the hour of the inference."""
        second = int(self._clock.now())
        if second != self._second:
            now = datetime.fromtimestamp(second, UTC)
            self._second, self._hour, self._time = second, f"{now:%Y/%m/%d/%H}", f"{now:%Y-%m-%dT%H:%M:%SZ}"
        bucket, _, prefix = plan.destination.removeprefix("s3://").partition("/")
        parts = (prefix.strip("/"), endpoint, variant, self._hour)
        folder = "/".join(part for part in parts if part)
        line = _encode(_line(plan, exchange, self._time)).encode() + b"\n"
        buffer = self._buffers.get(bucket + "/" + folder)
        if buffer is None:
            buffer = self._buffers[bucket + "/" + folder] = _Buffer(bucket, folder)
        buffer.lines.append(line)
        buffer.size += len(line)
        if buffer.size >= _LARGEST_BUFFER:
            self._start_writing(self._buffers.pop(bucket + "/" + folder))
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_OLDEST_SECONDS, self._write_all)

    async def flush(self) -> None:
        """Return when everything recorded so far is stored."""
        self._write_all()
        while self._writing:
            await asyncio.gather(*self._writing)

    def _write_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        buffers, self._buffers = self._buffers, {}
        for buffer in buffers.values():
            self._start_writing(buffer)

    def _start_writing(self, buffer: _Buffer) -> None:
        task = asyncio.create_task(self._write(buffer))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, buffer: _Buffer) -> None:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        try:
            await self._objects.put(buffer.bucket, f"{buffer.folder}/{name}", b"".join(buffer.lines))
        except Exception as error:  # a missing bucket must not take the endpoint down; AWS drops them as well
            _log.warning(
                "%d captured records for s3://%s/%s are lost: %s",
                len(buffer.lines),
                buffer.bucket,
                buffer.folder,
                error,
            )


def _line(plan: CapturePlan, exchange: Exchange, time: str) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if plan.input:
        data["endpointInput"] = _side(plan, exchange.input_type, "INPUT", exchange.input)
    if plan.output:
        data["endpointOutput"] = _side(plan, exchange.output_type, "OUTPUT", exchange.output)
    metadata = {"eventId": str(uuid.uuid4())}
    if exchange.inference_id:
        metadata["inferenceId"] = exchange.inference_id
    metadata["inferenceTime"] = time
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _side(plan: CapturePlan, content_type: str, mode: str, body: bytes) -> dict[str, str]:
    """Return one side; the body is text only when its content type is listed, base64 otherwise."""
    media = content_type.partition(";")[0].strip().lower()
    encoding = "CSV" if media in plan.csv_types else "JSON" if media in plan.json_types else "BASE64"
    text = ""
    if encoding != "BASE64":
        try:
            text = body.decode()
        except UnicodeDecodeError:  # no text can hold these bytes
            encoding = "BASE64"
    if encoding == "BASE64":
        text = base64.b64encode(body).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
