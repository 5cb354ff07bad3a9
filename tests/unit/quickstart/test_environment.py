import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from quickstart.environment import Secrets, Timing, airflow_environment, passwords_file, project_environment
from quickstart.layout import Layout
from quickstart.ports import Ports


@pytest.fixture
def layout(tmp_path):
    return Layout(home=tmp_path)


def test_credentials_and_settings_of_the_caller_do_not_leak_in(layout, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("HOME", "/home/somebody")
    env = project_environment(layout)
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AIRFLOW__CORE__EXECUTOR"} & set(env)
    assert not Path(env["AWS_SHARED_CREDENTIALS_FILE"]).exists()
    assert env["PYTHONPATH"] == str(layout.project)
    assert env["HOME"] == "/home/somebody"


def test_secrets_are_made_once_and_readable_by_their_owner_alone(layout):
    first = Secrets.kept_in(layout.airflow)
    assert Secrets.kept_in(layout.airflow) == first
    for file in layout.airflow.iterdir():
        assert file.stat().st_mode & 0o077 == 0
    passwords = json.loads(passwords_file(layout.airflow).read_text())
    assert passwords == {"admin": first.admin, "viewer": first.viewer}


def test_every_port_and_folder_of_airflow_is_this_run_s_own(layout):
    ports = Ports(airflow=1001, worker_logs=1002, trigger_logs=1003, cloud=1004)
    env = airflow_environment(
        layout,
        ports,
        Secrets.kept_in(layout.airflow),
        settings={"AIRFLOW_VAR_X": "1"},
        parallelism=3,
        timing=Timing(task_timeout=7),
        dags=layout.project / "dags",
    )
    assert env["AIRFLOW__API__PORT"] == "1001"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1001/execution/"
    assert env["AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"] == "1002"
    assert env["AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT"] == "1003"
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{layout.airflow}/")
    assert env["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"] == "7"
    assert env["AIRFLOW__CORE__PARALLELISM"] == "3"
    assert env["AIRFLOW_VAR_X"] == "1"


def test_every_option_is_one_that_this_airflow_knows(layout):
    """A misspelt option would be ignored in silence."""
    package = Path(find_spec("airflow").origin).parent  # not imported: that would make ~/airflow
    known = yaml.safe_load((package / "config_templates" / "config.yml").read_text())
    env = airflow_environment(
        layout,
        Ports(),
        Secrets.kept_in(layout.airflow),
        settings={},
        parallelism=1,
        timing=Timing(),
        dags=layout.home,
    )
    spelled = [name.split("__")[1:] for name in env if name.startswith("AIRFLOW__")]
    assert len(spelled) > 20
    unknown = [name for name in spelled if name[1].lower() not in known[name[0].lower()]["options"]]
    assert unknown == []
