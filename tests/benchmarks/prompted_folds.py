"""What the finished pretraining runs of a plan answer to prompts and retrieve, over its folds.

    python tests/benchmarks/prompted_folds.py --runs runs

Nothing is trained: label-free prompts beside *merely not normal* (see `prompted_findings.py`, which
also holds concepts out), and retrieval both ways beside chance.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from prompted_findings import (
    CUTS,
    ONLY_RETRIEVAL,
    PROMPTED,
    abnormal,
    answers,
    gap,
    not_normal,
    table,
    words,
)
from real_data import RESULTS

from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import bootstrap, paired
from experiments.plans.jobs import stand, with_parents
from experiments.plans.plan import make_plan
from experiments.plans.schema import read_plan
from experiments.records.predictions import ZERO_SHOT, read_predictions
from experiments.records.record import RunRecord


def finished_folds(plan: str, runs: Path, seed: int) -> dict[str, list[Path]]:
    """Folders of the configurations that are finished on every fold."""
    jobs = with_parents(make_plan(read_plan(plan)).jobs)
    jobs = tuple(job for job in jobs if job.experiment.seed == seed)
    standing = stand(jobs, runs)
    states: dict[str, list[tuple[str, Path | None]]] = {}
    for job in jobs:
        state, folder = standing[job.digest]
        states.setdefault(job.experiment.name, []).append((state, folder and folder.path))
    return {
        name: [path for _, path in each if path is not None]
        for name, each in states.items()
        if all(state == "finished" for state, _ in each)
    }


def prompted_row(name: str, runs: Sequence[Path]) -> str:
    """Macro AUROC of the prompts and of merely not normal, folds never ranked together."""
    every = [answers(run) for run in runs]
    findings = every[0].findings
    if any(one.findings != findings for one in every):
        raise ValueError(f"{name}: folds were asked for other findings")
    whole, ill = [abnormal(one) for one in every], [abnormal(not_normal(one)) for one in every]
    labels = np.concatenate([one.labels for one in whole])
    folds = np.repeat(range(len(every)), [len(one.studies) for one in every])
    patients = np.array([one for each in whole for one in each.patients], dtype=object)
    units = Units(patients, folds=folds)
    both = [np.concatenate([one.probabilities for one in each]) for each in (whole, ill)]
    macros = [bootstrap(labels, one, units, rng=np.random.default_rng(0)).macro for one in both]
    minus = paired(labels, (both[0], both[1]), units, rng=np.random.default_rng(0)).macro
    return "| " + " | ".join([name, *map(words, macros), gap(minus)]) + " |"


def retrieval_row(name: str, runs: Sequence[Path]) -> str:
    """Recall in both directions beside chance, mean of folds."""
    tests = [RunRecord.load(run / "record.json").metrics["test"] for run in runs]

    def of(key: str) -> float:
        return mean(test[key].value or 0.0 for test in tests)

    cells = [name, f"{of('image_to_text_pool'):.0f}"]
    for way in ("image_to_text", "text_to_image"):
        cells += [f"{of(f'{way}_recall_at_{cut}'):.3f}" for cut in CUTS]
        cells.append(f"{of(f'{way}_median_rank'):.0f}")
    cells += [f"{of(f'image_to_text_chance_at_{cut}'):.3f}" for cut in CUTS]
    return "| " + " | ".join(cells) + " |"


def prompts(run: Path) -> bool:
    """Whether a run answered prompts."""
    path = run / "predictions.parquet"
    return path.is_file() and any(one.part == ZERO_SHOT for one in read_predictions(path))


NOTE = (
    "Chance draws candidates one by one. Equal texts have equal scores and stand together, so "
    "where many are equal (impressions, which CheXzero reads) the ten nearest may be one text, "
    "and random scores would reach less than this chance from image to text."
)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--plan", default="report_in_training_openi")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = finished_folds(given.plan, given.runs, given.seed)
    asked = [name for name in PROMPTED if name in found and prompts(found[name][0])]
    retrieved = [name for name in (*PROMPTED, *ONLY_RETRIEVAL) if name in found]
    said = [
        f"- {name}: no prompts were answered by these runs"
        for name in PROMPTED
        if name not in asked
    ]
    lines = [
        f"# {given.plan}: findings asked by prompts and reports found by pictures, over folds",
        "",
        f"`python tests/benchmarks/prompted_folds.py --plan {given.plan} --seed {given.seed}`: no "
        "label was read; macro AUROC over the abnormal findings with at least 20 positives, mean "
        "of folds, patients resampled within them. Retrieval is the mean of folds.",
        "",
        *table(
            ("system", "label-free", "merely not normal", "label-free minus not normal"),
            [prompted_row(name, found[name]) for name in asked],
        ),
        *said,
        "",
        *table(
            (
                *("system", "pool", "image to text R@1", "R@10", "median rank"),
                *(
                    "text to image R@1",
                    "R@10",
                    "median rank",
                    "chance at 1 (image to text)",
                    "at 10",
                ),
            ),
            [retrieval_row(name, found[name]) for name in retrieved],
        ),
        "",
        NOTE,
    ]
    path = RESULTS / "prompted_folds.md"
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
