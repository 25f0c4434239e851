"""Application: the pages and the JSON API of a finished run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from experiments.serve import api, pages
from experiments.serve.concepts import Concepts
from experiments.serve.limits import Limits
from experiments.serve.pool import Pool
from experiments.serve.refused import Refused
from experiments.serve.replies import FOLDER, refusal
from experiments.serve.security import Guard
from experiments.serve.state import State
from experiments.serve.studies import Studies
from kg.errors import InputError

__all__ = ["Settings", "application"]

SWEEP = 20.0
"""Seconds between two looks for answers that are kept for too long."""


@dataclass(frozen=True)
class Settings:
    """What is served, and to whom.

    Args:
        run: Name of the finished run.
        runs: Folder of runs.
        workers: Number of worker processes.
        hosts: Names that the server answers to; empty = any.
        token: Token that requests need; empty = none.
        limits: Limits of the server.
        free_text: Whether answers show reports, dialogues and pictures.
    """

    run: str
    runs: Path
    workers: int = 1
    hosts: tuple[str, ...] = ()
    token: str = ""
    limits: Limits = Limits()
    free_text: bool = True


def application(settings: Settings) -> Starlette:
    """The application, which starts its workers when it is started."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        pool = Pool(settings.run, settings.runs, settings.workers, settings.limits)
        studies = Studies(pool, settings.limits)
        sweeping = asyncio.create_task(_sweep(studies))
        try:
            loaded = await pool.start()
            app.state.served = State(
                settings.run,
                settings.token,
                settings.free_text,
                pool,
                studies,
                Concepts(loaded.graph, loaded.basis),
                loaded,
                settings.limits,
            )
            yield
        finally:
            sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await sweeping
            await pool.close()
            studies.close()

    guard = Middleware(Guard, hosts=settings.hosts, token=settings.token, limits=settings.limits)
    return Starlette(
        routes=[
            *pages.ROUTES,
            Mount("/api", routes=api.ROUTES),
            Route("/static/page.css", pages.style),
            Mount("/static", StaticFiles(directory=FOLDER / "static")),
        ],
        middleware=[guard],
        exception_handlers={
            Refused: _refused,
            InputError: _wrong_input,
            HTTPException: _http,
        },
        lifespan=lifespan,
    )


async def _sweep(studies: Studies) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        studies.sweep()


Handler = Callable[[Request, Exception], Awaitable[Response]]


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refusal(request.scope, error)


async def _wrong_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return refusal(request.scope, Refused(422, error.message, error.hint))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {
        400: f"the form that was sent cannot be read: {error.detail}".rstrip("."),
        404: "there is no such page",
        405: "this address is not asked in that way",
    }
    message = said.get(error.status_code, error.detail)
    return refusal(request.scope, Refused(error.status_code, message, "/api lists the addresses"))
