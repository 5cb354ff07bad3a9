"""The console as Airflow mounts it: built on the first request.

Every process of Airflow loads plugins, schedulers and workers too; only the one that is asked for a page pays for it.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send


async def console(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, as any ASGI application does."""
    app = _app() if _app.cache_info().currsize else await asyncio.to_thread(_app)
    await app(scope, receive, send)


@cache
def _app() -> FastAPI:
    from include.console import access

    return access.console()
