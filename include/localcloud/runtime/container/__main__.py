"""`python -m include.localcloud.runtime.container`: one instance, from start to SIGTERM.

Started by the local cloud with standard input held open; everything else comes from the arguments and, as in
a container, from the environment.
"""

import argparse
import asyncio
import gc
import os
import signal
import sys
from pathlib import Path

import uvloop

from include.localcloud.runtime.container.answer import Program
from include.localcloud.runtime.container.behaviour import Behaviour
from include.localcloud.runtime.container.lifeline import die_with, watch
from include.localcloud.runtime.container.server import serve


def load(program: str, model_data: Path | None, directory: Path) -> Program:
    """Return the named program with its model loaded; raise ValueError when the model cannot be."""
    if program == "light":
        from include.localcloud.runtime.container.light import Light

        return Light(os.environ)
    # xgboost imports pandas when it can, which doubles an instance's start; no request needs it.
    sys.modules["pandas"] = None  # type: ignore[assignment]
    from include.localcloud.runtime.container.archive import unpack
    from include.localcloud.runtime.container.xgboost_model import XgboostModel

    if model_data is None:
        raise ValueError("the XGBoost image needs ModelDataUrl; the model has none")
    unpack(model_data, directory)
    return XgboostModel.from_directory(directory, os.environ)


async def run(socket: Path, program: Program, behaviour: Behaviour) -> None:
    """Serve until SIGTERM, SIGINT or the parent's end."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    # Ctrl-C reaches the whole process group; the local cloud drains first and then ends its instances.
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    watch(loop, over.set)
    await serve(socket, program, behaviour)
    await over.wait()


def main() -> None:
    """Load, then listen: an instance that accepts a connection is ready."""
    parser = argparse.ArgumentParser(prog="container", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--program", choices=("xgboost", "light"), required=True)
    parser.add_argument("--model-data", type=Path)
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with(arguments.parent)
    try:
        behaviour = Behaviour.from_environment(os.environ)
        program = load(arguments.program, arguments.model_data, arguments.model_dir)
    except ValueError as error:
        sys.exit(str(error))
    gc.freeze()  # what is loaded now stays: no collection walks it while a request waits
    uvloop.run(run(arguments.socket, program, behaviour))
    # No interpreter clean-up: native libraries take longer to unload than the parent should wait.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
