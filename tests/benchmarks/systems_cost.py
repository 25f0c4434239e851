"""Write what the finished runs of a plan cost, beside the bounds: training time and memory.

    python tests/benchmarks/systems_cost.py --runs runs --seed 0

Training time is that of the processor, from the records, as a multiple of the plan's time
reference: the median over folds. What a run starts from is a row of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from real_data import RESULTS

from experiments.plans.jobs import stand, with_parents
from experiments.plans.plan import make_plan
from experiments.plans.schema import read_plan
from experiments.plans.training_time import TrainingTime
from experiments.records.record import RunRecord

MEDIAN, MOST, PROBE, MEMORY = 3.0, 8.0, 0.2, 4.0
"""Bounds: median and largest time of a frozen run, time of a probe alone, GiB."""

GIB = 2**30

Times = Mapping[str, float]


def records_of(
    plan: str, runs: Path, seeds: Sequence[int]
) -> tuple[str, dict[str, list[RunRecord]]]:
    """Name of the time reference, and finished runs by configuration, parents among them."""
    file = read_plan(plan)
    jobs = [job for job in with_parents(make_plan(file).jobs) if job.experiment.seed in seeds]
    standing = stand(jobs, runs)
    found: dict[str, list[RunRecord]] = {}
    for job in jobs:
        state, folder = standing[job.digest]
        if state == "finished" and folder is not None:
            found.setdefault(job.experiment.name, []).append(folder.load_record())
    return file.time_reference or file.reference, found


def ratios(reference: str, found: Mapping[str, Sequence[RunRecord]]) -> dict[str, float]:
    """Median training time of each configuration as a multiple of the reference's."""
    every = {record.run: record for own in found.values() for record in own}
    times = TrainingTime(every, found[reference])
    made = {name: times.ratio([[record] for record in own]) for name, own in found.items()}
    return {name: one.own for name, one in made.items() if one is not None}


def lines(reference: str, found: Mapping[str, Sequence[RunRecord]]) -> Iterator[str]:
    """The table, then what the bounds say."""
    times = ratios(reference, found)
    yield "| configuration | runs | training, s | times the reference | peak GiB |"
    yield "|---|---:|---:|---:|---:|"
    for name in sorted(times, key=lambda name: -times[name]):
        seconds = median(record.times["train_cpu"] for record in found[name])
        most = max(record.memory for record in found[name]) / GIB
        memory = f"{most:.1f}" if most else "not recorded"
        yield f"| {name} | {len(found[name])} | {seconds:.1f} | {times[name]:.3f} | {memory} |"
    yield ""
    probes = {name: one for name, one in times.items() if name.endswith("_probe")}
    middle = median(times.values())
    yield f"- Median of all {len(times)} configurations: {middle:.2f}, {_holds(middle, MEDIAN)}."
    yield f"- {_over(times, MOST, 'configuration')}"
    yield f"- {_over(probes, PROBE, 'probe after pretraining')}"
    known = {
        record.run: record.memory / GIB for own in found.values() for record in own if record.memory
    }
    held = _over(known, MEMORY, "run, GiB") if known else "Peak memory: no record has it."
    yield f"- {held}"


def _holds(value: float, bound: float) -> str:
    return f"{'within' if value <= bound else 'over'} the bound of {bound:g}"


def _over(times: Times, bound: float, what: str) -> str:
    over = [f"{name} {one:.2f}" for name, one in times.items() if one > bound]
    return f"Over {bound:g} (a {what}): {', '.join(over) or 'none'}, of {len(times)}."


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--plan", default="report_in_training_openi")
    parser.add_argument("--seed", type=int, action="append")
    given = parser.parse_args()
    seeds = given.seed or [0]
    reference, found = records_of(given.plan, given.runs, seeds)
    text = [
        f"# {given.plan}: training time of its systems, frozen features",
        "",
        f"`python tests/benchmarks/systems_cost.py --plan {given.plan}"
        f"{''.join(f' --seed {seed}' for seed in seeds)}`: processor seconds of training, median "
        f"over the finished runs, as a multiple of {reference}. Times at a shared machine move by "
        "some percent.",
        "",
        *lines(reference, found),
    ]
    path = RESULTS / "systems_cost.md"
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
