"""`kgdx experiment plan`: runs what is missing of many configurations, and prints their table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from experiments.cli import show
from experiments.cli.arguments import (
    check_installed,
    data_root,
    output_options,
    ray_option,
    root_option,
    runs_option,
    shipped_or_file,
)
from kg.errors import RunStopped

if TYPE_CHECKING:
    from experiments.plans.cost import Cost
    from experiments.plans.jobs import Job
    from experiments.plans.matrix import MatrixFile
    from experiments.plans.matrix_result import MatrixResult
    from experiments.plans.plan import RunPlan
    from experiments.plans.result import PlanResult

__all__ = ["plan", "print_jobs", "run_jobs"]


def _complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: names of shipped plans, then files."""
    from experiments.plans.schema import shipped_plans

    return shipped_or_file(shipped_plans(), incomplete)


@click.command()
@output_options
@click.argument("plan_file", metavar="PLAN", shell_complete=_complete)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key in every configuration (repeatable).",
)
@click.option("--system", "systems", multiple=True, metavar="ROW",
              help="Only this row and the reference (repeatable).")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print the runs and what they will cost, and stop.")
@click.option("--table", is_flag=True, help="Print the table of what is finished, and run nothing.")
@click.option(
    "-o", "output", type=click.Path(path_type=Path),
    help="File to write the table to: .html (with a forest plot), .md, .csv or .json.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Runs at a time (default: as many as fit).")
@ray_option
@runs_option
@root_option
def plan(**arguments: Any) -> None:
    """Run what is missing of PLAN and compare its systems with its reference.

    PLAN is a shipped name or a YAML file. Interrupted runs are resumed and finished runs are
    reused, so the same command continues a plan. Runs that a system starts from are run first.

    A plan of mechanisms, each with arms of its graph, is compared within each mechanism.
    """
    from experiments.plans.matrix import read_matrix
    from experiments.plans.plan import make_plan
    from experiments.plans.schema import read_plan
    from experiments.reports.plan_page import check_ending

    output: Path | None = arguments["output"]
    if output is not None:
        check_ending(output.suffix)
    overrides, systems = arguments["overrides"], arguments["systems"]
    matrix = read_matrix(arguments["plan_file"])
    if matrix is not None:
        matrix = matrix.only(systems)
        made = make_plan(matrix.as_plan(), overrides)
    else:
        made = make_plan(read_plan(arguments["plan_file"]), overrides, systems)
    if arguments["dry_run"]:
        print_jobs(made.jobs, arguments)
        if made.file.tune and not arguments["as_json"]:
            _print_tuning(made)
        return
    stopped = None if arguments["table"] else _run(made, arguments)
    if matrix is not None:
        _print_matrix(matrix, made, arguments)
    else:
        _print_result(made, arguments)
    if stopped is not None:
        raise stopped


def _run(made: RunPlan, arguments: Mapping[str, Any]) -> RunStopped | None:
    """Run what is missing, then the runs with the chosen settings.

    Returns:
        The error where a run did not finish; all others were run.
    """
    from experiments.plans.tuning import keep_choices

    stopped = None
    try:
        run_jobs(made.jobs, arguments)
    except RunStopped as stop:  # a drawn setting under which training fails is not chosen
        stopped = stop
    if made.file.tune:
        choices = made.choices(arguments["runs"])
        kept = keep_choices(choices, made.file.tune, made.folder(arguments["runs"]))
        show.note(f"chosen settings: {kept}")
        tuned = [job for jobs in made.tuned(choices).values() for job in jobs]
        try:
            run_jobs(tuned, arguments)
        except RunStopped as stop:
            stopped = stop
    return stopped


def _print_result(made: RunPlan, arguments: Mapping[str, Any]) -> None:
    """Print the table of the finished rows, and write it where a file is named."""
    from experiments.plans.result import keep, result_of
    from experiments.reports.plan_page import ABOUT, about_rows, heads, render_plan, result_rows

    result = result_of(made, arguments["runs"])
    tables = [(heads(result), result_rows(result)), (ABOUT, about_rows(result))]
    _print_tables(result, tables, partial(render_plan, result), arguments)
    show.note(f"saved to {keep(result, made.folder(arguments['runs']))}")


def _print_matrix(matrix: MatrixFile, made: RunPlan, arguments: Mapping[str, Any]) -> None:
    """Print the tables of a matrix, as far as its runs are finished, or write them."""
    from experiments.plans.matrix_result import keep, matrix_result
    from experiments.reports.matrix_page import ARMS, arm_rows, heads, render_matrix, result_rows

    result = matrix_result(matrix, made, arguments["runs"])
    tables = [(heads(result), result_rows(result)), (ARMS, arm_rows(result))]
    _print_tables(result, tables, partial(render_matrix, result), arguments)
    show.note(f"saved to {keep(result, made.folder(arguments['runs']))}")


