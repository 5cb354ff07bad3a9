"""However much was captured, a worker stays within its memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_million_pairs_are_collected_in_three_hundred_megabytes(tmp_path):
    """Peak resident memory of a process of its own, the interpreter and its libraries included."""
    command = [sys.executable, str(ROOT / "benchmarks" / "pairs.py"), "--folder", str(tmp_path)]
    subprocess.run([*command, "--make", "--pairs", "1000000"], check=True)
    done = subprocess.run([*command, "--tool", "ours"], check=True, capture_output=True, text=True)
    entry = json.loads(done.stdout.splitlines()[-1])
    assert entry["found"]["pairs"] == 1_000_000
    assert entry["peak_mb"] <= 300
