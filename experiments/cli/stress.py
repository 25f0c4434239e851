"""`kgdx experiment stress`: loss of AUROC when the text that runs read at test is changed."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.cli import show
from experiments.cli.arguments import data_root, output_options, root_option, runs_option
from experiments.cli.completion import complete_runs

__all__ = ["stress"]


@click.command()
@output_options
@click.argument(
    "run_names", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True,
    help="Seed of the changes and of the resamples.",
)  # fmt: skip
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="File to write: .html, .md or .csv."
)
@runs_option
@root_option
def stress(
    as_json: bool,
    run_names: tuple[str, ...],
    seed: int,
    output: Path | None,
    runs: Path,
    root: Path | None,
) -> None:
    """Test RUNs on changed text, and print what it costs in AUROC.

    On the test set of each run, its text gets typos, other names of its concepts in the graph, no
    stop words, no words at all, or is that of another patient. The runs stay as they are.
    """
    from experiments.records.folder import find_run
    from experiments.reports.stress_page import COLUMNS, cells, check_ending, render

    if output is not None:
        check_ending(output.suffix)
    folders = [find_run(name, runs) for name in run_names]
    where = data_root(root, folders[0].load_record().dataset)
    from experiments.evaluation.text_stress import stress_text

    found = stress_text(folders, where, seed=seed)
    if output is not None:
        show.to_file(output, render(found, output.suffix))
    if as_json:
        show.json_result(found.as_json())
    elif output is None:
        show.table(COLUMNS, [cells(row) for row in found.rows])
        show.note("For research use only: not a medical device.")
