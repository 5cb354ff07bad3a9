"""The local SageMaker beside moto's server and a bare uvicorn application, in one run.

    python benchmarks/local_cloud.py [--rounds 5] [--seconds 2] [--samples 60000] [--write]

Data plane: CPU of the serving process (user and system, from /proc) over the requests it answered: the local cloud's
gateway without a shadow, with all requests copied to one, and with capture beside that; moto's InvokeEndpoint, which
answers a fixed text without a model; uvicorn with the smallest application that reads the request. The local cloud's
instances are other processes and not counted, as moto and uvicorn have none. Queries: an hour's GetMetricData (Sum
per minute) over so many samples that were put before, as a client waits for it. Everything is interleaved, and the
medians of all rounds compared (the very first query, which merges what was put, is told apart); ratios compare
one run only. `--write` keeps the numbers as dated JSON in
benchmarks/results/.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.config import Config

ROOT = Path(__file__).parents[1]
BODY = ",".join(f"{k * 0.37:.2f}" for k in range(69)).encode()
CONNECTIONS = 16
TICKS = os.sysconf("SC_CLK_TCK")
UVICORN = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/csv; charset=utf-8"), (b"content-length", b"20")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"0.015842037275433541"})
"""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process that answers on a port."""

    process: subprocess.Popen[str]
    url: str

    def cpu(self) -> float:
        """Return the seconds of CPU, user and system, that the process has used."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=120),
        )


@contextlib.contextmanager
def running(command: list[str], ready: Callable[[str], str | None], cwd: Path) -> Iterator[Server]:
    """Start a server and yield it once one of its lines says where it is; end it afterwards."""
    output = cwd / f"{uuid.uuid4()}.log"  # a file and no pipe: moto writes a line per request
    with output.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{cwd}", "PYTHONUNBUFFERED": "1"},
        )
    try:
        while not (found := [url for line in output.read_text().splitlines() if (url := ready(line))]):
            if process.poll() is not None:
                raise RuntimeError(f"{command} ended before it was ready: {output.read_text()}")
            time.sleep(0.05)
        yield Server(process=process, url=found[0])
    finally:
        process.terminate()
        process.wait(60)


def after(mark: str) -> Callable[[str], str | None]:
    """Return what finds the address behind a mark in a line."""

    def found(line: str) -> str | None:
        return line.partition(mark)[2].split()[0].rstrip("/") if mark in line else None

    return found


class Caller(asyncio.Protocol):
    """Sends the next request when the answer to the last is there, on a new connection where the server closes."""

    def __init__(self, request: Callable[[], bytes], host: str, port: int, until: float) -> None:
        self.answered, self.failed = 0, 0
        self.over = asyncio.get_running_loop().create_future()
        self._request, self._where, self._until = request, (host, port), until
        self._data, self._transport = b"", None

    async def begin(self) -> None:
        """Connect and send the first request."""
        await asyncio.get_running_loop().create_connection(lambda: self, *self._where)

    def connection_made(self, transport: Any) -> None:
        self._transport, self._data = transport, b""
        transport.write(self._request())

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(self._data) < end + 4 + length:
            return
        self._data = b""
        self.answered += 1
        self.failed += b" 200 " not in head[:16]
        if time.monotonic() >= self._until:
            self._transport.close()
        elif b"connection: close" not in head:
            self._transport.write(self._request())

    def connection_lost(self, exc: Exception | None) -> None:
        if time.monotonic() < self._until:
            self._again = asyncio.ensure_future(self.begin())
        elif not self.over.done():
            self.over.set_result(None)


def load(server: Server, path: str, seconds: float) -> dict[str, float]:
    """Return rate and CPU per invocation; copies to a shadow belong to the requests they were made of."""
    where = urllib.parse.urlsplit(server.url)
    scope = "Credential=local/20260101/us-east-1/sagemaker/aws4_request"
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: text/csv\r\nContent-Length: {len(BODY)}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n\r\n"
    ).encode() + BODY
    return called(server, lambda: request, seconds, after=0.3)


