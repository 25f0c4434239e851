"""`kgdx serve`: a web page and a JSON API that answer for uploaded studies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import runs_option, verbose_option
from experiments.cli.completion import complete_runs
from kg.errors import InputError

__all__ = ["serve"]

TOKEN = "KGDX_SERVE_TOKEN"
SHORTEST = 16
"""Least length of a token."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@verbose_option
@click.option(
    "--run",
    "run_name",
    required=True,
    metavar="RUN",
    shell_complete=complete_runs,
    help="Finished run that answers.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 = a free one."
)
@click.option(
    "--token-file",
    type=_file,
    help=f"File with the token that requests need (or {TOKEN}); needed beyond this machine.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer, each with the model in its memory.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.1, 1440),
    default=10.0,
    show_default=True,
    help="Time that a study is kept after its answer was last looked at.",
)
@click.option(
    "--free-text",
    type=click.Choice(("none", "all")),
    help="Whether answers show reports, dialogues and pictures.  "
    "[default: all; none where KGDX_PSEUDONYM_KEY is set]",
)
@runs_option
def serve(**arguments: Any) -> None:
    """Serve a web page that answers for uploaded studies.

    Drop pictures (JPEG, PNG, DICOM, or a zip of a series), a report or a dialogue; the JSON API is
    described at /api. Bound to this machine unless --host says otherwise, and then only with a
    token. Ends with Ctrl-C. For research use only.
    """
    import asyncio
    from dataclasses import replace

    host, token = arguments["host"], _token(arguments["token_file"])
    if host not in LOOPBACK and not token:
        raise InputError(
            f"{host} can be reached from other machines, and no token is set",
            f"name a file with --token-file, or set {TOKEN}",
        )
    try:
        from experiments.serve.app import Settings, application
        from experiments.serve.listen import listen, serve_on
    except ImportError as error:
        raise InputError(f"{error.name} is not installed", "pip install 'kgdx[serve]'") from None
    from experiments.privacy.free_text import chosen_text
    from experiments.records.folder import find_run
    from experiments.serve.limits import Limits

    folder = find_run(arguments["run_name"], arguments["runs"])
    settings = Settings(
        run=folder.run,
        runs=folder.path.parent,
        workers=arguments["workers"],
        hosts=LOOPBACK if host in LOOPBACK else (),
        token=token,
        limits=replace(Limits(), minutes=arguments["minutes"]),
        free_text=chosen_text(arguments["free_text"]) == "all",
    )
    with listen(host, arguments["port"]) as socket:
        shown = f"[{host}]" if ":" in host else host
        show.result(f"http://{shown}:{socket.getsockname()[1]}")
        show.note("For research use only: not a medical device. Ctrl-C ends it.")
        asyncio.run(serve_on(application(settings), socket))


def _token(file: Path | None) -> str:
    """The token of the file, else of the environment; empty where there is none.

    Raises:
        InputError: If it is too short to protect anything.
    """
    given = os.environ.get(TOKEN, "") if file is None else file.read_text(encoding="utf-8")
    token = given.strip()
    if (file is not None or token) and len(token) < SHORTEST:
        raise InputError(
            f"the token has {len(token)} letters, and {SHORTEST} are the fewest",
            'python -c "import secrets; print(secrets.token_urlsafe())" makes one',
        )
    return token
