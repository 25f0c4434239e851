"""`kgdx experiment tune`: tries settings of one configuration, chosen on validation by optuna."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import (
    check_installed,
    complete_configs,
    data_root,
    output_options,
    ray_option,
    root_option,
    runs_option,
)
from kg.errors import InputError, RunStopped

if TYPE_CHECKING:
    from experiments.config.schema import Experiment
    from experiments.plans.execute import Workers
    from experiments.plans.jobs import Job
    from experiments.plans.sweep import Sweep

__all__ = ["tune"]


@click.command()
@output_options
@click.argument("config", shell_complete=complete_configs)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key (repeatable)."
)
@click.option(
    "--trials", type=click.IntRange(1, 10_000), default=20, show_default=True,
    help="Number of settings, those tried before included.",
)  # fmt: skip
@click.option(
    "--metric", type=click.Choice(("auroc_macro", "auprc_macro")), default="auroc_macro",
    show_default=True, help="Metric on validation that is maximised.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Runs at a time (default: as many as fit).")
@ray_option
@click.option(
    "-o", "output", type=click.Path(path_type=Path), help="YAML file to write: the best setting."
)
@runs_option
@root_option
def tune(**arguments: Any) -> None:
    """Tune the settings of CONFIG on its validation studies.

    CONFIG is a shipped name or a YAML file. The first trial has its own values; the others are
    suggested by optuna, from the space that plans draw from. A run that does worse on validation
    than the median is stopped early. Test studies have no part in the choice. The same command goes
    on where it was interrupted.

    Needs `pip install 'kgdx[tune]'`, and `kgdx[scale]` for --ray.
    """
    check_installed("optuna", "tune")
    from experiments.config.load import dump
    from experiments.config.parts import read_checked
    from experiments.plans.sweep import Sweep

    job = _job(read_checked(arguments["config"], arguments["overrides"]))
    root = data_root(arguments["root"], job.experiment.data.name).absolute()
    sweep = Sweep(job, arguments["metric"], arguments["runs"].absolute())
    show.note(f"settings from: {_space(sweep)}")
    with _workers(sweep, root, arguments) as workers:
        _run(sweep, workers, arguments["trials"])
    _print(sweep, as_json=arguments["as_json"])
    best = sweep.best()
    if best is None:
        raise RunStopped("no trial has finished", "the reasons are above")
    if arguments["output"] is not None:
        show.to_file(arguments["output"], dump(best[1].experiment))


def _job(experiment: Experiment) -> Job:
    """The run of a configuration that is judged by its probabilities."""
    from experiments.plans.jobs import Job, named

    if "classification" not in experiment.tasks:
        raise InputError(
            f"{experiment.name}: tasks: there is no classification to be judged by",
            "tune the configuration that classifies with its weights",
        )
    return Job(named(experiment.name, experiment), experiment)


@contextmanager
def _workers(sweep: Sweep, root: Path, arguments: Mapping[str, Any]) -> Iterator[Workers]:
    """Processes of this machine, or of a cluster; runs that all trials start from are run first."""
    from experiments.plans.execute import Workers, devices, run_missing
    from experiments.plans.jobs import with_parents

    runs, wanted = sweep.runs, arguments["workers"]
    parents = [job for job in with_parents([sweep.job]) if job is not sweep.job]
    if parents:
        run_missing(parents, root, runs, devices(wanted), report=show.note)
    if arguments["address"] is None:
        yield Workers(root, runs, list(devices(wanted)))
        return
    check_installed("ray", "scale")
    from experiments.plans.ray_cluster import ray_machines

    with ray_machines(arguments["address"]) as machines:
        yield Workers(root, runs, list(machines.places(wanted)), machines.launch)


def _run(sweep: Sweep, workers: Workers, trials: int) -> None:
    try:
        sweep.run(trials, workers, show.note)
    except KeyboardInterrupt as stop:
        stop.add_note(shlex.join(["kgdx", *sys.argv[1:]]))
        raise


def _space(sweep: Sweep) -> str:
    """The space in words."""
    return ", ".join(
        f"{one.name} {'x ' if one.factor else ''}{one.low:g} to {one.high:g}" for one in sweep.space
    )


def _print(sweep: Sweep, *, as_json: bool) -> None:
    """Print the trials, the best of them, and where they are kept."""
    from dataclasses import asdict

    rows, best = sweep.rows(), sweep.best()
    if as_json:
        chosen = None if best is None else best[0].number
        show.json_result({"trials": [asdict(row) for row in rows], "best": chosen})
        return
    names = [one.name for one in sweep.space]
    cells = [
        (
            row.number,
            *(f"{row.setting[name]:.3g}" for name in names),
            row.state,
            None if row.score is None else f"{row.score:.3f}",
            row.reason,
        )
        for row in rows
    ]
    show.table(("trial", *names, "state", f"{sweep.metric} on validation", "reason"), cells)
    if best is not None:
        show.result(f"\nbest: trial {best[0].number}, run {best[0].run}")
    show.note(f"kept in {sweep.folder}")
