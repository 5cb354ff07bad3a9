"""The console's routes: what they show, to whom, and under which policy."""

from urllib.parse import quote

import pytest
from bs4 import BeautifulSoup
from fastapi.testclient import TestClient
from starlette.routing import Route

from include.console.app import create_app
from include.report import assets
from include.report.page import rollout_page
from include.rollout.errors import LedgerError
from tests.unit.console.conftest import Person
from tests.unit.report import ledgers


def text(response):
    return " ".join(BeautifulSoup(response.text, "lxml").get_text(" ").split())


def paths(app, story):
    """Return a path of every route of the app, filled with a rollout that exists."""
    values = {"identity": story.id, "dag_id": "shadow_rollout", "run_id": story.run_id, "name": "report.css"}
    found = []
    for route in app.routes:
        assert isinstance(route, Route), (
            f"{route} is no plain route; a mounted app would have no login in front"
        )
        path = route.path.replace("{run_id:path}", "{run_id}")
        found.append(path.format(**{name: quote(value, safe="") for name, value in values.items()}))
    return found


def test_every_route_wants_a_login_and_the_permission_to_read_dags(app, store, ada, stranger):
    story = ledgers.promoted(store)
    story.ledger.write_page("report.html", b"<!doctype html>")
    routes = paths(app, story)
    assert len(routes) == 6
    for path in routes:
        assert ada.get(path).status_code == 200, path
        assert stranger.get(path).status_code == 401, path
        assert stranger.get(path, headers={"x-user": "nobody"}).status_code == 403, path


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
def test_the_frameworks_own_pages_are_off(ada, path):
    assert ada.get(path).status_code == 404


def test_only_get_is_answered(app, store, ada):
    for path in paths(app, ledgers.promoted(store)):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert ada.request(method, path).status_code == 405


def test_a_rollout_of_a_dag_that_one_may_not_read_is_neither_shown_nor_listed(app, store, ada, bob):
    story = ledgers.promoted(store)
    assert story.id in ada.get("/").text
    assert story.id not in bob.get("/").text
    for path in (f"/rollouts/{story.id}", f"/rollouts/{story.id}/ticks", f"/rollouts/{story.id}/report"):
        assert bob.get(path).status_code == 403
    assert bob.get(f"/dags/shadow_rollout/runs/{quote(story.run_id)}").status_code == 403


def test_every_answer_carries_the_policy_and_is_not_kept(app, store, ada, stranger):
    story = ledgers.promoted(store)
    for client, path in ((ada, "/"), (ada, f"/rollouts/{story.id}"), (ada, "/nowhere"), (stranger, "/")):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; ")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_the_list_has_runs_to_come_running_and_finished_rollouts(store, ada, bob):
    for story in (ledgers.promoted, ledgers.rolled_back, ledgers.running, ledgers.crashed, ledgers.hostile):
        story(store)
    page = BeautifulSoup(ada.get("/").text, "lxml")
    assert [h.get_text() for h in page.find_all("h2")] == ["To come", "Running", "Finished"]
    badges = [badge.get_text() for badge in page.select(".badge")]
    assert badges == ["RUNNING", "ROLLED BACK", "CRASHED", "ROLLED BACK", "PROMOTED"]
    assert "2026-03-02 00:00:00 UTC" in page.get_text()
    assert page.find("img") is None
    assert "model_refresh" not in bob.get("/").text


def test_the_list_looks_again_by_itself_while_anything_is_to_come_of_it(store, ada, bob):
    def looks_again(client):
        return bool(BeautifulSoup(client.get("/").text, "lxml").select('meta[http-equiv="refresh"]'))

    ledgers.promoted(store)
    assert not looks_again(bob)  # who sees neither a running rollout nor a run to come
    assert looks_again(ada)


def test_the_list_goes_on_where_a_page_of_it_ends(store, ada):
    stories = [
        ledgers.Story(store, f"run{at}", at=ledgers.START.replace(minute=at)).open() for at in range(53)
    ]
    first = BeautifulSoup(ada.get("/").text, "lxml")
    older = next(a["href"] for a in first.find_all("a") if a.get_text() == "Older rollouts")
    second = BeautifulSoup(ada.get(older).text, "lxml")
    shown = [a["href"].rpartition("/")[2] for page in (first, second) for a in page.select("tbody a")]
    assert shown == [story.id for story in reversed(stories)]


def test_a_run_is_found_by_its_dag_and_run_id_however_it_is_written(store, ada):
    story = ledgers.promoted(store)
    for written in (quote(story.run_id, safe=""), story.run_id):
        page = ada.get(f"/dags/shadow_rollout/runs/{written}")
        assert page.status_code == 200
        assert "The candidate was promoted" in page.text
    slashed = ledgers.promoted(store, run_id="manual/with/slashes {MAP_INDEX}")
    assert ada.get(f"/dags/shadow_rollout/runs/{quote(slashed.run_id, safe='')}").status_code == 200


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        (None, 404, "has no run"),
        ("queued", 200, "is queued and has opened no rollout yet; this page looks again by itself."),
        ("failed", 200, "is failed and has opened no rollout."),
    ],
)
def test_a_run_without_a_rollout_says_so_in_one_sentence(ada, runs, state, status, said):
    if state:
        runs["shadow_rollout", "manual__1"] = state
    answer = ada.get("/dags/shadow_rollout/runs/manual__1")
    assert answer.status_code == status
    assert said in text(answer)
    assert ('http-equiv="refresh"' in answer.text) is (state == "queued")