def called(
    server: Server, request: Callable[[], bytes], seconds: float, after: float = 0.0
) -> dict[str, float]:
    """Return rate and the server's CPU per request under as many callers as there are connections.

    `after` are the seconds in which the server still works on what was asked of it.
    """
    where = urllib.parse.urlsplit(server.url)

    async def callers() -> tuple[int, int]:
        until = time.monotonic() + seconds
        made = [
            Caller(request, str(where.hostname), int(where.port or 80), until) for _ in range(CONNECTIONS)
        ]
        await asyncio.gather(*(each.begin() for each in made))
        await asyncio.wait([each.over for each in made], timeout=seconds + 30)
        return sum(each.answered for each in made), sum(each.failed for each in made)

    before, begun = server.cpu(), time.monotonic()
    answered, failed = uvloop.run(callers())
    elapsed = time.monotonic() - begun
    if failed or not answered:
        raise RuntimeError(f"{failed} of {answered} requests to {server.url} failed: {request()[:80]!r}")
    time.sleep(after)
    return {"cpu_us": (server.cpu() - before) / answered * 1e6, "rate": answered / elapsed}


def host(cloud: Server) -> None:
    """Make the three endpoints: alone, with a shadow of everything, and with capture of everything beside it."""
    sagemaker = cloud.client("sagemaker")
    cloud.client("s3").create_bucket(Bucket="captures")
    role = "arn:aws:iam::123456789012:role/serving"
    sagemaker.create_model(
        ModelName="m", ExecutionRoleArn=role, PrimaryContainer={"Image": "penumbra/light:1"}
    )
    variant = {"ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    shadow = {"ShadowProductionVariants": [{"VariantName": "shadow", "InitialVariantWeight": 1.0, **variant}]}
    capture = {
        "DataCaptureConfig": {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://captures/all",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        }
    }
    for name, more in (("alone", {}), ("shadowed", shadow), ("captured", shadow | capture)):
        production = {"VariantName": "production", "InitialVariantWeight": 1.0, **variant}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[production], **more)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    for name in ("alone", "shadowed", "captured"):
        while sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] != "InService":
            time.sleep(0.1)


def put(server: Server, samples: int, begin: datetime.datetime) -> None:
    """Put samples, one datum each, evenly over an hour, in PutMetricData calls of 1,000."""
    cloudwatch = server.client("cloudwatch")
    step = datetime.timedelta(seconds=3600) / samples
    dimensions = [{"Name": "EndpointName", "Value": "churn"}, {"Name": "VariantName", "Value": "production"}]
    data = [
        {
            "MetricName": "ModelLatency",
            "Dimensions": dimensions,
            "Timestamp": begin + k * step,
            "Value": 1000.0 + k % 977,
        }
        for k in range(samples)
    ]
    for at in range(0, samples, 1000):
        cloudwatch.put_metric_data(Namespace="Own", MetricData=data[at : at + 1000])


def query(cloudwatch: Any, begin: datetime.datetime) -> tuple[float, float]:
    """Return the seconds that an hour's GetMetricData took, and the sum of its points."""
    metric = {
        "Namespace": "Own",
        "MetricName": "ModelLatency",
        "Dimensions": [
            {"Name": "EndpointName", "Value": "churn"},
            {"Name": "VariantName", "Value": "production"},
        ],
    }
    queries = [{"Id": "q", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}]
    begun = time.perf_counter()
    answer = cloudwatch.get_metric_data(
        MetricDataQueries=queries, StartTime=begin, EndTime=begin + datetime.timedelta(hours=1)
    )
    return time.perf_counter() - begun, sum(answer["MetricDataResults"][0]["Values"])


