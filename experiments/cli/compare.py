"""`kgdx experiment compare`: runs side by side, paired by patient, study and seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import experiments_option, runs_option, talking

if TYPE_CHECKING:
    from experiments.compare.compare import Kept
    from experiments.compare.records import Comparison

__all__ = ["compare", "print_comparison"]


@click.command()
@talking
@click.argument("run_names", metavar="RUN...", nargs=-1)
@experiments_option
@click.option(
    "--on", default="test", show_default=True, metavar="ANSWERS",
    help="Which answers: test, zero_shot (findings held out of training), or a data set that every "
    "RUN was tested on with `experiment evaluate`.",
)  # fmt: skip
@click.option(
    "--pair", "pairs", multiple=True, metavar="A:B",
    help="Entries to compare, A minus B (repeatable); else the first with every other.",
)  # fmt: skip
@click.option(
    "--metric", default="auroc_macro", show_default=True, metavar="NAME",
    help="Metric to compare: auroc_macro, auprc_macro, or one of retrieval, texts or localisation "
    "that the RUNs have.",
)  # fmt: skip
@click.option("--published", is_flag=True, help="Show numbers printed elsewhere beside ours.")
@click.option(
    "--all-settings", "settings", is_flag=True, help="Show every setting, not only what differs.",
)  # fmt: skip
@click.option(
    "-o", "output", type=click.Path(path_type=Path),
    help="Write it to a file: .html, .md, .tex, .csv or .json.",
)  # fmt: skip
@runs_option
def compare(**given: Any) -> None:
    """Compare RUNs: all folds and seeds of one configuration are one entry.

    A difference is called a win only where its 95% interval leaves out zero.
    """
    from experiments.compare.compare import compare as compared
    from experiments.compare.gather import gather, named_runs
    from experiments.reports.write_comparison import check_ending, render

    output: Path | None = given["output"]
    if output is not None:
        check_ending(output.suffix)
    groups = gather(named_runs(given["runs"], given["run_names"], given["experiments"]))
    pairs = [_pair(pair, list(groups)) for pair in given["pairs"]] or None
    optional: tuple[Kept, ...] = ("settings", "published")
    keep = [name for name in optional if given[name]]
    made = compared(groups, on=given["on"], pairs=pairs, metric=given["metric"], keep=keep)
    if output is not None:
        show.to_file(output, render(made, output.suffix))
    if given["as_json"]:
        show.json_result(made.as_json())
    elif output is None:
        print_comparison(made)


def _pair(text: str, names: Sequence[str]) -> tuple[str, str]:
    """The two entries `A:B` means; each by its name or the clear beginning of one."""
    from kg.errors import InputError

    places = [place for place, mark in enumerate(text) if mark == ":"]
    for place in places:
        found = [_named(word, names) for word in (text[:place], text[place + 1 :])]
        if found[0] is not None and found[1] is not None:
            return found[0], found[1]
    raise InputError(
        f"--pair {text}: these are not two entries", f"write A:B of: {', '.join(names)}"
    )


def _named(word: str, names: Sequence[str]) -> str | None:
    """The one name a word is, or begins."""
    fits = [name for name in names if name.startswith(word)] if word else []
    if word in names:
        return word
    return fits[0] if len(fits) == 1 else None


def print_comparison(made: Comparison) -> None:
    """Print what each scored and how they differ; what to know goes to stderr."""
    from experiments.compare import tables

    shown = [
        tables.entry_table(made),
        tables.published_table(made),
        tables.difference_table(made),
        tables.rarity_table(made),
        tables.settings_table(made),
    ]
    for place, table in enumerate(each for each in shown if each.rows):
        if place:
            show.result("")
        show.table(table.columns, table.rows, title=table.title)
    show.note(tables.about(made))
    for note in made.notes:
        show.note(f"note: {note}")
    for line in made.ledger:
        show.note(f"ledger: {', '.join(f'{key} {value}' for key, value in line.items())}")
    show.note("For research use only: not a medical device.")
