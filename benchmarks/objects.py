"""The local SageMaker's S3 beside moto's server, in one run: small objects put and read in a second.

    python benchmarks/objects.py [--rounds 5] [--seconds 2] [--bytes 1024] [--write]

A put makes an object under a key of its own, a get reads one of those that were put; both over the connections of
`local_cloud.py`, unsigned, so that what is measured is the server and not an SDK. Rates are what the callers saw, CPU
is the serving process's (user and system, from /proc). Everything is interleaved and the medians of all rounds
compared; ratios compare one run only. `--write` keeps the numbers as dated JSON in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.local_cloud import Server, after, called, note, record, running  # noqa: E402

BUCKET = "objects"


class Objects:
    """The requests that put new objects into one server's bucket, and read them again."""

    def __init__(self, server: Server, size: int) -> None:
        self._host, self._body = urllib.parse.urlsplit(server.url).netloc, os.urandom(size)
        self._put = 0
        self._read = itertools.count()

    def put(self) -> bytes:
        """Return the request for an object under a new key."""
        self._put += 1
        return self._request("PUT", self._put) + self._body

    def get(self) -> bytes:
        """Return the request for one of the objects that were put, each in its turn."""
        return self._request("GET", next(self._read) % self._put + 1)

    def _request(self, method: str, number: int) -> bytes:
        scope = "Credential=local/20260101/us-east-1/s3/aws4_request"
        length = len(self._body) if method == "PUT" else 0
        return (
            f"{method} /{BUCKET}/a/{number:08d} HTTP/1.1\r\nHost: {self._host}\r\nContent-Length: {length}\r\n"
            f"Authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0\r\n\r\n"
        ).encode()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run everything, interleaved; return medians and ratios."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        command = ["-m", "include.localcloud", "--port", "0", "--state", str(folder / "state")]
        cloud = stack.enter_context(running([*command, "--log-level", "warning"], after("ready "), folder))
        command = ["-c", "from moto.server import main; main(['-p', '0'])"]
        moto = stack.enter_context(running(command, after("Running on "), folder))
        ways: dict[str, tuple[Server, Callable[[], bytes]]] = {}
        for who, server in (("local cloud", cloud), ("moto", moto)):
            server.client("s3").create_bucket(Bucket=BUCKET)
            objects = Objects(server, options.bytes)
            ways |= {f"{who}, put": (server, objects.put), f"{who}, get": (server, objects.get)}
        for server, request in ways.values():
            called(server, request, 0.5)  # what is loaded at the first request is not what a request costs
        seen: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, (server, request) in ways.items():
                seen[way].append(called(server, request, options.seconds))
                note(f"{way}: {seen[way][-1]['rate']:.0f} objects a second")
    objects_by_way = {
        way: {
            "rate": round(statistics.median(each["rate"] for each in rounds)),
            "cpu_us": round(statistics.median(each["cpu_us"] for each in rounds), 1),
        }
        for way, rounds in seen.items()
    }
    ratios = {}
    for verb in ("put", "get"):
        ours, theirs = objects_by_way[f"local cloud, {verb}"], objects_by_way[f"moto, {verb}"]
        ratios[f"{verb}: the local cloud's rate over moto's"] = round(ours["rate"] / theirs["rate"], 1)
        ratios[f"{verb}: moto's CPU over the local cloud's"] = round(theirs["cpu_us"] / ours["cpu_us"], 1)
    return {"objects": objects_by_way, "ratios": ratios}


def main() -> None:
    """Print the numbers, and keep them if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load per round, server and verb")
    parser.add_argument("--bytes", type=int, default=1024, help="of an object")
    parser.add_argument("--write", action="store_true")
    record("objects", parser.parse_args(), measure)


if __name__ == "__main__":
    main()
