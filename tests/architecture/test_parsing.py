"""Parsing a DAG file stays cheap: nothing heavy is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
HEAVY = (
    "great_expectations",
    "pandas",
    "scipy",
    "duckdb",
    "boto3",
    "botocore",
    "xgboost",
    "airflow.providers.amazon.aws.operators",
)

PARSE = """
import json, sys
from airflow.sdk import DAG  # what every DAG file has to import
import importlib.util
spec = importlib.util.spec_from_file_location("parsed_dag", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("file", sorted((PROJECT / "dags").glob("*.py")), ids=lambda path: path.stem)
def test_parsing_a_dag_imports_nothing_heavy(file: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(file)], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    modules = json.loads(done.stdout.splitlines()[-1])
    assert not [name for name in modules if name.startswith(HEAVY)]
