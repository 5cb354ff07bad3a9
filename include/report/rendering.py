"""Templates to HTML, every value escaped; and where a page's files come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

from include.report import assets, numbers
from include.report.series import QUANTILES, ROLES
from include.report.statistics import change

STORED_POLICY = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where the console's pages are, relative to each other or from the server's root."""

    home: str
    static: str  # folder of the static files
    ticks: str = ""  # what was seen since a cursor, as JSON
    report: str = ""  # the report as it was kept
    dag_run: str = ""  # the run in Airflow's own pages


def render(template: str, links: Links | None, **values: Any) -> str:
    """Render a template as a page of the console, or with `links` None as a file that stands alone."""
    return _environment().get_template(template).render(**values, **_frame(links))


def part(template: str, **values: Any) -> str:
    """Render a part of a page, as the page itself holds it."""
    return _environment().get_template(template).render(**values)


def message_page(title: str, sentence: str, *, links: Links, again: bool = False) -> str:
    """Render a page that says one sentence; with `again` it looks again by itself every few seconds."""
    return render("message.html", links, title=title, sentence=sentence, again=again)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,  # an older ledger lacks fields: they show as nothing, or as a dash
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=numbers.count,
        percent=numbers.percent,
        ms=numbers.milliseconds,
        ratio=numbers.ratio,
        measure=numbers.measure,
        evidence=numbers.evidence,
        span=numbers.span,
        instant=numbers.instant,
    )
    environment.globals.update(change=change, dash=numbers.DASH, quantiles=QUANTILES, roles=ROLES)
    return environment


def _frame(links: Links | None) -> dict[str, Any]:
    """Return what a page's head needs: the console's files, or everything inline."""
    if links is not None:
        return {"links": links, "version": assets.version, "plotly_sheets": assets.plotly_sheets}
    scripts = " ".join(assets.digest(name) for name in ("boot.js", "charts.js", assets.PLOTLY))
    styles = f"{assets.digest('report.css')} {assets.EMPTY_STYLE}"
    return {
        "links": None,
        "policy": STORED_POLICY.format(scripts=scripts, styles=styles),
        "source": assets.source,
        "packed_plotly": assets.packed_plotly,
        "plotly_sheets": assets.plotly_sheets,
    }
