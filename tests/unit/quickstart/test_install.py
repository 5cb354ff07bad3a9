"""install.sh on machines that cannot be installed on, and on one where nothing has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def install(tmp_path):
    """Run install.sh in a project of its own, with only these pythons to be found."""
    (tmp_path / "quickstart").mkdir()
    shutil.copy(PROJECT / "quickstart" / "install.sh", tmp_path / "quickstart")
    (tmp_path / "requirements.lock").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "cksum", "cut", "cat", "printenv", "tr", "rm"):
        (tools / name).symlink_to(shutil.which(name))

    def run(**pythons):
        for name, script in pythons.items():
            (tools / name.replace("_", ".")).write_text(f"#!/bin/sh\n{script}\n")
            (tools / name.replace("_", ".")).chmod(0o755)
        return subprocess.run(
            ["sh", "quickstart/install.sh"],
            cwd=tmp_path,
            env={"PATH": str(tools), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def test_an_old_python_is_refused_with_what_was_found_and_what_is_needed(install):
    done = install(python3='if [ "$1" = -V ]; then echo Python 3.10.4; else exit 1; fi')
    assert done.returncode == 1
    assert "Found Python 3.10.4; Python 3.11, 3.12 or 3.13 is needed" in done.stderr


def test_no_python_at_all_is_said_so(install):
    done = install()
    assert done.returncode == 1
    assert "Found no python3; Python 3.11, 3.12 or 3.13 is needed" in done.stderr


def test_a_python_without_venv_is_refused_with_the_package_to_install(install):
    old = 'if [ "$1" = -V ]; then echo Python 3.10.4; else exit 1; fi'
    lacking = 'case "$*" in -V) echo Python 3.12.1;; *ensurepip*) exit 1;; *version_info*) exit 0;; *) exit 1;; esac'
    done = install(python3=old, python3_12=lacking)
    assert done.returncode == 1
    assert "Python 3.12.1 has no venv module; install it" in done.stderr


def test_nothing_is_done_where_the_lock_and_the_python_are_those_of_the_last_time(install, tmp_path):
    bin_folder = tmp_path / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    checksum = subprocess.run(["cksum"], input="", capture_output=True, text=True, check=True).stdout.strip()
    version = f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    (tmp_path / ".venv" / ".installed").write_text(f"{checksum} {version}")
    done = install()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_script_names_no_package_index():
    for name in ("quickstart/install.sh", "Makefile", "requirements.txt", "requirements.lock", ".ci/run"):
        text = (PROJECT / name).read_text()
        assert "://" not in text, name


def test_every_target_is_listed_by_help():
    listed = subprocess.run(
        ["make", "--no-print-directory", "-C", str(PROJECT), "help"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"MAKEFLAGS": ""},
    ).stdout
    for target in ("setup", "lock", "check", "test", "soak", "demo", "up", "down", "traffic"):
        assert f"make {target} " in listed
