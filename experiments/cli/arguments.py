"""Arguments and options shared by several commands."""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from experiments.privacy.free_text import TEXT_CHOICES
from kg.errors import InputError

__all__ = [
    "Verbosity",
    "check_installed",
    "complete_configs",
    "data_root",
    "free_text_option",
    "experiments_option",
    "is_made",
    "options_option",
    "outside_option",
    "ray_option",
    "root_option",
    "runs_option",
    "shipped_or_file",
    "output_options",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
OURS = ("kg", "encoders", "fusion", "experiments")


@dataclass
class Verbosity:
    """Level of detail of messages."""

    verbose: bool = False


def _be_verbose(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and ctx.resilient_parsing is False:
        ctx.ensure_object(Verbosity).verbose = True
        for name in OURS:
            logging.getLogger(name).setLevel(logging.DEBUG)


verbose_option = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=_be_verbose,
    help="Print debug messages, and tracebacks of errors.",
)  # fmt: skip


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` (as `as_json`) and `-v` to a command."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    return as_json(verbose_option(command))


_option = click.option(
    "--set", "options", multiple=True, metavar="KEY=VALUE",
    help="Option of the data set, e.g. pictures=optional where no images are needed.",
)  # fmt: skip

outside_option = click.option(
    "--outside",
    is_flag=True,
    help="Accept files outside the folder of a table of your own (its option outside=true).",
)


_ignore_option = click.option(
    "--ignore", multiple=True, metavar="COLUMN",
    help="Leave out a column of a table of your own (repeatable; its option ignore).",
)  # fmt: skip

_sheet_option = click.option(
    "--sheet", metavar="NAME", help="Sheet of a workbook of your own (its option sheet)."
)


def options_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--set`, `--ignore`, `--sheet` and `--outside` to a command, as its `options`."""

    @wraps(command)
    def with_options(
        *,
        options: tuple[str, ...],
        outside: bool,
        ignore: tuple[str, ...],
        sheet: str | None,
        **arguments: Any,
    ) -> Any:
        named = [f"ignore={json.dumps(ignore)}"] if ignore else []
        named += [f"sheet={sheet}"] if sheet else []
        return command(options=(*options, *named, *(("outside=true",) * outside)), **arguments)

    return _option(_ignore_option(_sheet_option(outside_option(with_options))))


free_text_option = click.option(
    "--free-text", type=click.Choice(TEXT_CHOICES), default=None,
    help="Text of reports and dialogues that is written.  "
    "[default: all; none where KGDX_PSEUDONYM_KEY is set]",
)  # fmt: skip


experiments_option = click.option(
    "--experiment", "experiments", multiple=True, metavar="NAME",
    help="All finished runs of an experiment (repeatable).",
)  # fmt: skip


root_option = click.option(
    "--root",
    envvar="KGDX_DATA",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of data sets, one subfolder each (or KGDX_DATA).",
)

runs_option = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs.",
)


def data_root(root: Path | None, dataset: str) -> Path:
    """Folder of data sets; not needed for a data set that kgdx generates itself."""
    from experiments.preparation import inspection

    return inspection.data_root(root, dataset)


def is_made(dataset: str) -> bool:
    """Whether kgdx generates the data set itself, without files."""
    from experiments.datasets import DATASETS
    from experiments.preparation import inspection

    return inspection.is_made(DATASETS.load(dataset))


def complete_configs(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: names of shipped configurations, then files."""
    from experiments.config.load import shipped_configs

    return shipped_or_file(shipped_configs(), incomplete)


def shipped_or_file(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Completions: names that begin alike, then files."""
    matching = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return matching or [CompletionItem(incomplete, type="file")]


ray_option = click.option(
    "--ray",
    "address",
    metavar="ADDRESS",
    help="Run on the machines of a ray cluster: auto (the one this machine is in), host:port, or "
    "local. They must share the folders of runs and data.",
)


def check_installed(package: str, extra: str) -> None:
    """Refuse a command whose optional package is missing.

    Raises:
        InputError: If it is.
    """
    if importlib.util.find_spec(package) is None:
        raise InputError(f"{package} is not installed", f"pip install 'kgdx[{extra}]'")
