"""`kgdx experiment compare`: differences between runs, paired by patient, study and seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import experiments_option, output_options, runs_option
from experiments.cli.completion import complete_runs

if TYPE_CHECKING:
    from experiments.compare.compare import Kept
    from experiments.compare.records import Comparison

__all__ = [
    "at_least_option",
    "compare",
    "file_option",
    "pair_of",
    "pairs_option",
    "print_comparison",
]


pairs_option = click.option(
    "--pair", "pairs", multiple=True, metavar="A:B",
    help="Entries to compare, A minus B (repeatable; default: each with the first).",
)  # fmt: skip
at_least_option = click.option(
    "--at-least", type=click.IntRange(1), default=20, show_default=True,
    help="Fewest positives of an averaged finding.",
)  # fmt: skip
file_option = click.option(
    "-o", "output", type=click.Path(path_type=Path),
    help="File to write: .html, .md, .tex, .csv or .json.",
)  # fmt: skip


@click.command()
@output_options
@click.argument("run_names", metavar="RUN...", nargs=-1, shell_complete=complete_runs)
@experiments_option
@click.option(
    "--on", default="test", show_default=True, metavar="PREDICTIONS",
    help="Predictions to compare: test, zero_shot (findings held out of training), or a data set "
    "that every RUN was tested on with `experiment evaluate`.",
)  # fmt: skip
@pairs_option
@click.option(
    "--metric", default="auroc_macro", show_default=True, metavar="NAME",
    help="Metric to compare: auroc_macro, auprc_macro, or one of retrieval, texts or localisation "
    "that the RUNs have.",
)  # fmt: skip
@at_least_option
@click.option("--published", is_flag=True, help="Add published numbers.")
@click.option(
    "--all-settings", "settings", is_flag=True, help="Show all settings, not only differences.",
)  # fmt: skip
@file_option
@runs_option
def compare(**arguments: Any) -> None:
    """Compare RUNs, paired by patient and seed.

    All folds and seeds of one configuration are one entry. A difference is called a win only
    where its 95% interval excludes zero.
    """
    from experiments.compare.compare import compare as compare_runs
    from experiments.compare.gather import gather, named_runs
    from experiments.metrics.bootstrap import Plan
    from experiments.reports.write_comparison import check_ending, render

    output: Path | None = arguments["output"]
    if output is not None:
        check_ending(output.suffix)
    groups = gather(named_runs(arguments["runs"], arguments["run_names"], arguments["experiments"]))
    pairs = [pair_of(pair, list(groups)) for pair in arguments["pairs"]] or None
    optional: tuple[Kept, ...] = ("settings", "published")
    keep = [name for name in optional if arguments[name]]
    comparison = compare_runs(
        groups,
        on=arguments["on"],
        pairs=pairs,
        metric=arguments["metric"],
        plan=Plan(at_least=arguments["at_least"]),
        keep=keep,
    )
    if output is not None:
        show.to_file(output, render(comparison, output.suffix))
    if arguments["as_json"]:
        show.json_result(comparison.as_json())
    elif output is None:
        print_comparison(comparison)


def pair_of(text: str, names: Sequence[str]) -> tuple[str, str]:
    """The two entries of `A:B`, each given by its name or an unambiguous prefix of it."""
    from kg.errors import InputError

    places = [place for place, mark in enumerate(text) if mark == ":"]
    for place in places:
        one, other = (_named(word, names) for word in (text[:place], text[place + 1 :]))
        if one is not None and other is not None:
            return one, other
    raise InputError(
        f"--pair {text}: these are not two entries", f"write A:B of: {', '.join(names)}"
    )


def _named(word: str, names: Sequence[str]) -> str | None:
    """The name that a word equals, or is an unambiguous prefix of."""
    fits = [name for name in names if name.startswith(word)] if word else []
    if word in names:
        return word
    return fits[0] if len(fits) == 1 else None


def print_comparison(comparison: Comparison) -> None:
    """Print metrics, differences and settings; notes go to stderr."""
    from experiments.compare import tables

    shown = [
        tables.entry_table(comparison),
        tables.published_table(comparison),
        tables.difference_table(comparison),
        tables.rare_findings_table(comparison),
        tables.settings_table(comparison),
    ]
    for place, table in enumerate(each for each in shown if each.rows):
        if place:
            show.result("")
        show.table(table.columns, table.rows, title=table.title)
    show.note(tables.about(comparison))
    for note in comparison.notes:
        show.note(f"note: {note}")
    for line in comparison.ledger:
        show.note(f"ledger: {', '.join(f'{key} {value}' for key, value in line.items())}")
    show.note("For research use only: not a medical device.")
