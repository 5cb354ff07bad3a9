"""What import contracts cannot say: what DAG and plugin files may name, and how thin tasks are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
DAG_MAY_IMPORT = ("__future__", "datetime", "pathlib", "airflow.sdk", "include.orchestration")
PLUGIN_MAY_IMPORT = (
    "__future__",
    "airflow.plugins_manager",
    "airflow.sdk",
    "include.console",
    "include.orchestration.links",
)
LONGEST_TASK = 4  # statements below the docstring, imports aside


def imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("file", sorted((PROJECT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_a_dag_is_graph_and_policy_only(file: Path) -> None:
    assert not [name for name in imported(file) if not name.startswith(DAG_MAY_IMPORT)]


@pytest.mark.parametrize("file", sorted((PROJECT / "plugins").glob("*.py")), ids=lambda path: path.stem)
def test_a_plugin_file_only_registers(file: Path) -> None:
    assert not [name for name in imported(file) if not name.startswith(PLUGIN_MAY_IMPORT)]


def test_a_task_is_a_call_into_a_step() -> None:
    tree = ast.parse((PROJECT / "include/orchestration/tasks.py").read_text())
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        statements = [n for n in ast.walk(function) if isinstance(n, ast.stmt) and n is not function]
        counted = [n for n in statements if not isinstance(n, ast.ImportFrom | ast.Expr)]
        assert len(counted) <= LONGEST_TASK, function.name
