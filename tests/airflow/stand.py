"""A real Airflow and a real local cloud, one for all tests of a session: their own ports, their own files.

Everything lies in `.run/tests/<pid>`, so that what a killed test session left running is found and ended by the
next one, and what a lane of tests (`tests.lanes`) left by the process that started it. The folder goes away with a
session in which nothing failed.
"""

import json
import os
import shutil
from pathlib import Path

import pytest

from quickstart import ports as port_choice
from quickstart import procfs, samples, seed, settings
from quickstart.airflow import Airflow
from quickstart.cloud import LocalCloud
from quickstart.environment import Timing
from quickstart.layout import PROJECT, RUN, Layout
from quickstart.roster import Roster

HERE = Path(__file__).parent
HOMES = RUN / "tests"
# Soon enough for a test that kills things, late enough for two busy cores.
TIMING = Timing(
    task_heartbeat=2, task_timeout=15, task_timeout_check=2, job_timeout=12, orphan_check=4, dag_refresh=3
)
# A connection to a local cloud that is not there: nobody listens on port 1.
STOPPED = {
    "conn_type": "aws",
    "login": "local",
    "password": "no-secret-at-all",
    "extra": {"region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:1"},
}


def orphans():
    """End what sessions that are gone left running; return their folders."""
    homes = [home for home in HOMES.glob("*") if procfs.process(int(home.name)) is None]
    for home in homes:
        Roster(home / "processes.json", home / "logs").stop()
    return homes


def pytest_unconfigure(config):
    """After a Ctrl-C a lane is given seconds, less than an Airflow needs to end; what handed out the lanes outlives it."""
    if not hasattr(config, "workerinput"):
        orphans()


@pytest.fixture(scope="session")
def layout(request):
    for home in orphans():
        shutil.rmtree(home)
    home = HOMES / str(os.getpid())
    home.mkdir(parents=True)
    yield Layout(home=home)
    if not request.session.testsfailed:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def ports():
    return port_choice.any_free()


@pytest.fixture(scope="session")
def roster(layout):
    roster = Roster(layout.processes, layout.logs)
    yield roster
    roster.stop()


@pytest.fixture(scope="session")
def local_cloud(layout, ports, roster):
    """The local cloud with the sample artefacts uploaded and the churn endpoint InService."""
    cloud = LocalCloud(layout, ports, roster)
    cloud.start()
    seed.seed(cloud, samples.prepare(layout.samples))
    return cloud


@pytest.fixture(scope="session")
def airflow(layout, ports, roster):
    """Airflow with the project's DAGs and those of `probes`; it is pointed to `local_cloud`, which a test
    that needs it asks for itself.
    """
    dags = layout.home / "dags"
    dags.mkdir()
    for file in [*(PROJECT / "dags").glob("*.py"), *(HERE / "probes").glob("*.py")]:
        (dags / file.name).symlink_to(file)
    specs = layout.home / "include" / "specs"  # where the DAG files look for specs with a schedule
    specs.mkdir(parents=True)
    for file in [*(PROJECT / "include" / "specs").glob("*.yaml"), *(HERE / "probes").glob("*.yaml")]:
        (specs / file.name).symlink_to(file)
    file = settings.load(PROJECT / "airflow_settings.yaml")
    airflow = Airflow(
        layout,
        ports,
        roster,
        settings=file.environment(cloud_url=f"http://127.0.0.1:{ports.cloud}"),
        pools=file.pools,
        parallelism=12,
        timing=TIMING,
        dags=dags,
        extra={
            "PYTHONPATH": f"{HERE / 'sabotage'}:{PROJECT}",
            "SABOTAGE": str(layout.home / "sabotage"),
            "AIRFLOW_CONN_AWS_STOPPED": json.dumps(STOPPED),
        },
    )
    airflow.start()
    return airflow


@pytest.fixture(scope="session")
def api(airflow):
    """Airflow's REST API as its admin, once every DAG file was parsed without an error.

    All DAGs are live but the refreshes: they would start rollouts by themselves.
    """
    client = airflow.client()
    files = len(list(airflow.dags.glob("*.py")))

    def parsed():
        return len(client.dag_ids()) >= files and not client.import_errors()

    def what():
        return (
            f"of {files} files these DAGs were parsed: {client.dag_ids()}; errors: {client.import_errors()}"
        )

    client.wait(parsed, timeout=180, what=what)
    for dag_id in client.dag_ids():
        if not dag_id.startswith("model_refresh__"):
            client.unpause(dag_id)
    return client
