"""Live traffic to the churn endpoint of `make up`: what a caller in production would send, until Ctrl-C."""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from quickstart import project, samples, seed
from quickstart.cloud import CREDENTIALS, REGION
from quickstart.layout import local

SHOW_SECONDS = 5.0


class Callers:
    """Callers who send recorded requests at random times and count the answers.

    A Poisson stream: no caller waits for another's answer, up to `threads` at once.
    """

    def __init__(
        self, invoke: Callable[[str], None], bodies: Sequence[str], *, rate: float, threads: int = 32
    ) -> None:
        """`invoke` sends one body and raises where it is not answered; `rate` is requests per second."""
        self._invoke = invoke
        self._bodies = itertools.cycle(bodies)
        self._rate = rate
        self._threads = threads
        self._lock = threading.Lock()
        self._answers: Counter[str] = Counter()

    def answers(self) -> Counter[str]:
        """Return how many requests were answered, and how many failed by the kind of error."""
        with self._lock:
            return Counter(self._answers)

    def run(
        self, until: Callable[[], bool], *, clock: Callable[[], float] = time.monotonic, seed: int = 1
    ) -> None:
        """Send until told to stop, then wait for the last answers."""
        chance = random.Random(seed)
        due = clock()
        with ThreadPoolExecutor(self._threads) as pool:
            while not until():
                due += chance.expovariate(self._rate)
                time.sleep(max(0.0, due - clock()))
                pool.submit(self._send, next(self._bodies))

    def _send(self, body: str) -> None:
        try:
            self._invoke(body)
            outcome = "answered"
        except Exception as error:  # each kind is counted and shown; none may end the traffic
            outcome = type(error).__name__
        with self._lock:
            self._answers[outcome] += 1


def invoker(url: str, endpoint: str = seed.ENDPOINT) -> Callable[[str], None]:
    """Return a function that sends one CSV row to an endpoint of the local cloud, without retries."""
    import boto3
    from botocore.config import Config

    runtime: Any = boto3.client(
        "sagemaker-runtime",
        region_name=REGION,
        endpoint_url=url,
        config=Config(proxies={}, retries={"total_max_attempts": 1}, max_pool_connections=64),
        **CREDENTIALS,
    )

    def invoke(body: str) -> None:
        runtime.invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv")["Body"].read()

    return invoke


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m quickstart.traffic", description=__doc__)
    parser.add_argument("--rate", type=float, default=60.0, help="requests per second (60)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    options = parser.parse_args(arguments)
    known = project.address()
    if not known:
        print("Nothing to send traffic to: start the local project first, with make up.", file=sys.stderr)
        return 1
    bodies = samples.prepare(local().samples).replay.read_text().splitlines()
    callers = Callers(invoker(known["cloud"]), bodies, rate=options.rate)
    end = time.monotonic() + options.seconds
    stop = threading.Event()
    worker = threading.Thread(target=callers.run, args=(lambda: stop.is_set() or time.monotonic() > end,))
    print(f"Sending {options.rate:g} requests per second to {seed.ENDPOINT}; Ctrl-C stops.", flush=True)
    worker.start()
    try:
        while worker.is_alive():
            worker.join(SHOW_SECONDS)
            print(
                "  ".join(f"{kind} {count}" for kind, count in sorted(callers.answers().items())), flush=True
            )
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        worker.join()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
