"""The demonstration, ended at any moment by a person, the system or a crash, leaves no process and no port."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from quickstart import procfs
from quickstart.layout import PROJECT


class Demonstration:
    """`python -m quickstart.demo` in a run folder of its own."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self.environment = os.environ | {"PENUMBRA_RUN": str(run)}
        self.output = (run / "output").open("w+")
        self.driver = subprocess.Popen(
            # It is to be interrupted, not to judge.
            [sys.executable, "-m", "quickstart.demo", "--offset", "100"],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

    @property
    def said(self) -> str:
        return (self.run / "output").read_text()

    def wait_until_it_says(self, text: str, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said:
            assert self.driver.poll() is None, f"it ended too early:\n{self.said}"
            assert time.monotonic() < deadline, f"it never said {text!r}:\n{self.said}"
            time.sleep(0.1)

    @property
    def sessions(self) -> list[int]:
        """The sessions of everything on record."""
        record = self.run / "demo" / "processes.json"
        return [entry["pid"] for entry in json.loads(record.read_text())] if record.exists() else []

    def left(self, sessions: list[int]) -> list[str]:
        """What still runs: members of these sessions, and whatever names the run folder in its command."""
        found = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            seen = procfs.process(process.pid)
            command = " ".join(process.info["cmdline"] or [])
            if seen and (seen.session in sessions or str(self.run) in command):
                found.append(f"{process.pid} {command}")
        return found

    def listening(self) -> set[int]:
        """The ports that processes of the run folder's sessions listen on."""
        found = set()
        for session in self.sessions:
            for member in procfs.session_members(session):
                for connection in psutil.Process(member.pid).net_connections("tcp"):
                    if connection.status == psutil.CONN_LISTEN:
                        found.add(connection.laddr.port)
        return found


@pytest.fixture
def demonstration(tmp_path):
    shown = Demonstration(tmp_path)
    yield shown
    if shown.driver.poll() is None:
        shown.driver.terminate()
        shown.driver.wait(120)
    shown.output.close()


def port_is_silent(port):
    return procfs.listener(port) is None


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        pytest.param("Starting the local cloud", signal.SIGINT, id="Ctrl-C while the local cloud starts"),
        pytest.param("Starting Airflow", signal.SIGINT, id="Ctrl-C while Airflow starts"),
        pytest.param("both variants answer", signal.SIGINT, id="Ctrl-C in the middle of a window"),
    ],
)
def test_an_interrupted_demonstration_leaves_no_process_and_no_port(demonstration, moment, number):
    demonstration.wait_until_it_says(moment)
    time.sleep(0.7)
    sessions, held = demonstration.sessions, demonstration.listening()
    demonstration.driver.send_signal(number)
    demonstration.driver.send_signal(number)  # people press twice
    assert demonstration.driver.wait(120) == 128 + number
    assert demonstration.left(sessions) == []
    assert all(port_is_silent(port) for port in held)
    assert demonstration.sessions == []
    assert re.search("nothing is left running", demonstration.said)


def test_what_a_killed_demonstration_leaves_is_ended_by_make_down(demonstration):
    demonstration.wait_until_it_says("Starting Airflow")
    time.sleep(3)
    demonstration.driver.kill()
    demonstration.driver.wait(120)
    sessions = demonstration.sessions
    assert demonstration.left(sessions) != []
    subprocess.run(
        [sys.executable, "-m", "quickstart.project", "down"],
        cwd=PROJECT,
        env=demonstration.environment,
        check=True,
        timeout=180,
    )
    assert demonstration.left(sessions) == []


def test_a_second_demonstration_is_refused_while_one_runs(demonstration):
    demonstration.wait_until_it_says("Starting the local cloud")
    second = subprocess.run(
        [sys.executable, "-m", "quickstart.demo", "--offset", "100"],  # it is to be interrupted, not to judge
        cwd=PROJECT,
        env=demonstration.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert second.returncode == 1
    assert f"Pid {demonstration.driver.pid} is already at work" in second.stdout
