import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from quickstart import interrupts

PROJECT = Path(__file__).parents[3]


def drive(body, *, ignore_sigint=False):
    """Start a program whose work is `body`; its cleanup prints one line when it begins and one at its end."""
    script = textwrap.dedent(
        """
        import sys, time
        from quickstart import interrupts
        def work():
            print('working', flush=True)
            {body}
        def cleanup():
            print('cleaning', flush=True); time.sleep(0.3); print('clean', flush=True)
        try:
            interrupts.run_then(work, cleanup)
        except interrupts.Interrupted as interrupted:
            sys.exit(interrupted.exit_status)
        """
    ).format(body=body)
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"] if ignore_sigint else []
    return subprocess.Popen(
        [*ignoring, sys.executable, "-c", script],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_work_and_runs_the_cleanup_once(number):
    program = drive("time.sleep(60)")
    assert program.stdout.readline() == "working\n"
    program.send_signal(number)
    assert program.communicate(timeout=20)[0] == "cleaning\nclean\n"
    assert program.returncode == 128 + number


def test_an_impatient_second_ctrl_c_does_not_break_the_cleanup():
    program = drive("time.sleep(60)")
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    assert program.stdout.readline() == "cleaning\n"
    program.send_signal(signal.SIGINT)
    program.send_signal(signal.SIGTERM)
    assert program.communicate(timeout=20)[0] == "clean\n"
    assert program.returncode == 130


def test_a_program_started_in_the_background_takes_ctrl_c_too():
    program = drive("time.sleep(60)", ignore_sigint=True)
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    assert program.communicate(timeout=20)[0] == "cleaning\nclean\n"


def test_the_cleanup_follows_success_and_failure_alike():
    done = []
    assert interrupts.run_then(lambda: "result", lambda: done.append("cleaned")) == "result"
    with pytest.raises(ZeroDivisionError):
        interrupts.run_then(lambda: 1 / 0, lambda: done.append("cleaned"))
    assert done == ["cleaned", "cleaned"]


def test_handlers_are_given_back_as_they_were():
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    interrupts.run_then(os.getpid, lambda: None)
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
