"""The console over recorded rollouts, with people who are logged in by a header."""

from dataclasses import dataclass

import pytest
from fastapi import HTTPException, Request
from fastapi.testclient import TestClient

from include.console.app import create_app
from include.console.archive import Archive
from include.ledger.store import Store
from include.report.listing import Coming

PEOPLE = {"ada": {"shadow_rollout", "model_refresh"}, "bob": {"another_dag"}}


@dataclass
class Person:
    readable: set
    runs: dict

    def may_read(self, dag_id):
        return dag_id in self.readable

    def state_of(self, dag_id, run_id):
        return self.runs.get((dag_id, run_id)) if self.may_read(dag_id) else None

    def coming(self):
        planned = Coming(dag_id="model_refresh", what="scheduled", when="2026-03-02T00:00:00Z")
        return [planned] if self.may_read("model_refresh") else []


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Counting(Store):
    """A folder that counts what is read."""

    def __init__(self, location):
        super().__init__(location)
        self.reads = []

    def get_bytes(self, key):
        self.reads.append(key)
        return super().get_bytes(key)


@pytest.fixture
def store(tmp_path):
    return Counting(str(tmp_path / "ledger"))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def archive(store, clock):
    return Archive(store, clock=clock)


@pytest.fixture
def runs():
    return {}


@pytest.fixture
def app(archive, runs):
    def viewer(request: Request):
        name = request.headers.get("x-user")
        if name is None:
            raise HTTPException(401, "Not authenticated")
        if name not in PEOPLE:
            raise HTTPException(403, "You may not read DAGs; ask for the read permission.")
        return Person(readable=PEOPLE[name], runs=runs)

    return create_app(viewer=viewer, archive=lambda: archive, unreadable=lambda: None)


@pytest.fixture
def ada(app):
    return TestClient(app, headers={"x-user": "ada", "accept": "text/html"})


@pytest.fixture
def bob(app):
    return TestClient(app, headers={"x-user": "bob"})


@pytest.fixture
def stranger(app):
    return TestClient(app)
