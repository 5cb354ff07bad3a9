"""The pictures of the documentation, of two rollouts on the project of `make up`: form, log, graph and console.

python -m quickstart.screenshots
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from include.rollout.names import rollout_id
from quickstart import browser, project
from quickstart.client import AirflowClient
from quickstart.layout import PROJECT

if TYPE_CHECKING:
    from playwright.sync_api import Page

DAG = "shadow_rollout"
SPEC = "churn_failing"
# A little over what is allowed takes several looks to find: enough to fill the console's charts.
SLOWER = {
    "spec": "churn_slower",
    "overrides": {
        "description": "The newer churn model in a container that takes a little longer than is allowed.",
        "candidate": {"environment": {"LOCAL_SERVICE_TIME_FACTOR": "1.27"}},
    },
}
PICTURES = PROJECT / "docs" / "images"
LONGEST = 600.0  # seconds for the rollout, on a busy machine too
SETTLING = 1500  # ms until what unfolds, fades or is laid out stands still


def take(executable: str, url: str, password: str, folder: Path) -> None:
    """Run both rollouts, the first from Airflow's trigger form, and take a picture of each place; TimeoutError if one hangs."""
    api = AirflowClient(url, user="admin", password=password)
    with browser.opened(executable) as context:
        page = context.new_page()
        browser.log_in(page, f"{url}/dags/{DAG}", user="admin", password=password)
        _size(page, 1000)
        form = browser.TriggerForm(page)
        form.unfold("Rollout")
        form.fill({"spec": SPEC})
        _take(page, folder / "trigger-form.png")
        form.submit()
        page.wait_for_url("**/runs/**")
        run_id = str(api.runs(DAG)[0]["dag_run_id"])
        _finish(api, run_id)
        run = url + browser.run_path(DAG, run_id)

        _size(page, 900)
        page.goto(f"{run}/tasks/monitor_window")
        page.get_by_text("aborting").first.wait_for()
        page.keyboard.press("w")  # wrap the lines
        _take(page, folder / "log.png")

        _size(page, 640)  # the graph is wide and low; any lower, and Airflow lays its map over it
        page.goto(run)
        page.get_by_role("button", name="Show Graph").click()
        page.get_by_role("button", name="Collapse Details Panel").click()
        page.locator(".react-flow__node").first.wait_for()
        page.get_by_role("button", name="Fit View").click()
        _take(page, folder / "graph.png")

        run_id = api.trigger(DAG, SLOWER)
        _finish(api, run_id)
        _size(page, 1150)
        page.goto(f"{url}/shadow/rollouts/{rollout_id(DAG, run_id)}")
        page.locator("#section-charts svg").first.wait_for()
        _take(page, folder / "console.png")


def _finish(api: AirflowClient, run_id: str) -> None:
    print(f"Run {run_id} has begun; it takes about two minutes.", flush=True)
    state = api.wait_for_run(DAG, run_id, timeout=LONGEST)
    if state != "success":
        raise TimeoutError(f"Run {run_id} is {state}, not success; look into it in Airflow.")


def _size(page: Page, height: int) -> None:
    page.set_viewport_size({"width": 1280, "height": height})


def _take(page: Page, file: Path) -> None:
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLING)
    page.screenshot(path=file)
    print(f"{file.relative_to(PROJECT)}: {file.stat().st_size / 1000:.0f} kB", flush=True)


def main() -> int:
    """Take the pictures; 1, and a sentence, if there is nothing to take them with or of."""
    executable = browser.chromium()
    if executable is None:
        print(f"No Chromium is on PATH ({', '.join(browser.NAMES)}); install it.", file=sys.stderr)
        return 1
    known = project.address()
    if not known:
        print("Nothing runs that could be photographed; start it with: make up", file=sys.stderr)
        return 1
    take(executable, known["airflow"], known["admin"], PICTURES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
