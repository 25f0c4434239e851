"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

__all__ = [
    "Talk",
    "complete_configs",
    "data_root",
    "experiments_option",
    "is_made",
    "options_option",
    "root_option",
    "runs_option",
    "talking",
]

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
OURS = ("kg", "encoders", "fusion", "experiments")


@dataclass
class Talk:
    """How much to say."""

    verbose: bool = False


def _be_verbose(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value and ctx.resilient_parsing is False:
        ctx.ensure_object(Talk).verbose = True
        for name in OURS:
            logging.getLogger(name).setLevel(logging.DEBUG)


verbose_option = click.option(
    "-v", "--verbose", is_flag=True, expose_value=False, callback=_be_verbose,
    help="Say more; show where an error was raised.",
)  # fmt: skip


def talking(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--json` (as `as_json`) and `-v`."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    return as_json(verbose_option(command))


options_option = click.option(
    "--set", "options", multiple=True, metavar="KEY=VALUE",
    help="An option of the data set, e.g. pictures=optional to do without pictures.",
)  # fmt: skip


experiments_option = click.option(
    "--experiment", "experiments", multiple=True, metavar="NAME",
    help="All finished runs of an experiment (repeatable).",
)  # fmt: skip


root_option = click.option(
    "--root",
    envvar="KGDX_DATA",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds data sets by name (or KGDX_DATA).",
)

runs_option = click.option(
    "--runs",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of runs.",
)


def data_root(root: Path | None, dataset: str) -> Path:
    """The folder of data sets, of which a data set that needs no files can do without."""
    from experiments.preparation import inspection

    return inspection.data_root(root, dataset)


def is_made(dataset: str) -> bool:
    """Whether a data set is made by kgdx itself, from no files."""
    from experiments.datasets import DATASETS
    from experiments.preparation import inspection

    return inspection.is_made(DATASETS.load(dataset))


def complete_configs(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of shipped configurations, and files."""
    folder = Path(__file__).parent.parent / "configs"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]
