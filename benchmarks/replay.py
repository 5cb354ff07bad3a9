"""Replay beside the usual clients, in one run against one fast local server: CPU per request and lateness.

    python benchmarks/replay.py [--only saturated] [--repeats 3] [--seconds 3] [--requests 4000]
                                [--records 10000000] [--aiobotocore FOLDER] [--write]

Saturated: every client keeps as many requests under way as it can (32; one for sequential boto3) and
pays for what it does: boto3, aiobotocore and ours sign every request, wrk and hey sign nothing. Open
loop: at 500, 2,000 and 5,000 requests/s, how late do requests leave, with the machine's own timer and a
thread pool beside it, and in proportion to the former. CPU is the client process's user and system time
over its requests, boto3's and ours after a warm-up. Everything is run `--repeats` times, in turn, and
medians are shown; a ratio is the median of the ratios within one turn, so that a machine that is busy for
a while is so for both. What is not there is skipped with a line; `--aiobotocore` names the folder of a
`pip install --target`, since nothing else here needs it. `--only` runs one kind. `--write` keeps the
numbers as dated JSON in benchmarks/results/, beside those of other kinds of the same day.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import itertools
import json
import math
import os
import platform
import resource
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ROWS = [",".join(f"{i * 0.37 + k:.3f}" for k in range(69)).encode() for i in range(300)]
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/csv; charset=utf-8\r\nx-Amzn-Invoked-Production-Variant: AllTraffic\r\n"
    b"Date: Sun, 01 Mar 2026 12:00:00 GMT\r\nContent-Length: 20\r\n\r\n0.015842037275433541"
)
PATH = "/endpoints/churn/invocations"
RATES = (500, 2000, 5000)


def serve(port_file: str, certificate: str, key: str) -> None:
    """Answer every POST at once, without looking at it; plain and TLS."""
    import uvloop

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.data = transport, b""

        def data_received(self, data: bytes) -> None:
            data = self.data + data if self.data else data
            while (end := data.find(b"\r\n\r\n")) >= 0:
                at = data[:end].lower().find(b"content-length:")
                length = int(data[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                if len(data) < end + 4 + length:
                    break
                data = data[end + 4 + length :]
                self.transport.write(ANSWER)
            self.data = data

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        ports = []
        for tls in (None, context):
            server = await loop.create_server(Protocol, "127.0.0.1", 0, ssl=tls, backlog=512)
            ports.append(server.sockets[0].getsockname()[1])
        Path(port_file + ".new").write_text(json.dumps(ports))
        os.replace(port_file + ".new", port_file)
        await asyncio.Event().wait()

    uvloop.run(main())


class Cpu:
    """User and system time of this process from here on."""

    def __init__(self) -> None:
        self._before, self._clock = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()

    def over(self, count: int) -> dict[str, Any]:
        now, before = resource.getrusage(resource.RUSAGE_SELF), self._before
        return charged(now, before, count, time.perf_counter() - self._clock)


def charged(now: Any, before: Any, count: int, took: float) -> dict[str, Any]:
    """Charge `count` requests with the CPU between two looks at a process's resources."""
    if count < 1:
        sys.exit("no request was completed: this machine is too loaded to measure")
    user, system = now.ru_utime - before.ru_utime, now.ru_stime - before.ru_stime
    return {
        "requests": count,
        "rate": round(count / took),
        "cpu_us": round((user + system) / count * 1e6, 1),
        "user_us": round(user / count * 1e6, 1),
    }


def boto3_client(url: str, ca: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sagemaker-runtime",
        region_name="eu-west-1",
        endpoint_url=url,
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="secret",
        verify=ca if url.startswith("https") else None,
        config=Config(max_pool_connections=32),
    )


def invoke(client: Any, index: int) -> None:
    client.invoke_endpoint(
        EndpointName="churn", Body=ROWS[index % 300], ContentType="text/csv", InferenceId=f"i-{index}"
    )["Body"].read()


def boto3_sequential(url: str, ca: str, requests: int, **_: Any) -> dict[str, Any]:
    client = boto3_client(url, ca)
    for index in range(100):
        invoke(client, index)
    cpu = Cpu()
    for index in range(requests):
        invoke(client, index)
    return cpu.over(requests)


