"""`kgdx experiment ablate`: runs the unfinished arms of an ablation and compares all arms."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
from click.shell_completion import CompletionItem

from experiments.cli import show
from experiments.cli.arguments import data_root, output_options, root_option, runs_option
from experiments.cli.compare import print_comparison

__all__ = ["ablate"]


def _complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Completions: names of shipped ablations, then files."""
    from experiments.ablate.schema import shipped_ablations

    names = [CompletionItem(name) for name in shipped_ablations() if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


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
    from experiments.ablate.plan import make_plan, stand
    from experiments.ablate.schema import read_ablation

    plan = make_plan(
        read_ablation(arguments["ablation"]), arguments["overrides"], arguments["arms"]
    )
    runs = arguments["runs"]
    if arguments["plan_only"]:
        _print_plan(plan, stand(plan, runs), arguments["as_json"])
        return
    root = data_root(arguments["root"], plan.jobs[0].experiment.data.name)
    from experiments.ablate.execute import devices, run_missing
    from experiments.ablate.result import answer, keep, result_of

    run_missing(plan, root, runs, devices(arguments["workers"]), report=show.note)
    result = result_of(plan, runs, arguments["on"])
    kept = keep(result, runs, arguments["on"])
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


def _print_plan(plan: Any, standing: Any, as_json: bool) -> None:
    """Print every run with its state, and the channels each arm leaves open."""
    from experiments.ablate.channels import CHANNELS, channels

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
    arms = {job.arm: job.experiment for job in reversed(plan.jobs)}
    opened = {arm: channels(arms[arm]) for arm in plan.file.arms}
    if as_json:
        show.json_result({"name": plan.file.ablation.name, "arms": opened, "runs": rows})
        return
    show.table(("arm", *CHANNELS), [(arm, *row.values()) for arm, row in opened.items()])
    show.result("")
    counts: dict[tuple[str, str], Counter[str]] = {}
    for row in rows:
        counts.setdefault((row["setting"], row["arm"]), Counter())[row["state"]] += 1
    states = ("finished", "running", "broken", "missing")
    cells = [
        (arm, setting, *(each[state] for state in states))
        for (setting, arm), each in counts.items()
    ]
    show.table(("arm", "setting", *states), cells)
    missing = sum(row["state"] != "finished" for row in rows)
    show.result("")
    show.result(f"{missing} of {len(rows)} runs are not finished")
