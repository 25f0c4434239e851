"""`kgdx experiment transfer`: trained here, tested there, as one matrix."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from experiments.cli import show
from experiments.cli.arguments import experiments_option, runs_option, talking

if TYPE_CHECKING:
    from experiments.compare.transfer import Transfer

__all__ = ["transfer"]


@click.command()
@talking
@click.argument("run_names", metavar="RUN...", nargs=-1)
@experiments_option
@runs_option
def transfer(
    as_json: bool, run_names: tuple[str, ...], experiments: tuple[str, ...], runs: Path
) -> None:
    """Print what RUNs scored on every data set and label set they were tested on.

    Rows are configurations with what they were trained on, columns what `experiment evaluate`
    tested them on; below, how labels were carried over through the graph, and what has no
    equivalent.
    """
    from experiments.compare.gather import gather, named_runs
    from experiments.compare.transfer import transfer as crossed

    made = crossed(gather(named_runs(runs, run_names, experiments)))
    if as_json:
        show.json_result(asdict(made))
    else:
        _print(made)


def _print(made: Transfer) -> None:
    """The matrix of each basis, then how labels were carried over."""
    for basis, said in (("trained", "findings trained on"), ("zero_shot", "others, zero-shot")):
        cells = {(c.trained_on, c.tested_on): c for c in made.cells if c.basis == basis}
        if not cells:
            continue
        rows, columns = (tuple(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
        values = {
            key: f"{cell.value.words()} ({cell.value.findings} of {cell.asked} findings, "
            f"{cell.studies} studies{', own test part' if cell.own else ''})"
            for key, cell in cells.items()
        }
        table = [(row, *(values.get((row, column), "-") for column in columns)) for row in rows]
        show.table((f"macro AUROC, {said}: trained on", *columns), table)
        show.result("")
    carried = [
        (c.trained_on, c.tested_on, c.finding, c.asked or "-", c.how) for c in made.crossings
    ]
    if carried:
        show.table(("trained on", "tested on", "finding", "asked for", "how"), carried)
    show.note("For research use only: not a medical device.")