def boto3_threads(url: str, ca: str, requests: int, **_: Any) -> dict[str, Any]:
    client = boto3_client(url, ca)
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda index: invoke(client, index), range(100)))
        cpu = Cpu()
        list(pool.map(lambda index: invoke(client, index), range(requests)))
        return cpu.over(requests)


def aiobotocore(url: str, ca: str, requests: int, folder: str, **_: Any) -> dict[str, Any]:
    sys.path.insert(0, folder)
    from aiobotocore.session import get_session

    async def main() -> dict[str, Any]:
        async with get_session().create_client(
            "sagemaker-runtime",
            region_name="eu-west-1",
            endpoint_url=url,
            aws_access_key_id="AKIDEXAMPLE",
            aws_secret_access_key="secret",
            verify=ca if url.startswith("https") else None,
        ) as client:
            numbers = iter(range(requests))

            async def worker() -> None:
                for index in numbers:
                    answer = await client.invoke_endpoint(
                        EndpointName="churn",
                        Body=ROWS[index % 300],
                        ContentType="text/csv",
                        InferenceId=f"i-{index}",
                    )
                    await answer["Body"].read()

            cpu = Cpu()
            await asyncio.gather(*(worker() for _ in range(32)))
            return cpu.over(requests)

    return asyncio.run(main())


def ours(url: str, ca: str, seconds: float, rate: float | None = None, **_: Any) -> dict[str, Any]:
    from include.replay.engine import replay
    from include.replay.pacer import Poisson, Saturating
    from include.replay.progress import Progress
    from include.replay.request import Request
    from include.replay.target import Credentials, Target
    from include.rollout.names import inference_ids

    target = Target(
        endpoint="churn",
        region="eu-west-1",
        base_url=url,
        credentials=Credentials(access_key="AKIDEXAMPLE", secret_key="secret"),
        ca_file=ca if url.startswith("https") else None,
    )
    cpu, begun, result = Cpu(), 0, {}

    def hear(progress: Progress) -> None:
        nonlocal cpu, begun, result
        count = progress.account.scheduled + progress.account.warm_up
        if begun == 0:  # connections are made, as boto3's are when it is measured
            cpu, begun = Cpu(), count
        else:
            result = cpu.over(count - begun)

    account = replay(
        target=target,
        requests=itertools.cycle([Request(body=row) for row in ROWS]),
        pacer=Saturating() if rate is None else Poisson(rate=rate, seed=1),
        duration=seconds,
        limit=None,
        late_after=1.0,
        inference_id=inference_ids("benchmark234", 0),
        in_flight=32 if rate is None else 256,
        warm_up=0.5,
        progress=hear,
        progress_every=0.5,
    )
    assert account.answered == account.scheduled, account
    if rate is not None:
        result["late_p50_us"], result["late_p99_us"] = (
            round((account.lateness.quantile(q) or 0) * 1e6) for q in (0.5, 0.99)
        )
    return result


def thread_pool(url: str, ca: str, seconds: float, rate: float, **_: Any) -> dict[str, Any]:
    """Pace as a thread pool does: one thread sleeps until each time and hands over; sends are boto3's."""
    import numpy as np

    client, late = boto3_client(url, ca), []
    due = np.cumsum(np.random.default_rng(1).exponential(1 / rate, int(rate * seconds))).tolist()

    def send(index: int, at: float) -> None:
        late.append(time.perf_counter() - at)
        invoke(client, index)

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda index: invoke(client, index), range(100)))
        cpu, start = Cpu(), time.perf_counter()
        for index, offset in enumerate(due):
            if (wait := start + offset - time.perf_counter()) > 0:
                time.sleep(wait)
            pool.submit(send, index, start + offset)
        pool.shutdown()
    return cpu.over(len(due)) | percentiles(late)


def timer_floor(seconds: float, rate: float, **_: Any) -> dict[str, Any]:
    """How late the machine wakes a thread that only sleeps: clock_nanosleep, nothing else."""
    late, at, cpu = [], time.perf_counter(), Cpu()
    for _ in range(int(rate * seconds)):
        at += 1 / rate
        if (wait := at - time.perf_counter()) > 0:
            time.sleep(wait)
        late.append(time.perf_counter() - at)
    return cpu.over(len(late)) | percentiles(late)


