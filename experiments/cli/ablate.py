"""`kgdx experiment ablate`: runs the unfinished arms of an ablation and compares all arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from experiments.cli import show
from experiments.cli.arguments import output_options, root_option, runs_option, shipped_or_file
from experiments.cli.compare import print_comparison
from experiments.cli.plan import print_jobs, run_jobs

if TYPE_CHECKING:
    from experiments.ablate.plan import Plan

__all__ = ["ablate"]


def _complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: names of shipped ablations, then files."""
    from experiments.ablate.schema import shipped_ablations

    return shipped_or_file(shipped_ablations(), incomplete)


@click.command()
@output_options
@click.argument("ablation", shell_complete=_complete)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key in every arm (repeatable).",
)
@click.option("--plan", "plan_only", is_flag=True, help="Print the planned runs and stop.")
@click.option("--workers", type=click.IntRange(1), help="Runs at a time (default: as many as fit).")
@click.option("--arm", "arms", multiple=True, help="Only this arm and the reference (repeatable).")
@click.option(
    "--on", default="", metavar="PREDICTIONS",
    help="Predictions to compare: test, zero_shot, or a data set that every run was tested on "
    "with `experiment evaluate` (default: as the ablation says).",
)  # fmt: skip
@runs_option
@root_option
def ablate(**arguments: Any) -> None:
    """Run the unfinished arms of ABLATION and compare all arms.

    ABLATION is a shipped name or a YAML file. Interrupted runs are resumed and finished runs are
    reused, so the same command continues an ablation.
    """
    from experiments.ablate.plan import make_plan
    from experiments.ablate.schema import read_ablation

    plan = make_plan(
        read_ablation(arguments["ablation"]), arguments["overrides"], arguments["arms"]
    )
    if arguments["plan_only"]:
        _print_plan(plan, arguments)
        return
    from experiments.ablate.result import answer, keep, result_of

    run_jobs(plan.jobs, arguments)
    result = result_of(plan, arguments["runs"], arguments["on"])
    kept = keep(result, arguments["runs"], arguments["on"])
    if arguments["as_json"]:
        show.json_result(result.as_json())
        return
    for one in result.settings:
        if one.setting:
            show.result(f"\n{one.setting}")
        print_comparison(one.comparison)
    show.result("")
    for sentence in answer(result):
        show.result(sentence)
    show.note(
        f"saved to {kept}; write its page with: kgdx experiment report {kept} -o ablation.html"
    )


def _print_plan(plan: Plan, arguments: Mapping[str, Any]) -> None:
    """Print every run with its state, and the channels each arm leaves open."""
    from experiments.ablate.channels import CHANNELS, of_arms
    from experiments.plans.jobs import stand

    standing = stand(plan.jobs, arguments["runs"])
    arms = {job.arm: job.experiment for job in reversed(plan.jobs)}
    opened = of_arms({arm: arms[arm] for arm in plan.file.arms})
    if arguments["as_json"]:
        rows = [
            {
                "arm": job.arm,
                "setting": job.setting,
                "fold": job.fold,
                "rotation": job.rotation,
                "seed": job.seed,
                "state": standing[job.digest][0],
                "run": folder.run if (folder := standing[job.digest][1]) else None,
            }
            for job in plan.jobs
        ]
        show.json_result({"name": plan.file.ablation.name, "arms": opened, "runs": rows})
        return
    if opened:
        show.table(("arm", *CHANNELS), [(arm, *row.values()) for arm, row in opened.items()])
        show.result("")
    print_jobs(plan.jobs, arguments)
