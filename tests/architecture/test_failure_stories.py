"""Each story of how rollouts die is told with what prevents it here, and with tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (PROJECT / "docs/failure-stories.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| story |"))
]
LEAST = 34  # stories are added, never dropped


@cache
def functions_of(file: Path) -> frozenset[str]:
    if not file.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def test_every_story_has_a_cause_a_prevention_and_a_test() -> None:
    assert len(ROWS) >= LEAST
    assert len({row[0] for row in ROWS}) == len(ROWS)
    assert [row for row in ROWS if len(row) != 3 or not all(row) or "::" not in row[2]] == []


def test_every_test_that_a_story_names_exists() -> None:
    named = [match for row in ROWS for match in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[2])]
    assert len(named) == sum(row[2].count("::") for row in ROWS)
    missing = [f"{file}::{test}" for file, test in named if test not in functions_of(PROJECT / file)]
    assert missing == []
