import os
import socket
import subprocess

from quickstart import procfs


def test_a_process_is_named_by_pid_and_start(monkeypatch):
    mine = procfs.process(os.getpid())
    assert mine == procfs.process(os.getpid())
    assert mine.session == os.getsid(0)


def test_a_zombie_and_a_pid_that_nobody_has_are_no_process():
    child = subprocess.Popen(["true"])
    while procfs.process(child.pid) is not None:
        pass
    child.wait()
    assert procfs.process(2**22 + 1) is None


def test_without_proc_psutil_tells_the_same(monkeypatch, tmp_path):
    session = procfs.process(os.getpid()).session
    monkeypatch.setattr(procfs, "PROC", tmp_path)
    mine = procfs.process(os.getpid())
    assert (mine.pid, mine.session) == (os.getpid(), session)
    assert procfs.process(2**22 + 1) is None


def test_the_listener_of_a_port_is_named_by_pid_and_command():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        pid, command = procfs.listener(server.getsockname()[1])
    assert pid == os.getpid()
    assert "python" in command or "pytest" in command
