"""`kgdx experiment transfer`: metrics of runs across data sets, as one matrix."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import show
from experiments.cli.arguments import experiments_option, output_options, runs_option
from experiments.cli.completion import complete_runs

if TYPE_CHECKING:
    from experiments.compare.transfer import Transfer

__all__ = ["transfer"]


@click.command()
@output_options
@click.argument("run_names", metavar="RUN...", nargs=-1, shell_complete=complete_runs)
@experiments_option
@runs_option
def transfer(
    as_json: bool, run_names: tuple[str, ...], experiments: tuple[str, ...], runs: Path
) -> None:
    """Print the metrics of RUNs across data sets as a matrix.

    Rows are configurations with their training data, columns the data sets and label sets that
    `experiment evaluate` tested them on. A second table lists how findings were matched through
    the graph, and those without an equivalent.
    """
    from experiments.compare.gather import gather, named_runs
    from experiments.compare.transfer import transfer as transfer_matrix

    matrix = transfer_matrix(gather(named_runs(runs, run_names, experiments)))
    if as_json:
        show.json_result(asdict(matrix))
    else:
        _print(matrix)


def _print(matrix: Transfer) -> None:
    """Print the matrix of each basis, then the matches of findings."""
    bases = (("trained", "trained findings"), ("zero_shot", "zero-shot findings"))
    for basis, heading in bases:
        cells = {(c.trained_on, c.tested_on): c for c in matrix.cells if c.basis == basis}
        if not cells:
            continue
        rows, columns = (tuple(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
        values = {
            key: f"{cell.value.words()} ({cell.value.findings} of {cell.asked} findings, "
            f"{cell.studies} studies{', own test set' if cell.own else ''})"
            for key, cell in cells.items()
        }
        table = [(row, *(values.get((row, column), "-") for column in columns)) for row in rows]
        show.table((f"macro AUROC, {heading}: trained on", *columns), table)
        show.result("")
    matches = [
        (c.trained_on, c.tested_on, c.finding, c.asked or "-", c.how) for c in matrix.crossings
    ]
    if matches:
        show.table(("trained on", "tested on", "finding", "matched to", "match"), matches)
    show.note("For research use only: not a medical device.")
