"""However much was captured, and however much of it is twice or missing, a worker stays within its memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MEGABYTES = 300  # peak resident memory of a process of its own, the interpreter and its libraries included
SIDES = ("production", "shadow")

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def made(folder: Path, pairs: int) -> Path:
    command = [sys.executable, str(ROOT / "benchmarks" / "pairs.py"), "--folder", str(folder)]
    subprocess.run([*command, "--make", "--pairs", str(pairs)], check=True)
    return folder


def collected(folder: Path) -> dict[str, int]:
    """Return how many pairs were collected and flipped, having looked at the peak."""
    command = [sys.executable, str(ROOT / "benchmarks" / "pairs.py"), "--folder", str(folder)]
    done = subprocess.run([*command, "--tool", "ours"], check=True, capture_output=True, text=True)
    entry = json.loads(done.stdout.splitlines()[-1])
    assert entry["peak_mb"] <= MEGABYTES
    return {name: entry["found"][name] for name in ("pairs", "flips")}


def linked(captures: Path, folder: Path, side: str, *, prefix: str = "", files: slice = slice(None)) -> None:
    for file in sorted((captures / side).rglob("*.jsonl"))[files]:
        place = folder / file.relative_to(captures)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place.with_name(prefix + place.name))


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    """A million pairs in twelve files of each variant."""
    return made(tmp_path_factory.mktemp("captures"), 1_000_000)


def test_a_million_pairs_are_collected(captures):
    assert collected(captures)["pairs"] == 1_000_000


def test_five_million_pairs_take_no_more(tmp_path):
    assert collected(made(tmp_path, 5_000_000))["pairs"] == 5_000_000


def test_a_million_pairs_that_were_all_delivered_twice_take_no_more(captures, tmp_path):
    for side in SIDES:
        linked(captures, tmp_path, side)
        linked(captures, tmp_path, side, prefix="again-")
    assert collected(tmp_path) == collected(captures)


def test_captures_of_which_half_is_missing_take_no_more(captures, tmp_path):
    """Each variant lacks other files, so that most records are left over."""
    linked(captures, tmp_path, "production", files=slice(0, 8))
    linked(captures, tmp_path, "shadow", files=slice(6, 12))
    assert collected(tmp_path)["pairs"] < 170_000
