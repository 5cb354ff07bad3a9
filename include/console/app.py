"""The console's routes. All only read, and all, the static files too, are for who is logged in and may read DAGs."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.console.archive import Archive
from include.console.viewer import Viewer
from include.ledger.objects import Kind
from include.ledger.reader import Record
from include.report import assets
from include.report.listing import line_of, list_page
from include.report.page import news, rollout_page
from include.report.rendering import Links, message_page
from include.rollout.errors import RolloutError
from include.rollout.names import is_rollout_id, rollout_id

_PAGE = 50  # rollouts on one page of the list
# What the pages may do. Plotly adds its rules to an empty <style>, which EMPTY_STYLE lets through and nothing else.
POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' {assets.EMPTY_STYLE}; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
# A stored report brings a policy of its own. Whoever can write to the ledger could store another page under its name,
# so it is shown as a stranger: without this origin's cookies and without a way to send anything.
STORED_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def create_app(
    *, viewer: Callable[..., Viewer], archive: Callable[[], Archive], unreadable: Callable[[], None]
) -> FastAPI:
    """Return the console.

    `viewer` is a dependency that gives the person who is logged in, or raises HTTPException 401 or 403; it guards every
    route. `archive` gives the ledger as it is configured now; it may raise RolloutError, which is shown, and after
    which `unreadable` is called, so that what was wrong with the configuration can be mended without a restart.
    Routes are plain functions: Starlette runs them in threads, where reading the ledger may block.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(viewer)])
    app.add_middleware(_Headers)
    app.add_exception_handler(StarletteHTTPException, _refused)

    def failed(request: Request, error: Exception) -> Response:
        unreadable()
        return _said(request, 503, "The ledger cannot be read", str(error), None)

    app.add_exception_handler(RolloutError, failed)
    person = Annotated[Any, Depends(viewer)]  # Viewer; a Protocol is no type that FastAPI could fill

    @app.get("/")
    def rollouts(request: Request, who: person, after: str = "") -> HTMLResponse:
        found = archive().newest(_PAGE, after=after)
        shown = [
            line_of(entry, record, run_state=None if entry.outcome else _run_state(who, entry.about))
            for entry, record in found
            if who.may_read(_dag_of(entry.about))
        ]
        older = found[-1][0].cursor if len(found) == _PAGE else ""
        coming = [] if after else who.coming()
        return HTMLResponse(list_page(shown, links=_links(request), coming=coming, after=after, older=older))

    @app.get("/rollouts/{identity}")
    def rollout(request: Request, who: person, identity: str) -> HTMLResponse:
        return _rollout(request, who, _read(archive(), who, identity))

    @app.get("/rollouts/{identity}/ticks")
    def ticks(who: person, identity: str, after: str = "") -> Response:
        told = news(_read(archive(), who, identity), after)
        return Response(status_code=204) if told is None else JSONResponse(told)

    @app.get("/rollouts/{identity}/report")
    def report(who: person, identity: str) -> HTMLResponse:
        kept = archive()
        _read(kept, who, identity)
        page = kept.report(identity)
        if page is None:
            raise HTTPException(
                404, f"Rollout {identity} has kept no report (yet); its page shows what is known."
            )
        return HTMLResponse(page, headers={"content-security-policy": STORED_POLICY})

    @app.get("/dags/{dag_id}/runs/{run_id:path}")
    def run(request: Request, who: person, dag_id: str, run_id: str) -> HTMLResponse:
        if not who.may_read(dag_id):
            raise HTTPException(403, f"You may not read the DAG {dag_id}; ask for its read permission.")
        record = archive().rollout(rollout_id(dag_id, run_id))
        if record is not None:
            return _rollout(request, who, record)
        state = who.state_of(dag_id, run_id)
        if state is None:
            raise HTTPException(404, f"The DAG {dag_id} has no run {run_id}.")
        waiting = state not in {"success", "failed"}
        sentence = f"Run {run_id} of {dag_id} is {state} and has opened no rollout" + (
            " yet; this page looks again by itself." if waiting else "."
        )
        return HTMLResponse(message_page("No rollout", sentence, links=_links(request), again=waiting))

    @app.get("/static/{name}")
    def static(request: Request, name: str, v: str = "") -> Response:
        if name not in assets.NAMES:
            raise HTTPException(404, "The console has no such file.")
        headers = {"vary": "accept-encoding"}
        if v == assets.version(name):
            headers["cache-control"] = "private, max-age=31536000, immutable"
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["content-encoding"] = assets.compressed(name), "gzip"
        else:
            body = assets.source(name).encode()
        return Response(body, media_type=assets.media_type(name), headers=headers)

    return app


def _read(archive: Archive, who: Viewer, identity: str) -> Record:
    """Return a rollout that exists and that the person may read, or raise HTTPException."""
    record = archive.rollout(identity) if is_rollout_id(identity) else None
    if record is None:
        raise HTTPException(404, f"There is no rollout {identity} in the ledger.")
    dag_id = _dag_of(record.get(Kind.OPEN) or {})
    if not who.may_read(dag_id):
        raise HTTPException(
            403, f"You may not read the DAG {dag_id} of this rollout; ask for its read permission."
        )
    return record


def _rollout(request: Request, who: Viewer, record: Record) -> HTMLResponse:
    state = None if record.is_over else _run_state(who, record.get(Kind.OPEN) or {})
    return HTMLResponse(rollout_page(record, live=True, links=_links(request, record), run_state=state))


def _run_state(who: Viewer, about: Any) -> str | None:
    return who.state_of(_dag_of(about), str(about["run_id"])) if about.get("run_id") else None


def _dag_of(about: Any) -> str:
    return str(about.get("dag_id", ""))


def _links(request: Request, record: Record | None = None) -> Links:
    root = str(request.scope.get("root_path", "")).rstrip("/")
    airflow = str(request.scope.get("app_root_path", "")).rstrip("/")
    if record is None:
        return Links(home=f"{root}/", static=f"{root}/static")
    opened = record.get(Kind.OPEN) or {}
    here = f"{root}/rollouts/{record.rollout_id}"
    return Links(
        home=f"{root}/",
        static=f"{root}/static",
        ticks=f"{here}/ticks",
        report=f"{here}/report" if record.is_over else "",
        dag_run=_run_url(airflow, opened) if opened.get("run_id") else "",
    )


def _run_url(airflow: str, opened: Any) -> str:
    return f"{airflow}/dags/{quote(_dag_of(opened), safe='')}/runs/{quote(str(opened['run_id']), safe='')}"


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    titles = {401: "Not logged in", 403: "Not allowed", 404: "Not found"}
    sentence = (
        "Log in to Airflow, then open this page again." if error.status_code == 401 else str(error.detail)
    )
    return _said(
        request, error.status_code, titles.get(error.status_code, "Not possible"), sentence, error.headers
    )


def _said(request: Request, status: int, title: str, sentence: str, headers: Any) -> Response:
    """Answer a person with a page and a program with JSON."""
    if "text/html" in request.headers.get("accept", ""):
        page = message_page(title, sentence, links=_links(request))
        return HTMLResponse(page, status_code=status, headers=headers)
    return JSONResponse({"detail": sentence}, status_code=status, headers=headers)


class _Headers:
    """Adds the security headers to every answer that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *((k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in present),
                ]
            await send(message)

        await self.app(scope, receive, sending)
