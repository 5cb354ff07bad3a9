"""One instance's operating system process: start it as a container is started, and end it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import include
from include.localcloud.runtime.images import Image

_ROOT = Path(include.__file__).resolve().parent.parent
# SageMaker gives a container 30 s between SIGTERM and SIGKILL.
STOP_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where one instance lives: its private directory, its socket, its log."""

    directory: Path
    socket: Path
    log: Path

    @property
    def model(self) -> Path:
        """The unpacked model archive, /opt/ml/model in a container."""
        return self.directory / "model"


def _environment(workspace: Workspace, model: Mapping[str, str]) -> dict[str, str]:
    """Return a container's environment: nothing of this process but how to find programs and a time zone."""
    inherited = {
        name: os.environ[name] for name in ("PATH", "LANG", "TZ", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        **inherited,
        "HOME": str(workspace.directory),
        "TMPDIR": str(workspace.directory),
        "PYTHONPATH": str(_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SM_MODEL_DIR": str(workspace.model),
        # Two threads on one row are five times slower than one; the real container sets this too.
        "OMP_NUM_THREADS": "1",
        **model,
    }


async def start(
    image: Image,
    workspace: Workspace,
    model_data: Path | None,
    environment: Mapping[str, str],
    source: Path | None = None,
) -> asyncio.subprocess.Process:
    """Start the image's program; it listens on the workspace's socket once its model is loaded.

    `model_data` is the model's archive and `source` an archive of scripts, each None where there is none.
    """
    workspace.directory.mkdir(parents=True, exist_ok=True)
    workspace.log.parent.mkdir(parents=True, exist_ok=True)
    workspace.socket.unlink(missing_ok=True)
    arguments = [
        *("--socket", str(workspace.socket), "--program", image.runtime.value),
        *("--model-dir", str(workspace.model), "--parent", str(os.getpid())),
        *(("--model-data", str(model_data.resolve())) if model_data else ()),
        *(("--source", str(source.resolve())) if source else ()),
        *(("--old-pickles",) if image.old_pickles else ()),
    ]
    with workspace.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "include.localcloud.runtime.container", *arguments),
            stdin=asyncio.subprocess.PIPE,  # held open: its end tells the instance that we are gone
            stdout=log,
            stderr=log,
            cwd=workspace.directory,
            env=_environment(workspace, environment),
            start_new_session=True,  # Ctrl-C in a terminal is for the local cloud, which drains first
        )


async def stop(process: asyncio.subprocess.Process, grace: float = STOP_SECONDS) -> None:
    """Return when the process is gone: SIGTERM, and SIGKILL after `grace` seconds."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), grace)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def last_words(log: Path) -> str:
    """Return the last line of a log that is not empty, or an empty text: why a process ended."""
    try:
        lines = log.read_bytes()[-4096:].decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
