"""`kgdx experiment ablate`: run what an ablation is missing, and compare its arms."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click
from click.shell_completion import CompletionItem

from experiments.cli import show
from experiments.cli.arguments import data_root, root_option, runs_option, talking
from experiments.cli.compare import print_comparison

__all__ = ["ablate"]


def _complete(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names of shipped ablations, and files."""
    from experiments.ablate.schema import shipped_ablations

    found = [CompletionItem(name) for name in shipped_ablations() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@click.command()
@talking
@click.argument("ablation", shell_complete=_complete)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key in every arm (repeatable).",
)
@click.option("--plan", "plan_only", is_flag=True, help="Say what would be run, and stop.")
@click.option("--workers", type=click.IntRange(1), help="Runs at a time; as many as fit otherwise.")
@click.option("--arm", "arms", multiple=True, help="Only this arm and the reference (repeatable).")
@click.option(
    "--on", default="", metavar="ANSWERS",
    help="Compare these answers of the runs instead: test, zero_shot, or other data each RUN was "
    "tested on with `experiment evaluate`.",
)  # fmt: skip
@runs_option
@root_option
def ablate(**given: Any) -> None:
    """Run every arm of ABLATION (a shipped name or a YAML file) that is not finished; compare them.

    What broke is resumed, what is finished is not run again: the same command goes on.
    """
    from experiments.ablate.plan import make_plan, stand
    from experiments.ablate.schema import read_ablation

    plan = make_plan(read_ablation(given["ablation"]), given["overrides"], given["arms"])
    runs = given["runs"]
    if given["plan_only"]:
        _print_plan(plan, stand(plan, runs), given["as_json"])
        return
    root = data_root(given["root"], plan.jobs[0].experiment.data.name)
    from experiments.ablate.execute import devices, run_missing
    from experiments.ablate.result import answer, keep, result_of

    run_missing(plan, root, runs, devices(given["workers"]), heard=show.note)
    result = result_of(plan, runs, given["on"])
    kept = keep(result, runs, given["on"])
    if given["as_json"]:
        show.json_result(result.as_json())
        return
    for one in result.settings:
        if one.setting:
            show.result(f"\n{one.setting}")
        print_comparison(one.comparison)
    show.result("")
    for sentence in answer(result):
        show.result(sentence)
    show.note(f"kept in {kept}; its page: kgdx experiment report {kept} -o ablation.html")


def _print_plan(plan: Any, standing: Any, as_json: bool) -> None:
    """Every run with its state, and the channels each arm leaves open."""
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
    show.result(f"{missing} of {len(rows)} runs to be done")
