"""Ask systems that learned from reports for findings, by prompts, and for reports; write a table.

    python tests/benchmarks/prompted_findings.py --root ../shared/data --runs runs

One fixed split of Open-i. *Label-free* is a system that saw every training report and no label.
*Concept held out* takes from those reports every statement of the finding and of what is narrower,
a quarter of the findings at a time, in four rotations. Beside both, *merely not normal* answers
every finding by the prompt `No finding` alone, turned round: a system that is no better than that
knows only that something is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from real_data import RESULTS, Job, finished, run_missing

from experiments.config.schema import HoldOut
from experiments.loading.holdout import hold_out
from experiments.metrics.bootstrap import Difference, Estimate, bootstrap, paired
from experiments.records.predictions import ZERO_SHOT, ScoredSubset, read_predictions
from experiments.records.record import RunRecord
from kg.files.store import load_shipped

PROMPTED = (
    "zhang2020_convirt_openi",
    "huang2021_gloria_openi",
    "wang2022_mgca_openi",
    "wang2022_medclip_openi",
    "tiu2022_chexzero_openi",
)
ONLY_RETRIEVAL = ("ji2021_joimternet_openi", "chauhan2020_joint_openi", "lara2020_mlsa_openi")
LABELS = "nih14"
ROTATIONS = 4
NO_FINDING = "ckg:no_finding"
CUTS = (1, 10)


def job(config: str, rotation: int | None = None) -> Job:
    """A run on the fixed split, with every finding or one rotation held out."""
    settings = ["split.kind=fixed", "split.fold=0", "seed=0"]
    if config in PROMPTED:
        settings.append("tasks=[retrieval, zero_shot]")
    if rotation is not None:
        held = f"{{level: concept, rotation: {rotation}, rotations: {ROTATIONS}}}"
        settings.append(f"hold_out={held}")
    return Job(config, tuple(settings))


def answers(run: Path) -> ScoredSubset:
    """What the prompts of a run answered for the test studies."""
    return next(p for p in read_predictions(run / "predictions.parquet") if p.part == ZERO_SHOT)


def concept_held_out(whole: ScoredSubset, rotations: Sequence[Path]) -> ScoredSubset:
    """Each finding as answered by the run that held it out."""
    graph = load_shipped()
    probabilities = np.full_like(whole.probabilities, np.nan)
    for rotation, run in enumerate(rotations):
        one = answers(run)
        if one.studies != whole.studies:
            raise ValueError(f"{run.name} was tested on other studies")
        section = HoldOut(level="concept", rotation=rotation, rotations=ROTATIONS)
        held = hold_out(section, whole.findings, graph.label_set(LABELS), graph).findings
        for finding in held:
            ours, theirs = whole.findings.index(finding), one.findings.index(finding)
            probabilities[:, ours] = one.probabilities[:, theirs]
    return replace(whole, probabilities=probabilities)


def not_normal(whole: ScoredSubset) -> ScoredSubset:
    """Every finding answered by how little normal a study looks."""
    ill = 1 - whole.probabilities[:, [whole.findings.index(NO_FINDING)]]
    return replace(whole, probabilities=np.repeat(ill, len(whole.findings), 1))


def abnormal(subset: ScoredSubset) -> ScoredSubset:
    """The subset without `No finding`, which is not a finding to be found."""
    places = [at for at, finding in enumerate(subset.findings) if finding != NO_FINDING]
    return replace(
        subset,
        findings=tuple(subset.findings[at] for at in places),
        labels=subset.labels[:, places],
        probabilities=subset.probabilities[:, places],
    )


def words(one: Estimate) -> str:
    """A value with its interval."""
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def gap(one: Difference) -> str:
    """A difference with its interval."""
    return f"{one.delta:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def prompted_row(config: str, done: Mapping[str, Path]) -> str:
    """Macro AUROC of a system's prompts, label-free and held out, beside merely not normal."""
    every = answers(done[job(config).digest])
    whole = abnormal(every)
    held = abnormal(
        concept_held_out(every, [done[job(config, turn).digest] for turn in range(ROTATIONS)])
    )
    ill = abnormal(not_normal(every))

    def macro(one: ScoredSubset) -> Estimate:
        rng = np.random.default_rng(0)
        return bootstrap(one.labels, one.probabilities, one.patients, rng=rng).macro

    def minus(one: ScoredSubset, other: ScoredSubset) -> Difference:
        rng = np.random.default_rng(0)
        both = (one.probabilities, other.probabilities)
        return paired(one.labels, both, one.patients, rng=rng).macro

    cells = [config, words(macro(whole)), words(macro(held)), words(macro(ill))]
    cells += [gap(minus(whole, ill)), gap(minus(held, ill))]
    return "| " + " | ".join(cells) + " |"


def retrieval_row(config: str, run: Path) -> str:
    """Recall in both directions beside chance."""
    test = RunRecord.load(run / "record.json").metrics["test"]
    cells = [config, f"{test['image_to_text_pool'].value:.0f}"]
    for way in ("image_to_text", "text_to_image"):
        cells += [test[f"{way}_recall_at_{cut}"].words() for cut in CUTS]
        cells.append(f"{test[f'{way}_median_rank'].value:.0f}")
    cells += [f"{test[f'image_to_text_chance_at_{cut}'].value:.3f}" for cut in CUTS]
    return "| " + " | ".join(cells) + " |"


def table(head: Sequence[str], rows: Sequence[str]) -> Iterator[str]:
    """Lines of a Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    yield from rows
    yield ""


def page(done: Mapping[str, Path]) -> str:
    """Both tables, with how many studies and findings they rest on."""
    example = answers(done[job(PROMPTED[0]).digest])
    asked = abnormal(example)
    averaged = int((np.nansum(asked.labels, 0) >= 20).sum())
    lines = [
        "# openi: findings asked by prompts, and reports found by pictures, one fixed split",
        "",
        f"{len(example.studies)} test studies, one seed; macro AUROC over the {averaged} abnormal "
        "findings with at least 20 positives. Pretrained on the reports of the training part, "
        "frozen features.",
        "",
        *table(
            (
                *("system", "label-free", "concept held out", "merely not normal"),
                *("label-free minus not normal", "held out minus not normal"),
            ),
            [prompted_row(config, done) for config in PROMPTED],
        ),
        *table(
            (
                *("system", "pool", "image to text R@1", "R@10", "median rank"),
                *("text to image R@1", "R@10", "median rank", "chance at 1", "chance at 10"),
            ),
            [
                retrieval_row(config, done[job(config).digest])
                for config in (*PROMPTED, *ONLY_RETRIEVAL)
            ],
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    wanted = [job(config) for config in (*PROMPTED, *ONLY_RETRIEVAL)]
    wanted += [job(config, turn) for config in PROMPTED for turn in range(ROTATIONS)]
    run_missing(wanted, given.root, given.runs, given.workers)
    path = RESULTS / "prompted_findings.md"
    path.write_text(page(finished(given.runs)), encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
