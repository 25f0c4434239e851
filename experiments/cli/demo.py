"""`kgdx demo`: training, testing and the report page on the built-in synthetic data set."""

from __future__ import annotations

from pathlib import Path

import click

from experiments.cli import run_view, show
from experiments.cli.arguments import output_options, runs_option

__all__ = ["demo"]


@click.command()
@output_options
@runs_option
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key.")
def demo(as_json: bool, runs: Path, overrides: tuple[str, ...]) -> None:
    """Train, test and report on synthetic data, in minutes on two cores."""
    from experiments.config.parts import read_checked
    from experiments.records.folder import find_run

    experiment = read_checked("demo", overrides)
    from experiments.runner.run import run_experiment

    run_id = run_experiment(experiment, root=Path(), runs=runs, command="kgdx demo")
    folder = find_run(run_id, runs)
    page = folder.report.absolute()
    record = folder.load_record()
    if as_json:
        show.json_result({"run": run_id, "page": str(page), "metrics": record.as_json()["metrics"]})
        return
    rows = [(name, run_view.interval(m)) for name, m in record.metrics.get("test", {}).items()]
    show.table(("on test", "value [95% interval]"), rows)
    show.result("")
    show.result(f"run   {run_id}")
    show.result(f"page  {page}")
    show.note("Synthetic images and reports: the numbers say nothing about patients.")