def percentiles(late: list[float]) -> dict[str, Any]:
    late.sort()
    return {
        f"late_p{round(q * 100)}_us": round(late[math.ceil(q * len(late)) - 1] * 1e6) for q in (0.5, 0.99)
    }


def memory(records: int, **_: Any) -> dict[str, Any]:
    """Read a source of so many records and watch the process's peak."""
    from include.replay.source import Rows

    with tempfile.TemporaryDirectory() as folder:
        block, path = b"".join(b"%d,0.5,0.25,1.75\n" % i for i in range(100_000)), Path(folder) / "rows.csv"

        def peak(blocks: int) -> tuple[float, int]:
            with path.open("wb") as file:
                for _ in range(blocks):
                    file.write(block)
            count = sum(1 for _ in Rows(where=path, content_type="text/csv"))
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, count

        small, _ = peak(1)
        cpu = Cpu()
        large, count = peak(max(1, records // 100_000))
        return cpu.over(count) | {
            "records": count,
            "peak_mb_100k_records": round(small),
            "peak_mb_all_records": round(large),
        }


def tool(command: list[str], count: Callable[[str], int]) -> dict[str, Any]:
    """Run somebody else's program and charge it with its own CPU."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    took, now = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    return charged(now, before, count(said), took)


def wrk(url: str, folder: str, seconds: float) -> dict[str, Any]:
    script = Path(folder) / "post.lua"
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = "{ROWS[0].decode()}"\nwrk.headers["Content-Type"] = "text/csv"\n'
    )
    command = ["wrk", "-t1", "-c32", f"-d{max(1, round(seconds))}s", "-s", str(script), url + PATH]
    return tool(command, lambda said: int(said.split(" requests in ")[0].split()[-1]))


def hey(url: str, requests: int) -> dict[str, Any]:
    body = ["-m", "POST", "-T", "text/csv", "-d", ROWS[0].decode()]
    done = requests * 5
    return tool(["hey", "-n", str(done), "-c", "32", *body, url + PATH], lambda _: done)


KINDS = ("saturated", "open loop", "memory")
LABELS = ("kind", "at", "scheme", "client")
CLIENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "boto3, sequential": boto3_sequential,
    "boto3, 32 threads": boto3_threads,
    "aiobotocore, 32 tasks": aiobotocore,
    "ours": ours,
    "thread pool": thread_pool,
    "timer floor": timer_floor,
    "memory": memory,
}


def in_process(name: str, **options: Any) -> dict[str, Any]:
    """Run one client in a fresh interpreter."""
    command = [sys.executable, __file__, "--client", name, "--options", json.dumps(options)]
    return dict(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def saturated(
    urls: dict[str, str], ca: str, folder: str, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    options = {"ca": ca, "requests": arguments.requests, "seconds": arguments.seconds}
    options["folder"] = arguments.aiobotocore
    for scheme, url in urls.items():
        base = 0.0
        for name in ("boto3, sequential", "boto3, 32 threads", "aiobotocore, 32 tasks", "hey", "wrk", "ours"):
            if name in {"hey", "wrk"} and shutil.which(name) is None:
                print(f"  {name} is not installed (Debian's package {name}): skipped")
                continue
            if name.startswith("aiobotocore") and arguments.aiobotocore is None:
                print("  aiobotocore is not there (name its folder with --aiobotocore): skipped")
                continue
            if name == "hey":
                found = hey(url, arguments.requests)
            elif name == "wrk":
                found = wrk(url, folder, arguments.seconds)
            else:
                found = in_process(name, url=url, **options)
            base = base or found["cpu_us"]
            ratio = {"times_less_than_boto3": base / found["cpu_us"]}
            yield {"kind": "saturated", "scheme": scheme, "client": name} | found | ratio


def paced(urls: dict[str, str], ca: str, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    for rate in RATES:
        options = {"rate": rate, "seconds": arguments.seconds}
        floor = in_process("timer floor", **options)
        yield {"kind": "open loop", "at": rate, "client": "timer floor"} | floor
        if rate == RATES[0]:  # beyond it boto3 in threads cannot keep up with the rate
            yield {"kind": "open loop", "at": rate, "scheme": "http", "client": "thread pool"} | in_process(
                "thread pool", url=urls["http"], ca=ca, **options
            )
        for scheme, url in urls.items():
            found = in_process("ours", url=url, ca=ca, **options)
            ratio = {"late_p99_over_floor": found["late_p99_us"] / floor["late_p99_us"]}
            yield {"kind": "open loop", "at": rate, "scheme": scheme, "client": "ours"} | found | ratio


def show(entry: dict[str, Any]) -> None:
    label = " ".join(str(entry[key]) for key in LABELS if key in entry)
    text = f"  {label:<44} {entry['rate']:>7}/s  {entry['cpu_us']:>7} us"
    if entry["kind"] == "saturated":
        text += f"  {entry['times_less_than_boto3']:>6}x"
    elif entry["kind"] == "open loop":
        text += f"  late p50 {entry['late_p50_us']} us, p99 {entry['late_p99_us']} us"
        if "late_p99_over_floor" in entry:
            text += f", {entry['late_p99_over_floor']} times the machine's own"
    else:
        text += "  " + ", ".join(f"{k} {v}" for k, v in entry.items() if k.startswith("peak"))
    print(text, flush=True)


def median(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one entry of the medians of what was measured in each turn, with every turn's CPU beside it."""
    whole = {
        key: value if key in LABELS else round(statistics.median(entry[key] for entry in entries), 1)
        for key, value in entries[0].items()
    }
    return whole | {"cpu_us_of_each": [entry["cpu_us"] for entry in entries]}


def main() -> None:
    parser = argparse.ArgumentParser(description="Replay beside the usual clients.")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--only", choices=KINDS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--aiobotocore", metavar="FOLDER")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--client", choices=[*CLIENTS], help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--options", default="{}", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
    elif arguments.client:
        print(json.dumps(CLIENTS[arguments.client](**json.loads(arguments.options))))
    else:
        compare(arguments)


def compare(arguments: argparse.Namespace) -> None:
    """Start the server, run every client against it in turn, print and keep what they took."""
    load = os.getloadavg()[0]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f} at the start"
    )
    with tempfile.TemporaryDirectory() as folder:
        ca, key, ports = (str(Path(folder) / name) for name in ("cert.pem", "key.pem", "ports"))
        certify(ca, key)
        server = subprocess.Popen([sys.executable, __file__, "--serve", ports, ca, key])
        try:
            while not Path(ports).exists():
                if server.poll() is not None:
                    raise SystemExit("the server did not start")
                time.sleep(0.05)
            plain, tls = json.loads(Path(ports).read_text())
            urls = {"http": f"http://127.0.0.1:{plain}", "https": f"https://127.0.0.1:{tls}"}
            kinds: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
                "saturated": lambda: saturated(urls, ca, folder, arguments),
                "open loop": lambda: paced(urls, ca, arguments),
                "memory": lambda: [{"kind": "memory"} | in_process("memory", records=arguments.records)],
            }
            entries: list[dict[str, Any]] = []
            for kind, measured in kinds.items():
                if arguments.only in {None, kind}:
                    turns = [list(measured()) for _ in range(arguments.repeats)]
                    entries += [median(list(of_one)) for of_one in zip(*turns, strict=True)]
            for entry in entries:
                show(entry)
        finally:
            server.terminate()
            server.wait(10)
    if arguments.write:
        keep(entries, load)


def keep(entries: list[dict[str, Any]], load: float) -> None:
    """Write the entries to the day's file, in place of those of the same kinds."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    path = ROOT / "benchmarks" / "results" / f"replay-{today}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {"architecture": platform.machine(), "cores": os.cpu_count()}
    entries = [entry | {"load_before": round(load, 1)} for entry in entries]
    renewed = {entry["kind"] for entry in entries}
    known = json.loads(path.read_text())["entries"] if path.exists() else []
    entries = [entry for entry in known if entry["kind"] not in renewed] + entries
    whole = {"date": today, "machine": machine | {"python": platform.python_version()}, "entries": entries}
    path.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"kept in {path.relative_to(ROOT)}")


def certify(certificate: str, key: str) -> None:
    """Write a certificate for 127.0.0.1 that only its own file vouches for."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(
            name, name, private.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    Path(certificate).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    Path(key).write_bytes(private.private_bytes(*form))


if __name__ == "__main__":
    main()
