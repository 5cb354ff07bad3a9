"""Airflow's pages as a person uses them, in a headless Chromium: log in, fill a trigger form, look."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")  # as distributions call it
SWITCHES = (
    "--headless",
    "--no-sandbox",  # it only ever sees pages of this machine, and containers have no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 60_000  # ms; a busy machine is slow, not broken


def chromium() -> str | None:
    """Return the Chromium found on PATH, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def opened(executable: str, *, width: int = 1280, height: int = 900) -> Iterator[BrowserContext]:
    """Run one Chromium with a fresh profile; it ends with the block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(SWITCHES))
        try:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light")
            context.set_default_timeout(PATIENCE)
            yield context
        finally:
            browser.close()


def run_path(dag_id: str, run_id: str) -> str:
    """Return the path of a DAG run's page in Airflow."""
    return f"/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"


def log_in(page: Page, url: str, *, user: str, password: str) -> None:
    """Go to an address of Airflow as somebody who is not logged in yet, through the login form."""
    page.goto(url)
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda found: "/auth/login" not in found)


class TriggerForm:
    """The dialog that the Trigger button of a DAG's page opens."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.get_by_role("button", name="Trigger").first.click()
        self.dialog: Locator = page.get_by_role("dialog")
        self.dialog.get_by_test_id("trigger-dag-submit").wait_for()

    def unfold(self, section: str) -> None:
        """Open this section; Airflow shows all folded, and folds the one that was open."""
        self.dialog.get_by_role("button", name=section, exact=True).click()

    def fill(self, values: Mapping[str, str]) -> None:
        """Type into fields, by the names of the DAG's params; their section must be unfolded."""
        for name, value in values.items():
            field = self.dialog.locator(f"input[name=element_{name}]")
            field.fill(value)
            field.press("Tab")  # the form takes a value over when its field is left

    def submit(self) -> None:
        """Press Trigger; by key, because what Airflow tells of a refusal may lie over the button."""
        self.dialog.get_by_test_id("trigger-dag-submit").press("Enter")
