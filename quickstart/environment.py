"""The environment in which the local project's processes run: Airflow's settings, and nothing of yours."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from quickstart.layout import Layout
from quickstart.ports import Ports

# Variables of the caller that must not leak in: another Airflow's settings, another Python's modules, and
# above all credentials that would let the local project reach a real AWS account.
STRIPPED = ("AIRFLOW_", "AIRFLOW__", "_AIRFLOW", "AWS_", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What one local Airflow signs and encrypts with, and the passwords of its two users."""

    admin: str
    viewer: str
    api: str
    jwt: str
    fernet: str

    @classmethod
    def kept_in(cls, folder: Path) -> Secrets:
        """Read the secrets kept in this folder, or make them: only their owner can read the files.

        Airflow would make its own in airflow.cfg, but four components that start at once each make others.
        """
        file = folder / "secrets.json"
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            made = cls(
                admin=secrets.token_urlsafe(12),
                viewer=secrets.token_urlsafe(12),
                api=secrets.token_hex(32),
                jwt=secrets.token_hex(32),
                fernet=base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            )
            _write_private(file, asdict(made))
        kept = cls(**json.loads(file.read_text()))
        _write_private(passwords_file(folder), {"admin": kept.admin, "viewer": kept.viewer})
        return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How soon Airflow notices things, in seconds. The defaults suit a laptop: it is told of a killed task
    within half a minute (Airflow's own default is five), and a busy machine is not taken for a dead one.
    """

    task_heartbeat: int = 3
    task_timeout: int = 30  # a task that sent no heartbeat for so long is dead
    task_timeout_check: float = 5
    job_heartbeat: int = 2
    job_timeout: int = 30  # likewise for scheduler, triggerer and dag processor
    orphan_check: float = 15  # tasks and triggers whose scheduler or triggerer is gone
    idle_sleep: float = 0.2  # between two looks of an idle scheduler
    dag_refresh: int = 10  # a new or changed DAG file is found within this


def project_environment(layout: Layout) -> dict[str, str]:
    """Return the caller's environment without what must not leak, plus what every process of ours needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STRIPPED)}
    nowhere = str(layout.home / "no-aws-configuration")
    return kept | {
        "PYTHONPATH": str(layout.project),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GX_ANALYTICS_ENABLED": "false",
    }


def airflow_environment(
    layout: Layout,
    ports: Ports,
    keys: Secrets,
    *,
    settings: Mapping[str, str],
    parallelism: int,
    timing: Timing,
    dags: Path,
) -> dict[str, str]:
    """Return the whole environment of Airflow's components.

    `settings` are the AIRFLOW_CONN_* and AIRFLOW_VAR_* of airflow_settings.yaml; `parallelism` is how many
    tasks run at once, each slot being a process from the start (about 100 MB).
    """
    url = f"http://127.0.0.1:{ports.airflow}"
    options: dict[tuple[str, str], object] = {
        ("core", "dags_folder"): dags,
        ("core", "plugins_folder"): layout.project / "plugins",
        ("core", "load_examples"): False,
        ("core", "executor"): "LocalExecutor",
        ("core", "parallelism"): parallelism,
        ("core", "fernet_key"): keys.fernet,
        ("core", "hostname_callable"): "quickstart.layout.loopback",
        ("core", "execution_api_server_url"): f"{url}/execution/",
        ("core", "simple_auth_manager_users"): "admin:admin,viewer:viewer",
        ("core", "simple_auth_manager_passwords_file"): passwords_file(layout.airflow),
        ("database", "sql_alchemy_conn"): database(layout, wait=60),
        ("api", "host"): "127.0.0.1",
        ("api", "port"): ports.airflow,
        ("api", "base_url"): url,
        ("api", "secret_key"): keys.api,
        ("api", "instance_name"): "Penumbra (local)",
        # Or a refused write says "Database error" only, and nobody can tell a busy SQLite from a defect.
        ("api", "expose_stacktrace"): True,
        ("api_auth", "jwt_secret"): keys.jwt,
        ("logging", "worker_log_server_port"): ports.worker_logs,
        ("logging", "trigger_log_server_port"): ports.trigger_logs,
        ("logging", "colored_console_log"): False,
        # It tells at every call where the credentials came from, between the lines that tell of the rollout.
        ("logging", "namespace_levels"): "airflow.providers.amazon.aws.utils.connection_wrapper=WARNING",
        ("scheduler", "scheduler_idle_sleep_time"): timing.idle_sleep,
        ("scheduler", "task_instance_heartbeat_timeout"): timing.task_timeout,
        ("scheduler", "task_instance_heartbeat_timeout_detection_interval"): timing.task_timeout_check,
        ("scheduler", "scheduler_heartbeat_sec"): timing.job_heartbeat,
        ("scheduler", "scheduler_health_check_threshold"): timing.job_timeout,
        ("scheduler", "orphaned_tasks_check_interval"): timing.orphan_check,
        ("scheduler", "trigger_timeout_check_interval"): timing.orphan_check,
        ("triggerer", "job_heartbeat_sec"): timing.job_heartbeat,
        ("triggerer", "triggerer_health_check_threshold"): timing.job_timeout,
        ("workers", "min_heartbeat_interval"): timing.task_heartbeat,
        # A restarted API server is away for some ten seconds. Tasks must outlive that, and be heard of again
        # before they count as dead: so they ask often, where Airflow would wait up to 90 s between attempts.
        ("workers", "max_failed_heartbeats"): 20,
        ("workers", "execution_api_retries"): 15,
        ("workers", "execution_api_retry_wait_max"): 2,
        ("workers", "execution_api_timeout"): 20,
        ("dag_processor", "refresh_interval"): timing.dag_refresh,
        ("dag_processor", "bundle_refresh_check_interval"): min(timing.dag_refresh, 5),
        ("dag_processor", "parsing_processes"): 1,
    }
    spelled = {f"AIRFLOW__{s.upper()}__{o.upper()}": str(value) for (s, o), value in options.items()}
    home = {"AIRFLOW_HOME": str(layout.airflow)}
    return project_environment(layout) | dict(settings) | spelled | home


def database(layout: Layout, *, wait: int) -> str:
    """Return the address of Airflow's database; SQLite waits `wait` seconds for another's write, then it is "locked"."""
    return f"sqlite:///{layout.airflow / 'airflow.db'}?timeout={wait}"


def passwords_file(folder: Path) -> Path:
    """Where Airflow's simple auth manager reads the passwords."""
    return folder / "passwords.json"


def _write_private(file: Path, content: Mapping[str, str]) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps(content))
