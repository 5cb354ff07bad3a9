"""What the client makes of an Airflow whose SQLite has another writer."""

import http.server
import json
import threading

import pytest

from quickstart import client as client_module
from quickstart.client import AirflowClient, ApiError

BUSY = {  # as Airflow 3.3 words it with [api] expose_stacktrace; the statement may be long
    "detail": {
        "reason": "Database error",
        "statement": "INSERT INTO log " + "x" * 3_000,
        "orig_error": "database is locked",
        "message": "Error with id abc",
    }
}
DEFECT = {"detail": {"reason": "Database error", "orig_error": "no such table: dag_run"}}


@pytest.fixture
def airflow():
    """A server that gives the answers in `answers` one after another; the paths asked for are in `asked`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.asked.append(self.path)
            status, body = (
                (200, {"access_token": "t"}) if self.path == "/auth/token" else self.server.answers.pop(0)
            )
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(airflow, monkeypatch):
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: None)
    return AirflowClient(f"http://127.0.0.1:{airflow.server_port}", user="admin", password="p")


def start(client):
    return client.trigger("shadow_rollout", run_id="one", conf={})


def test_a_request_that_met_a_locked_database_is_sent_again(airflow, client):
    airflow.answers = [(500, BUSY)] * 7 + [(200, {"dag_run_id": "one"})]
    start(client)
    assert airflow.asked.count("/api/v2/dags/shadow_rollout/dagRuns") == 8


def test_a_database_that_stays_locked_is_an_error_with_airflows_words(airflow, client):
    airflow.answers = [(500, BUSY)] * 100
    with pytest.raises(ApiError, match="database is locked"):
        start(client)


def test_any_other_error_of_the_database_is_said_at_once(airflow, client):
    airflow.answers = [(500, DEFECT)]
    with pytest.raises(ApiError, match="no such table"):
        start(client)
