"""The console as Airflow mounts it: every process of Airflow loads plugins, and only one of them serves pages."""

import subprocess
import sys


def test_registering_the_console_loads_nothing_of_it():
    heavy = ["fastapi", "starlette", "jinja2", "obstore", "plotly", "numpy", "pydantic", "airflow"]
    code = f"import sys, include.console.mount; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"