def _print_tables(
    result: PlanResult | MatrixResult,
    tables: Sequence[tuple[Sequence[str], Iterable[Sequence[str]]]],
    render: Callable[[str], str],
    arguments: Mapping[str, Any],
) -> None:
    """Print a result as JSON or tables, or write it where a file is named."""
    output: Path | None = arguments["output"]
    if output is not None:
        show.to_file(output, render(output.suffix))
    if arguments["as_json"]:
        show.json_result(result.as_json())
    elif output is None:
        for number, (head, rows) in enumerate(tables):
            if number:
                show.result("")
            show.table(head, rows)
        for note in (*result.tested, *result.notes):
            show.note(f"note: {note}")
        show.note("For research use only: not a medical device.")


def _print_tuning(made: RunPlan) -> None:
    """Print the space, the drawn settings, and the runs that will follow."""
    from experiments.plans.tuning import SPACE, draw

    show.result("")
    space = (f"{one.name} {'x ' if one.factor else ''}{one.low:g} to {one.high:g}" for one in SPACE)
    show.result(f"Settings drawn from: {', '.join(space)}")
    cells = [(name, *setting.values()) for name, setting in draw(made.file.tune).items()]
    show.table(("", *(one.name for one in SPACE)), cells)
    most = sum(len(jobs) for label, jobs in made.rows.items() if len(made.tried[label]) > 1)
    show.result(f"\nThen up to {most} runs with the settings that are best on validation")


def print_jobs(jobs: Sequence[Job], arguments: Mapping[str, Any]) -> None:
    """Print the runs of each configuration by their state, and what is left costs."""
    from experiments.plans.jobs import STATES, stand, with_parents
    from kg.progress import duration

    every = with_parents(jobs)
    if arguments["as_json"]:
        standing = stand(every, arguments["runs"])
        states = [(job.name, *standing[job.digest]) for job in every]
        rows = [
            {"name": name, "state": state, "run": folder and folder.run}
            for name, state, folder in states
        ]
        show.json_result({"runs": rows})
        return
    cost, workers = _cost(every, arguments)
    cells = []
    for row in cost.rows:
        one = "unknown" if row.seconds is None else duration(row.seconds)
        left = "unknown" if row.seconds is None else duration(row.seconds * row.left)
        counts = (row.states.get(state, 0) for state in STATES)
        cells.append((row.name, *counts, one, left if row.left else "-"))
    show.table(("configuration", *STATES, "time of a run", "time left"), cells)
    show.result("")
    show.result(cost.sentence(workers))


def run_jobs(jobs: Sequence[Job], arguments: Mapping[str, Any]) -> None:
    """Print what is left of jobs and what it costs, then run it.

    Args:
        jobs: The runs.
        arguments: Those of the command: `runs`, `root` and `workers`.
    """
    from experiments.plans.execute import run_missing
    from experiments.plans.jobs import with_parents

    every = with_parents(jobs)
    cost, workers = _cost(every, arguments)
    show.note(cost.sentence(workers))
    if not cost.left:
        return
    for dataset in {job.experiment.data.name for job in every}:
        root = data_root(arguments["root"], dataset)
    runs = arguments["runs"].absolute()
    try:
        with _machines(arguments) as (places, *launch):
            run_missing(every, root.absolute(), runs, places, *launch, report=show.note)
    except KeyboardInterrupt as stop:
        stop.add_note(shlex.join(["kgdx", *sys.argv[1:]]))
        raise


@contextmanager
def _machines(arguments: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Places of runs on this machine; on a cluster also what starts a process there."""
    from experiments.plans.execute import devices

    if arguments.get("address") is None:
        yield (devices(arguments["workers"]),)
        return
    check_installed("ray", "scale")
    from experiments.plans.ray_cluster import ray_machines

    with ray_machines(arguments["address"]) as machines:
        yield machines.places(arguments["workers"]), machines.launch


def _cost(jobs: Sequence[Job], arguments: Mapping[str, Any]) -> tuple[Cost, int]:
    """Cost of jobs, and the number of runs at a time."""
    from experiments.plans.cost import cost_of
    from experiments.plans.execute import devices
    from experiments.plans.jobs import stand

    runs = arguments["runs"]
    return cost_of(jobs, stand(jobs, runs), runs), len(devices(arguments["workers"]))
