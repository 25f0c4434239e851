"""Listening: the socket of a server, and the serving of an application on it."""

from __future__ import annotations

import socket

import uvicorn
from starlette.applications import Starlette

from kg.errors import InputError

__all__ = ["listen", "serve_on"]

BACKLOG = 256


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        InputError: If the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be listened on: {error.strerror}", "choose another --port"
        ) from None


async def serve_on(app: Starlette, listening: socket.socket) -> None:
    """Serve an application until the process is told to end; nothing of a request is logged."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    # entered here, so that a model that cannot be loaded is told like every other error
    async with app.router.lifespan_context(app):
        await uvicorn.Server(config).serve(sockets=[listening])