@pytest.mark.parametrize("identity", ["aaaaaaaaaaaa", "no-rollout", "%2e%2e", "<script>"])
def test_a_rollout_that_does_not_exist_is_a_404_in_one_sentence(ada, bob, identity):
    answer = ada.get(f"/rollouts/{identity}")
    assert answer.status_code == 404
    page = BeautifulSoup(answer.text, "lxml")
    assert page.h1.get_text() == "Not found"
    assert page.select_one(".sentence").get_text().startswith("There is no rollout")
    assert bob.get(f"/rollouts/{identity}").json()["detail"].startswith("There is no rollout")


def test_a_page_follows_a_running_rollout_by_its_cursor(store, clock, ada):
    story = ledgers.running(store, periods=2)
    page = BeautifulSoup(ada.get(f"/rollouts/{story.id}").text, "lxml").select_one("#live")
    ticks, cursor = page["data-ticks"], page["data-cursor"]
    assert ada.get(ticks, params={"after": cursor}).status_code == 204
    story.look(4, lambda n: -0.2 * n)
    clock.seconds += 2
    told = ada.get(ticks, params={"after": cursor}).json()
    assert len(told["rows"]) == 2
    assert ada.get(ticks, params={"after": told["cursor"]}).status_code == 204


def test_a_finished_rollout_is_not_followed_and_links_its_report(store, ada):
    story = ledgers.promoted(store)
    page = BeautifulSoup(ada.get(f"/rollouts/{story.id}").text, "lxml")
    assert page.select_one("#live") is None
    assert f"/rollouts/{story.id}/report" in [a["href"] for a in page.select("nav a[download]")]


def test_a_rollout_whose_run_is_over_without_an_outcome_is_called_lost(store, runs, ada):
    story = ledgers.running(store)
    runs["shadow_rollout", story.run_id] = "running"
    assert "LOST" not in ada.get(f"/rollouts/{story.id}").text + ada.get("/").text
    runs["shadow_rollout", story.run_id] = "failed"
    assert "LOST" in text(ada.get("/"))
    assert "Its DAG run is over (failed), but the rollout has no outcome" in text(
        ada.get(f"/rollouts/{story.id}")
    )


def test_the_kept_report_is_shown_as_it_was_kept_and_as_a_stranger(store, archive, ada):
    story = ledgers.promoted(store)
    assert ada.get(f"/rollouts/{story.id}/report").status_code == 404
    page = rollout_page(archive.rollout(story.id), live=False).encode()
    story.ledger.write_page("report.html", page)
    answer = ada.get(f"/rollouts/{story.id}/report")
    assert answer.content == page
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; ")
    assert "allow-same-origin" not in policy
    assert "connect-src" not in policy  # falls back to default-src 'none'


def test_static_files_are_only_those_of_the_console(ada):
    for name in assets.NAMES:
        answer = ada.get(f"/static/{name}?v={assets.version(name)}")
        assert answer.text == assets.source(name)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        assert ada.get(f"/static/{name}?v=old").headers["cache-control"] == "no-store"
        plain = ada.get(f"/static/{name}", headers={"accept-encoding": "identity"})
        assert plain.text == assets.source(name)
    for name in ("..%2fpage.py", "app.py", "rendering.py", "report.css%00"):
        assert ada.get(f"/static/{name}").status_code == 404


def test_links_keep_the_path_under_which_the_console_is_mounted(app, store, ada):
    story = ledgers.running(store)
    proxied = TestClient(app, root_path="/airflow/shadow", headers={"x-user": "ada"})
    page = BeautifulSoup(proxied.get(f"/airflow/shadow/rollouts/{story.id}").text, "lxml")
    assert page.select_one("#live")["data-ticks"] == f"/airflow/shadow/rollouts/{story.id}/ticks"
    assert all(s["src"].startswith("/airflow/shadow/static/") for s in page.find_all("script", src=True))


def test_a_ledger_that_cannot_be_read_is_named_in_one_sentence_and_opened_anew(archive):
    places = [LedgerError("Cannot list s3://b/p: the bucket does not exist; create it, or correct its name.")]

    def opened():
        if places:
            raise places[0]
        return archive

    app = create_app(viewer=lambda: Person({}, {}), archive=opened, unreadable=places.clear)
    console = TestClient(app, headers={"accept": "text/html"})
    answer = console.get("/")
    assert answer.status_code == 503
    assert "the bucket does not exist; create it" in text(answer)
    assert console.get("/").status_code == 200
