"""The console inside a real Airflow: its login, its permissions, its ledger, its place in the UI."""

import http.client
import re
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import pytest
from bs4 import BeautifulSoup

from include.console.app import create_app
from include.ledger.reader import Reader
from include.ledger.store import Credentials, Store, StoreAccess
from include.report import assets
from quickstart import settings
from quickstart.layout import PROJECT
from tests.unit.report import ledgers


class Browser:
    """Requests as a browser sends them, with the cookie that Airflow's login leaves; None: nobody is logged in."""

    def __init__(self, url, token=None):
        self.url, self.token = url, token

    def get(self, path, *, bearer=False, accept="text/html"):
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=180)
        headers = {"accept": accept}
        if self.token and bearer:
            headers["authorization"] = f"Bearer {self.token}"
        elif self.token:
            headers["cookie"] = f"_token={self.token}"
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), body


@pytest.fixture(scope="module")
def store(local_cloud):
    """The ledger that Airflow's variables name, written to as a task would."""
    variables = settings.load(PROJECT / "airflow_settings.yaml").variables
    keys = Credentials(access_key="local", secret_key="local")
    access = StoreAccess(region="us-east-1", endpoint_url=local_cloud.url, credentials=lambda: keys)
    return Store(variables["penumbra_ledger"], access)


@pytest.fixture(scope="module")
def story(store):
    return ledgers.promoted(store, run_id=f"manual__{datetime.now(UTC).isoformat()}")


@pytest.fixture(scope="module")
def nobody(airflow):
    return Browser(airflow.url)


@pytest.fixture(scope="module")
def viewer(airflow, api):
    client = airflow.client("viewer")
    client.log_in()
    return Browser(airflow.url, client._token)


def routes(story):
    """Return a path of every route of the console, filled with a rollout that exists."""
    values = {"identity": story.id, "dag_id": story.dag_id, "run_id": story.run_id, "name": "report.css"}
    app = create_app(viewer=lambda: None, archive=lambda: None, unreadable=lambda: None)
    found = [re.sub(r":\w+}", "}", route.path) for route in app.routes]
    return ["/shadow" + path.format(**{k: quote(v, safe="") for k, v in values.items()}) for path in found]


def test_no_route_answers_without_airflows_login(story, nobody, viewer):
    story.ledger.write_page("report.html", b"<!doctype html><p>kept</p>")
    for path in routes(story):
        assert nobody.get(path)[0] == 401, path
        assert Browser(nobody.url, "no.such.token").get(path)[0] in {401, 403}, path
        assert viewer.get(path)[0] == 200, path
        assert viewer.get(path, bearer=True)[0] == 200, path


@pytest.mark.parametrize("path", ["docs", "redoc", "openapi.json"])
def test_the_frameworks_own_pages_are_off(viewer, path):
    assert viewer.get(f"/shadow/{path}")[0] == 404


def test_who_is_not_logged_in_is_told_what_to_do(story, nobody):
    page = BeautifulSoup(nobody.get(f"/shadow/rollouts/{story.id}")[2], "lxml")
    assert page.select_one(".sentence").get_text() == "Log in to Airflow, then open this page again."


def test_the_page_shows_what_the_ledger_holds(story, store, viewer):
    status, headers, body = viewer.get(f"/shadow/rollouts/{story.id}")
    record = Reader(store).rollout(story.id)
    page = BeautifulSoup(body, "lxml")
    assert status == 200
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert record.get("outcome")["reason"] in page.select_one(".sentence").get_text()
    assert len(page.select("table caption")) >= 5
    assert story.id in viewer.get("/shadow/")[2]


def test_a_dag_runs_tab_finds_its_rollout_by_the_run_id_as_the_ui_writes_it(story, viewer):
    path = f"/shadow/dags/{story.dag_id}/runs/{quote(story.run_id, safe='')}"
    assert f"<code>{story.id}</code>" in viewer.get(path)[2]


def test_a_run_that_opened_no_rollout_says_so(api, viewer):
    run = api.trigger("probe", {})
    api.wait_for_run("probe", run, timeout=180)
    status, _, body = viewer.get(f"/shadow/dags/probe/runs/{quote(run, safe='')}")
    assert status == 200
    assert "is success and has opened no rollout." in body
    assert viewer.get("/shadow/dags/probe/runs/none")[0] == 404


def test_a_rollout_that_is_not_in_the_ledger_is_not_found(viewer):
    status, _, body = viewer.get("/shadow/rollouts/aaaaaaaaaaaa")
    assert status == 404
    assert "There is no rollout aaaaaaaaaaaa in the ledger." in body


def test_plotly_comes_from_airflow_itself(viewer):
    status, headers, _ = viewer.get(f"/shadow/static/{assets.PLOTLY}?v={assets.version(assets.PLOTLY)}")
    assert status == 200
    assert headers["content-type"].startswith("text/javascript")
    assert "immutable" in headers["cache-control"]


def test_the_plugin_is_registered_with_a_place_in_the_navigation_and_on_each_run(api):
    assert api.get("/plugins/importErrors")["import_errors"] == []
    plugin = next(p for p in api.get("/plugins", limit=100)["plugins"] if p["name"] == "shadow_rollouts")
    places = {view["destination"]: view for view in plugin["external_views"]}
    assert set(places) == {"nav", "dag_run"}
    assert len(places["nav"]["name"]) <= 8
    assert [app["url_prefix"] for app in plugin["fastapi_apps"]] == ["/shadow"]
    assert any("RolloutLink" in link for link in plugin["operator_extra_links"])


def test_the_list_has_the_next_run_of_each_refresh_that_is_not_paused(api, local_cloud, viewer):
    refresh = "model_refresh__churn_refresh"  # at midnight, which is not now
    path = f"/api/v2/dags/{refresh}"
    try:
        api._send("PATCH", path, {"is_paused": True})
        assert refresh not in viewer.get("/shadow/")[2]
        api._send("PATCH", path, {"is_paused": False})
        planned = api.get(f"/dags/{refresh}")["next_dagrun_run_after"]
        page = BeautifulSoup(viewer.get("/shadow/")[2], "lxml")
        row = page.find("th", string=refresh).find_parent("tr")
        assert row.time["datetime"] == planned
    finally:
        api._send("PATCH", path, {"is_paused": True})
