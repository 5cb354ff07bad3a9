import os
import socket
import subprocess
import sys

import pytest

from quickstart import ports
from quickstart.ports import Ports


@pytest.fixture
def busy():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_free_ports_are_kept_as_wanted_and_nothing_is_said():
    wanted, said = ports.any_free(), []
    assert ports.choose(said.append, wanted=wanted) == wanted
    assert said == []


def test_a_busy_port_is_replaced_and_its_holder_named(busy):
    free, said = ports.any_free(), []
    wanted = Ports(
        airflow=busy, worker_logs=free.worker_logs, trigger_logs=free.trigger_logs, cloud=free.cloud
    )
    chosen = ports.choose(said.append, wanted=wanted)
    assert chosen.airflow != busy
    assert (chosen.worker_logs, chosen.cloud) == (free.worker_logs, free.cloud)
    (sentence,) = said
    assert f"Port {busy} for Airflow is taken by pid {os.getpid()}" in sentence
    assert str(chosen.airflow) in sentence


def test_two_projects_that_start_at_once_choose_different_ports():
    """The other one has chosen its ports and listens on none yet."""
    script = (
        "from quickstart import ports\n"
        "found = ports.any_free()\n"
        "print(found.airflow, found.worker_logs, found.trigger_logs, found.cloud, flush=True)\n"
        "input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        theirs = [int(port) for port in other.stdout.readline().split()]
        wanted, said = Ports(**dict(zip(ports.LABELS, theirs, strict=True))), []
        chosen = ports.choose(said.append, wanted=wanted)
        other.communicate("\n")
    assert not {getattr(chosen, name) for name in ports.LABELS} & set(theirs)
    assert (
        f"Port {theirs[0]} for Airflow is taken by pid {other.pid} (a local project that is starting)"
        in said[0]
    )
    assert ports.choose(said.append, wanted=wanted) == wanted  # its claims ended with it


def test_a_port_taken_on_ipv6_alone_is_busy():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with socket.socket(socket.AF_INET6) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        server.listen()
        assert not ports.is_free(server.getsockname()[1])


@pytest.mark.parametrize("wrong", [{"airflow": 0}, {"airflow": 4566}, {"cloud": 70000}])
def test_ports_are_four_different_numbers(wrong):
    with pytest.raises(ValueError, match="four different"):
        Ports(**wrong)
