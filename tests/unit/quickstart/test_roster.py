import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quickstart import procfs
from quickstart.roster import ProcessDiedError, Roster

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def roster(tmp_path):
    roster = Roster(tmp_path / "processes.json", tmp_path / "logs")
    yield roster
    roster.stop(patience=0)


def start(roster, name, *command):
    return roster.start(name, command, env=dict(os.environ), cwd=PROJECT)


def until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_started_process_leads_its_own_session_and_is_on_record(roster):
    entry = start(roster, "sleeper", "sleep", "60")
    seen = procfs.process(entry.pid)
    assert seen is not None
    assert seen.session == entry.pid != os.getsid(0)
    assert roster.running() == [entry]


def test_output_goes_to_a_log_of_the_process_name(roster, tmp_path):
    roster.run("talker", ["sh", "-c", "echo hello; echo trouble >&2"], env=dict(os.environ), cwd=PROJECT)
    assert (tmp_path / "logs" / "talker.log").read_text() == "hello\ntrouble\n"


def test_stop_ends_children_that_moved_to_another_process_group_and_ignore_sigterm(roster):
    child = "import os, signal, time; os.setpgid(0, 0); signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    parent = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    )
    entry = start(roster, "family", sys.executable, "-c", parent)
    until(lambda: len(procfs.session_members(entry.pid)) == 2)
    roster.stop(patience=0.2)
    assert procfs.session_members(entry.pid) == []
    assert roster.running() == []


def test_children_that_outlive_a_killed_leader_are_found_again(roster):
    entry = start(roster, "leader", "sh", "-c", "sleep 60 & wait")
    until(lambda: len(procfs.session_members(entry.pid)) == 2)
    roster.kill("leader", children=False)
    until(lambda: not roster.alive("leader"))
    assert [each.name for each in roster.running()] == ["leader"]
    roster.stop(patience=0.2)
    assert procfs.session_members(entry.pid) == []


def test_another_program_stops_what_a_killed_driver_left(tmp_path):
    script = (
        "import os, pathlib, signal; from quickstart.roster import Roster\n"
        f"r = Roster(pathlib.Path({str(tmp_path / 'processes.json')!r}), pathlib.Path({str(tmp_path)!r}))\n"
        "r.start('orphan', ['sleep', '60'], env=dict(os.environ), cwd=pathlib.Path('/'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == -signal.SIGKILL
    )
    successor = Roster(tmp_path / "processes.json", tmp_path)
    (left,) = successor.running()
    successor.stop()
    assert procfs.process(left.pid) is None
    assert successor.running() == []


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(roster, tmp_path):
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        (tmp_path / "processes.json").write_text(
            f'[{{"name": "old", "pid": {stranger.pid}, "started": "another boot", "log": "none"}}]'
        )
        assert roster.running() == []
        roster.stop(patience=0)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_driver_that_dies_before_the_record_is_written_starts_nothing(tmp_path):
    """The program begins only after its line is on record: here the record cannot be written."""
    (tmp_path / "file").write_text("")
    roster = Roster(tmp_path / "file" / "processes.json", tmp_path / "logs")
    with pytest.raises(OSError, match="file"):
        start(roster, "never", "touch", str(tmp_path / "began"))
    until(lambda: not any(child.poll() is None for child in roster._children.values()))
    assert not (tmp_path / "began").exists()


def test_a_process_that_ended_is_reported_with_the_end_of_its_log(roster):
    start(roster, "failing", "sh", "-c", "echo the reason; exit 3")
    until(lambda: not roster.alive("failing"))
    with pytest.raises(ProcessDiedError, match="the reason"):
        roster.check(["failing"])
    with pytest.raises(ProcessDiedError, match="ended with 4"):
        roster.run("failing", ["sh", "-c", "exit 4"], env=dict(os.environ), cwd=PROJECT)


def test_stopping_one_name_leaves_the_others(roster):
    start(roster, "one", "sleep", "60")
    start(roster, "two", "sleep", "60")
    roster.stop("one")
    assert [entry.name for entry in roster.running()] == ["two"]
