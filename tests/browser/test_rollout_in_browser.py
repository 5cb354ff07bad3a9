"""A rollout as a person sees it: started, followed and ended early in a browser, on a real Airflow."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import yaml

from quickstart import browser
from quickstart.client import ApiError
from tests.airflow.rollouts import DAG, SPEC, Run, Stage

EXECUTABLE = browser.chromium()
WHY = "Seen enough of it in the browser"
# What Airflow's own pages complain about: their frame around our page, the question who is logged in, and the value
# that is refused on purpose.
AIRFLOWS_OWN = (
    "An iframe which has both allow-scripts and allow-same-origin",
    "status of 401 (Unauthorized)",
    "status of 400 (Bad Request)",
)

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(EXECUTABLE is None, reason=f"no Chromium on PATH ({', '.join(browser.NAMES)})"),
]


@dataclass
class Told:
    """What a browser told while it was used: addresses it asked, and what its pages complained about."""

    asked: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    def listen(self, context):
        context.on("request", lambda request: self.asked.append(request.url))
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def _console(self, message):
        where = message.location.get("url", "")
        # The frame's warning gives our page, which it is about, as its place; nothing else of ours is forgiven.
        known = any(own in message.text for own in AIRFLOWS_OWN[: 1 if "/shadow/" in where else None])
        if message.type in {"error", "warning"} and not known:
            self.complaints.append(f"{message.type}: {message.text} ({where})")

    @property
    def hosts(self):
        web = [urlsplit(url.removeprefix("blob:")) for url in self.asked if not url.startswith("data:")]
        return {each.hostname for each in web}


def numbers(page, row):
    """Return production's and the shadow's number in a row of the descriptive statistics."""
    cells = page.locator("#section-statistics tr").filter(
        has=page.get_by_role("rowheader", name=row, exact=True)
    )
    return [int(text.replace(",", "")) for text in cells.locator("td").all_inner_texts()[:2]]


@pytest.fixture(scope="module")
def stage(api, local_cloud, layout):
    return Stage(api, local_cloud, layout.home)


def test_a_wrong_value_is_refused_before_anything_happens_naming_the_field(api):
    with pytest.raises(ApiError, match="sampling") as refused:
        api.trigger(DAG, {"spec": "churn_healthy", "sampling": 2})
    assert refused.value.status == 400


def test_a_rollout_is_started_followed_and_concluded_in_the_browser(airflow, api, stage):
    stage.endpoint("browsed")
    spec = stage.folder / "browsed.yaml"
    window = {**SPEC["window"], "length": 300, "maximum": 300}  # longer than anybody would watch it
    spec.write_text(yaml.safe_dump({**SPEC, "endpoint": {"name": "browsed"}, "window": window}))
    told = Told()
    with browser.opened(EXECUTABLE) as context:
        told.listen(context)
        page = context.new_page()
        browser.log_in(page, f"{airflow.url}/dags/{DAG}", user="admin", password=airflow.secrets.admin)

        run = started(page, stage, spec)
        run.until("monitor_window", "deferred")
        page.get_by_role("link", name="Rollout", exact=True).click()
        framed = page.frame_locator("iframe")
        framed.get_by_text("browsed RUNNING").wait_for()
        run.stage.api.wait(
            lambda: run.record.last("tick/"),
            timeout=180,
            what=lambda: f"no look yet: {run.record.written_keys()}",
        )

        page.goto(f"{airflow.url}/shadow/rollouts/{run.id}")
        page.get_by_text("The window is open until").wait_for()
        concluding = context.new_page()
        concluded(concluding, airflow, run)
        assert run.wait() == "success"
        page.get_by_text("ROLLED BACK").first.wait_for()  # by itself: the page is live
        shown(page, run)

    assert told.hosts == {"127.0.0.1"}
    assert told.complaints == []


def started(page, stage, spec):
    """Fill the trigger form, badly first, and return the run that it starts."""
    form = browser.TriggerForm(page)
    form.unfold("Rollout")
    form.fill({"spec": str(spec)})
    form.unfold("Traffic")
    form.fill({"sampling": "2"})
    sampling = form.dialog.locator("input[name=element_sampling]")
    assert sampling.input_value() == "1", "the form takes no more than all requests"
    form.fill({"sampling": "1"})
    form.unfold("Candidate")
    form.fill({"instance_type": "m5.large"})
    with page.expect_response(lambda answer: answer.request.method == "POST") as refused:
        form.submit()
    assert refused.value.status == 400
    form.dialog.get_by_text("instance_type").first.wait_for()
    assert [run for run in stage.api.runs(DAG) if (run["conf"] or {}).get("spec") == str(spec)] == []

    form.fill({"instance_type": "ml.m5.xlarge"})
    form.submit()
    page.wait_for_url("**/runs/**")
    (mine,) = [run for run in stage.api.runs(DAG) if (run["conf"] or {}).get("spec") == str(spec)]
    return Run(stage, "browsed", mine["dag_run_id"])


def concluded(page, airflow, run):
    """Ask, with the form of conclude_rollout, that the shadow be removed."""
    page.goto(f"{airflow.url}/dags/conclude_rollout")
    form = browser.TriggerForm(page)
    form.fill({"rollout": run.id, "why": WHY})
    form.submit()
    page.wait_for_url("**/runs/**")


def shown(page, run):
    """The page says what the ledger says."""
    record = run.record
    assert run.end == "ROLLED_BACK"
    assert record.get("decision")["who"] == "admin"
    sentence = page.locator("#section-verdict p.sentence").inner_text()
    assert WHY in sentence
    assert record.get("outcome")["reason"] in sentence
    assert record.get("spec")["overrides"]["candidate"]["instance_type"] == "ml.m5.xlarge"
    evidence = record.last("evidence/")
    counted = [
        sum(period["invocations"] for period in evidence[variant]) for variant in ("production", "shadow")
    ]
    assert numbers(page, "Requests") == counted
    assert all(requests > 0 for requests in counted)
