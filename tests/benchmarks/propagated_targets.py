"""Whether the fused classifier learns from the graph by propagated targets, at 20% of the labels.

    python tests/benchmarks/propagated_targets.py --root ../shared/data --runs runs

Open-i, pictures alone at test, five development folds; the report of a training study is read in
training, and what it states is carried over the edges to the findings (objective
`propagated_targets`). Against it stand the same on a graph whose edges are shuffled, anew for every
fold and seed, and the shipped configuration without the objective. Runs that are not finished are
run; rows with a run missing are left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from real_data import RESULTS, Job, finished, folders, run_missing

from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.metrics.bootstrap import Plan

CONFIG = "graph_fusion_openi"
FOLDS = range(5)
OBJECTIVE = "stages.0.objectives.propagated_targets=0.5"
NO_HIERARCHY = "stages.0.objectives.hierarchy=0.0"
EDGES, SHUFFLED, WITHOUT = "propagated targets", "the same, shuffled edges", "without the objective"


def jobs(arm: str, seeds: int) -> list[Job]:
    """Every run of an arm."""
    made = []
    for seed in range(seeds):
        for fold in FOLDS:
            settings = [f"seed={seed}", f"split.fold={fold}", "split.fraction=0.2"]
            # more epochs, so that few studies still give enough optimiser steps
            settings += ["stages.0.epochs=30", "stages.0.validate_every_n_epochs=30"]
            settings += [] if arm == WITHOUT else [OBJECTIVE]
            if arm == SHUFFLED:
                settings += ["graph.control=shuffled", f"graph.seed={fold + len(FOLDS) * seed}"]
                settings += [NO_HIERARCHY]
            made.append(Job(CONFIG, tuple(settings)))
    return made


def rows(made: Comparison) -> Iterator[str]:
    """The table in Markdown, a row an arm."""
    yield "| arm | macro AUROC | first minus this | p |"
    yield "|---|---:|---:|---:|"
    gaps = {each.second: each for each in made.differences if not each.finding and not each.over}
    for entry in made.entries:
        said = f"| {entry.name} | {entry.metrics['auroc_macro'].words()} |"
        gap = gaps.get(entry.name)
        yield f"{said} {gap.value.words(sign=True)} | {gap.p:.3f} |" if gap else f"{said} | |"


def main() -> None:
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    wanted = {arm: jobs(arm, given.seeds) for arm in (EDGES, SHUFFLED, WITHOUT)}
    if given.root is not None:
        every = [job for each in wanted.values() for job in each]
        run_missing(every, given.root, given.runs, given.workers)
    done = finished(given.runs)
    groups = {arm: found for arm, each in wanted.items() if (found := folders(each, done))}
    pairs = [(EDGES, arm) for arm in groups if arm != EDGES]
    made = compare(groups, pairs=pairs, plan=Plan(resamples=2000))
    lines = ["# graph_fusion_openi at 20% of the labels: targets propagated over the graph", ""]
    lines += [f"{made.studies} studies, {len(FOLDS)} folds, {given.seeds} seed(s).", ""]
    path = RESULTS / "propagated_targets.md"
    path.write_text("\n".join([*lines, *rows(made)]) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
