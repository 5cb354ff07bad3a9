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
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from include.localcloud.runtime.container.answer import Program
from include.localcloud.runtime.container.behaviour import Behaviour
from include.localcloud.runtime.container.lifeline import die_with, watch
from include.localcloud.runtime.container.server import serve

if TYPE_CHECKING:
    from include.localcloud.runtime.container.script import Defaults


def load(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Program:
    """Return the program with its model loaded; raise ValueError when the model or its script cannot be."""
    if arguments.program == "light":
        from include.localcloud.runtime.container.light import Light

        return Light(environment)
    from include.localcloud.runtime.container.archive import unpack

    model, source = arguments.model_dir, None
    model.mkdir(parents=True, exist_ok=True)
    if arguments.model_data is not None:
        unpack(arguments.model_data, model)
    if arguments.source is not None:
        source = model.parent / "source"
        unpack(arguments.source, source)
    if script := _script(arguments.program, model, source, environment):
        return script
    if arguments.program == "python":
        raise ValueError(
            "the image penumbra/python has no script; put code/inference.py into the model archive, or name a file "
            "with LOCAL_SCRIPT"
        )
    if arguments.program == "scikit-learn":
        raise ValueError(
            "the scikit-learn image has no script, and loads no model without one; put code/inference.py with a "
            "model_fn into the model archive, or name a script with SAGEMAKER_PROGRAM"
        )
    if arguments.model_data is None:
        raise ValueError("the XGBoost image needs ModelDataUrl; the model has none")
    # xgboost imports these when it can, which doubles an instance's start; no request needs them.
    for unneeded in ("pandas", "sklearn"):
        sys.modules[unneeded] = None  # type: ignore[assignment]
    from include.localcloud.runtime.container import xgboost_model

    return xgboost_model.load(model, environment, old_pickles=arguments.old_pickles)


def _script(program: str, model: Path, source: Path | None, environment: Mapping[str, str]) -> Program | None:
    from include.localcloud.runtime.container.script import Script, find_script

    found = find_script(model, source, environment)
    if found is None:
        return None
    if (found.parent / "requirements.txt").is_file():
        print("requirements.txt beside the script is not installed by the local cloud", file=sys.stderr)
    return Script(found, model, _defaults(program), environment)


def _defaults(program: str) -> "Defaults":
    match program:
        case "python":
            from include.localcloud.runtime.container.plain_hooks import DEFAULTS
        case "scikit-learn":
            from include.localcloud.runtime.container.scikit_learn_hooks import DEFAULTS
        case _:
            from include.localcloud.runtime.container.xgboost_hooks import DEFAULTS
    return DEFAULTS


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
    parser.add_argument("--program", choices=("xgboost", "light", "python", "scikit-learn"), required=True)
    parser.add_argument("--model-data", type=Path)
    parser.add_argument("--source", type=Path, help="an archive of scripts, from SAGEMAKER_SUBMIT_DIRECTORY")
    parser.add_argument("--old-pickles", action="store_true", help="read pickles of XGBoost before 1.0")
    parser.add_argument("--model-dir", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    die_with(arguments.parent)
    try:
        behaviour = Behaviour.from_environment(os.environ)
        program = load(arguments, os.environ)
    except ValueError as error:
        sys.exit(str(error))
    gc.freeze()  # what is loaded now stays: no collection walks it while a request waits
    uvloop.run(run(arguments.socket, program, behaviour))
    # No interpreter clean-up: native libraries take longer to unload than the parent should wait.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