def note(line: str) -> None:
    """Say on standard error how far it is."""
    print(line, file=sys.stderr, flush=True)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything, interleaved; return medians and ratios."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        (folder / "bare.py").write_text(UVICORN)
        state = str(folder / "state")
        command = ["-m", "include.localcloud", "--port", "0", "--state", state, "--log-level", "warning"]
        cloud = stack.enter_context(running(command, after("ready "), folder))
        command = ["-m", "uvicorn", "bare:app", "--port", "0", "--loop", "uvloop", "--http", "httptools"]
        command += ["--no-access-log"]
        uvicorn = stack.enter_context(running(command, after("running on "), folder))
        command = ["-c", "from moto.server import main; main(['-p', '0'])"]
        moto = stack.enter_context(running(command, after("Running on "), folder))
        host(cloud)
        ways = {
            "gateway": (cloud, "/endpoints/alone/invocations"),
            "gateway, shadow": (cloud, "/endpoints/shadowed/invocations"),
            "gateway, shadow and capture": (cloud, "/endpoints/captured/invocations"),
            "uvicorn": (uvicorn, "/endpoints/alone/invocations"),
            "moto": (moto, "/endpoints/alone/invocations"),
        }
        for server, path in ways.values():
            load(server, path, 0.5)  # what is loaded at the first request is not what a request costs
        seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, (server, path) in ways.items():
                seen[way].append(load(server, path, options.seconds))
                note(f"{way}: {seen[way][-1]['cpu_us']:.0f} µs a request")
        begin = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0) - datetime.timedelta(
            minutes=70
        )
        queries: dict[str, list[float]] = {"local cloud": [], "moto": []}
        sums = {}
        for way, server in (("local cloud", cloud), ("moto", moto)):
            begun = time.perf_counter()
            put(server, options.samples, begin)
            note(f"{options.samples} samples put to {way} in {time.perf_counter() - begun:.1f} s")
        clients = {"local cloud": cloud.client("cloudwatch"), "moto": moto.client("cloudwatch")}
        first = {way: query(client, begin)[0] for way, client in clients.items()}
        for _ in range(options.rounds):
            for way, client in clients.items():
                took, sums[way] = query(client, begin)
                queries[way].append(took)
        if len(set(sums.values())) != 1:
            raise RuntimeError(f"the two answer differently: {sums}")
    cpu = {way: statistics.median(each["cpu_us"] for each in rounds) for way, rounds in seen.items()}
    rate = {way: statistics.median(each["rate"] for each in rounds) for way, rounds in seen.items()}
    waited = {way: statistics.median(rounds) * 1e3 for way, rounds in queries.items()}
    return {
        "invoke": {
            way: {"cpu_us": round(cpu[way], 1), "rate": round(rate[way]), "rounds": len(seen[way])}
            for way in ways
        },
        "query_ms": {way: round(took, 2) for way, took in waited.items()},
        "first_query_ms": {way: round(took * 1e3, 2) for way, took in first.items()},
        "ratios": {
            "moto's CPU over the gateway's": round(cpu["moto"] / cpu["gateway"], 1),
            "the gateway's CPU over uvicorn's": round(cpu["gateway"] / cpu["uvicorn"], 2),
            "with a shadow over uvicorn's": round(cpu["gateway, shadow"] / cpu["uvicorn"], 2),
            "with shadow and capture over uvicorn's": round(
                cpu["gateway, shadow and capture"] / cpu["uvicorn"], 2
            ),
            "moto's query over the local cloud's": round(waited["moto"] / waited["local cloud"], 1),
        },
    }


def record(
    name: str, options: argparse.Namespace, measure: Callable[[argparse.Namespace], dict[str, Any]]
) -> None:
    """Measure and print the numbers beside the date, the machine and what was asked; keep them if asked."""
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "load_before": round(os.getloadavg()[0], 1),  # others at work spoil rates; CPU times less so
        },
        **{asked: value for asked, value in vars(options).items() if asked != "write"},
        **measure(options),
    }
    print(json.dumps(result, indent=1))
    if options.write:
        results = ROOT / "benchmarks" / "results"
        results.mkdir(exist_ok=True)
        (results / f"{name}-{result['date']}.json").write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    """Print the numbers, and keep them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load per round and server")
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--write", action="store_true")
    record("local_cloud", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
