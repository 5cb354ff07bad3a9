"""Instances live and die with the local cloud."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from include.localcloud.runtime import process
from include.localcloud.runtime.images import resolve
from include.localcloud.runtime.process import Workspace

_PARENT = """
import asyncio, sys
from pathlib import Path
import uvloop
from include.localcloud.runtime import process
from include.localcloud.runtime.images import resolve

async def main():
    folder = Path(sys.argv[1])
    space = process.Workspace(directory=folder / "i", socket=folder / "s", log=folder / "log")
    child = await process.start(resolve("penumbra/light:1"), space, None, {})
    while not space.socket.exists():
        await asyncio.sleep(0.01)
    print(child.pid, flush=True)
    await asyncio.sleep(60)

uvloop.run(main())
"""


def _gone(pid: int) -> bool:
    for _ in range(1000):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def _space(folder: Path) -> Workspace:
    return Workspace(directory=folder / "i", socket=folder / "s", log=folder / "log")


def test_an_instance_dies_with_a_parent_that_was_killed(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        instance = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    assert _gone(instance)


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace():
    async def scenario():
        stubborn = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
            stdout=asyncio.subprocess.PIPE,
        )
        await stubborn.stdout.readline()
        await process.stop(stubborn, grace=0.05)
        return stubborn.returncode

    assert uvloop.run(scenario()) == -signal.SIGKILL


def test_an_instance_sees_the_models_environment_and_nothing_else_of_ours(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ours")

    async def scenario():
        child = await process.start(
            resolve("penumbra/light:1"), _space(tmp_path), None, {"MODEL_SAYS": "yes"}
        )
        try:
            while not _space(tmp_path).socket.exists():
                await asyncio.sleep(0.01)
            return Path(f"/proc/{child.pid}/environ").read_bytes()
        finally:
            await process.stop(child)

    environment = uvloop.run(scenario())
    assert b"MODEL_SAYS=yes" in environment
    assert b"OMP_NUM_THREADS=1" in environment
    assert b"AWS_SECRET_ACCESS_KEY" not in environment


def test_last_words_are_the_last_line_that_is_not_empty(tmp_path):
    log = tmp_path / "log"
    assert process.last_words(log) == ""
    log.write_text("first\nthe model is broken\n\n")
    assert process.last_words(log) == "the model is broken"
