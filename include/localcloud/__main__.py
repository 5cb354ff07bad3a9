"""`python -m include.localcloud`: serve until SIGTERM or SIGINT."""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop

from include.localcloud.clock import FASTEST
from include.localcloud.cloud import LocalCloud
from include.localcloud.reset import ForeignFolderError, reset
from include.localcloud.state import StateInUseError

_LAST_PORT = 65_535


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m include.localcloud",
        description="A local SageMaker (with its runtime, CloudWatch and S3) that really serves models.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=_port, default=4566, help="port to listen on; 0 takes a free one (%(default)s)"
    )
    parser.add_argument(
        "--state", type=Path, required=True, help="folder that keeps everything over a restart"
    )
    parser.add_argument(
        "--clock-scale", type=_scale, help="how many times as fast its time passes (as stored, else 1)"
    )
    parser.add_argument("--reset", action="store_true", help="forget everything that the folder holds first")
    parser.add_argument(
        "--coarse-metrics",
        action="store_true",
        help="keep metric values in buckets a tenth wide instead of exactly",
    )
    parser.add_argument(
        "--log-level", default="info", choices=["debug", "info", "warning", "error"], help="(%(default)s)"
    )
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is no port; it must be a number from 0 to {_LAST_PORT}")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale <= FASTEST:
        raise argparse.ArgumentTypeError(f"{text} is no scale; it must be above 0 and at most {FASTEST:.0f}")
    return scale


async def serve(options: argparse.Namespace) -> int:
    """Serve until a signal comes; return the exit status."""
    try:
        if options.reset:
            reset(options.state)
        cloud = LocalCloud(options.state, clock_scale=options.clock_scale)
    except (StateInUseError, ForeignFolderError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        said = (
            f"the state folder {options.state} cannot be used: {error.strerror}; choose another with --state"
        )
        print(said, file=sys.stderr)
        return 2
    cloud.faults.data_plane = cloud.gateway
    cloud.metrics.coarse = options.coarse_metrics
    cloud.metrics.keep(options.state / "metrics")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        try:
            port = await cloud.start(options.host, options.port)
        except OSError as error:
            print(
                f"cannot listen on {options.host}:{options.port}: {error.strerror}; choose another with --port",
                file=sys.stderr,
            )
            return 3
        print(f"ready http://{options.host}:{port}", flush=True)
        await stop.wait()
    finally:
        await cloud.close()
        cloud.metrics.close()
    return 0


def main() -> int:
    """Run the program."""
    options = arguments()
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)-7s %(message)s", stream=sys.stderr
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(options))


if __name__ == "__main__":
    sys.exit(main())
