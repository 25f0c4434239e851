"""`kgdx compare`: differences between tables of predictions that any program made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.compare import (
    at_least_option,
    file_option,
    pair_of,
    pairs_option,
    print_comparison,
)
from kg.errors import InputError

__all__ = ["compare_tables"]

_table = click.Path(dir_okay=False, path_type=Path)


@click.command("compare")
@output_options
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True, type=_table)
@click.option(
    "--labels", type=_table, required=True, metavar="TABLE",
    help="Labels: 1, 0, -1 (uncertain) or empty; one row per study, a column per finding.",
)  # fmt: skip
@click.option("--patient", default="", metavar="COLUMN",
              help="Column of the patient in the labels, resampled as a whole.")  # fmt: skip
@click.option("--study", default="study", show_default=True, metavar="COLUMN",
              help="Column of the study's id in every table.")  # fmt: skip
@pairs_option
@click.option(
    "--metric", type=click.Choice(["auroc_macro", "auprc_macro"]), default="auroc_macro",
    show_default=True, help="Metric to compare.",
)  # fmt: skip
@at_least_option
@file_option
def compare_tables(**arguments: Any) -> None:
    r"""Compare TABLEs of predictions, paired by patient.

    \b
    kgdx compare ours.csv theirs.csv --labels gold.csv --patient patient -o forest.html

    A TABLE (.csv) has one row per study and a column of scores per finding, or is one that `kgdx
    predict` wrote. Studies and findings that all have are compared as `experiment compare` does:
    the same resamples of patients for all, p after Holm, and a forest plot on the page.
    """
    from experiments.compare import predicted_tables
    from experiments.metrics.bootstrap import Plan
    from experiments.reports.write_comparison import check_ending, render

    output: Path | None = arguments["output"]
    if output is not None:
        check_ending(output.suffix)
    paths = arguments["tables"]
    if len(paths) < 2:
        raise InputError("there is nothing to compare", "name two tables or more")
    names = predicted_tables.names_of(paths)
    comparison = predicted_tables.compare_tables(
        paths,
        arguments["labels"],
        study=arguments["study"],
        patient=arguments["patient"],
        pairs=[pair_of(pair, names) for pair in arguments["pairs"]] or None,
        metric=arguments["metric"],
        plan=Plan(at_least=arguments["at_least"]),
    )
    if output is not None:
        show.to_file(output, render(comparison, output.suffix))
    if arguments["as_json"]:
        show.json_result(comparison.as_json())
    elif output is None:
        print_comparison(comparison)
