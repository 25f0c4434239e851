"""Maps against boxes that people or the made-up data set drew, random weights and random labels.

    python -m tests.benchmarks.evidence_maps boxes RUNS ROOT RUN [DATASET]
    python -m tests.benchmarks.evidence_maps labels RUNS DATA RUN RANDOM

`boxes` compares the occlusion maps of a run on pictures of films (ROOT is the folder of the data
set, DATASET another one than the run's) with their boxes: those of a finding, or those of both
lungs, in which every finding of the lung must lie. The system with random weights stands beside.
`labels` gives the rank correlation of the maps of a run with those of RANDOM, a run of the same
configuration that was trained on a table of labels dealt out anew.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from encoders.study import Study
from experiments.datasets._boxes import boxes_of
from experiments.explanation.deletion import places_of
from experiments.explanation.faithfulness import tested
from experiments.explanation.image_maps import cells_of
from experiments.explanation.quality import map_correlation, predicted_present
from experiments.loading.image_needs import resized_boxes
from experiments.loading.tolerant import read_tolerantly
from experiments.metrics.bootstrap import USUAL, Estimate
from experiments.metrics.means import ratios
from experiments.metrics.pointing import POINTING_METRICS, pointing_sums
from experiments.metrics.sums import StudySums, measure
from experiments.preparation.open_dataset import build_dataset
from experiments.records.folder import find_run
from experiments.runs.build import build_system
from experiments.runs.restore import Restored, restore

NOT_IN_LUNGS = ("ckg:cardiomegaly", "ckg:hiatal_hernia", "ckg:no_finding")
MOST = 200
"""Studies whose maps are compared."""
Boxes = Mapping[tuple[str, str], list[tuple[float, ...]]]
"""Boxes in shares of a picture, by its path and finding."""


def on_boxes(runs: Path, root: Path, name: str, dataset: str = "") -> dict[str, Any]:
    """Pointing game and energy in boxes of trained and of random weights, by finding and of all."""
    restored = restore(find_run(name, runs))
    studies, boxes = marked(restored, root, dataset)
    cohort, _ = read_tolerantly(restored.preprocessor, studies[:MOST], root)
    torch.manual_seed(restored.experiment.seed)
    random = build_system(restored.experiment, restored.preprocessor).eval()
    view = restored.preprocessor.images
    assert view is not None
    side, recipe = view.encoder.preprocessing.size, view.section.recipe
    found: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for place, study in enumerate(cohort.studies):
        shown = view.chosen(study, root)
        for weights, system in (("trained", restored.system), ("random", random)):
            places = places_of(cohort.batch([place]), system)
            if places is None:
                continue
            maps = cells_of(system, places, restored.preprocessor.findings, "occlusion")
            for at, picture in enumerate(places.pictures):
                image = shown[picture]
                for column, finding in enumerate(restored.preprocessor.findings):
                    drawn = [
                        resized_boxes([[replace(image, box=box)]], root, side, recipe)[0, 0]
                        for box in boxes.get((image.path, finding), ())
                    ]
                    if drawn:
                        speaks = np.maximum(maps[column, at], 0.0)
                        row = pointing_sums([speaks], [np.stack(drawn)]).values[0]
                        found[f"{weights}: {finding}"].append((study.patient, row))
                        found[f"{weights}: all"].append((study.patient, row))
    return {key: pointing(rows) for key, rows in sorted(found.items())}


def marked(restored: Restored, root: Path, dataset: str) -> tuple[list[Study], Boxes]:
    """Studies with a marked picture, and the boxes of the run's findings."""
    data = restored.experiment.data
    opened = build_dataset(dataset or data.name, {} if dataset else data.options)
    labels = data.labels if not dataset else opened.label_choices[0].name
    findings = restored.preprocessor.findings
    boxes: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    studies = opened.read(root, labels=labels).studies
    if not dataset:
        held = set(restored.manifest.studies("test"))
        studies = [study for study in studies if study.study in held]
    for path, regions in opened.lungs(root).items():
        for finding in set(findings) - {*NOT_IN_LUNGS}:
            boxes[path, finding] = [(one.left, one.top, one.right, one.bottom) for one in regions]
    by_study = defaultdict(list)
    for box in opened.boxes(root):
        by_study[box.study].append(box)
    for study in studies:
        for image in study.images:
            for box in boxes_of(study, image, by_study[study.study]):
                boxes[image.path, box.concept].append(box.shares(image, root))
    shown = {path for path, finding in boxes if finding in findings}
    return [s for s in studies if any(one.path in shown for one in s.images)], boxes


def pointing(rows: list[tuple[str, Any]]) -> dict[str, Any]:
    """Metrics of pointing with intervals over patients."""
    patients = np.array([patient for patient, _ in rows], dtype=object)
    sums = StudySums(pointing_sums([], []).names, np.array([row for _, row in rows]))
    rng = np.random.default_rng(0)
    found = measure(sums, POINTING_METRICS, patients, rng=rng, plan=USUAL)
    count = {"pictures": len(rows), "patients": len(set(patients))}
    return count | {name: words(value) for name, value in found.items()}


def on_labels(runs: Path, data: Path, name: str, other: str) -> dict[str, Any]:
    """Mean rank correlation of maps of a run with those of one trained on labels dealt out anew.

    Each run reads the pictures as it was trained to. Findings are those that the first predicts
    present and both were trained on.
    """
    first, second = (restore(find_run(run, runs)) for run in (name, other))
    cohort, root = tested(first, data)
    every = range(0, len(cohort), -(-len(cohort) // 48))
    again, _ = read_tolerantly(second.preprocessor, [cohort.studies[at] for at in every], root)
    shared = set(second.preprocessor.findings)
    rows, patients = [], []
    for row, place in enumerate(every):
        batch, other_batch = cohort.batch([place]), again.batch([row])
        assert batch.ids == other_batch.ids
        present = [
            first.preprocessor.findings[column] for column in predicted_present(first, batch)
        ]
        findings = tuple(finding for finding in present if finding in shared)
        made = []
        for restored, one in ((first, batch), (second, other_batch)):
            places = places_of(one, restored.system)
            if places is not None and findings:
                made.append(cells_of(restored.system, places, findings, "occlusion"))
        if made:
            rows.append([map_correlation(*made)])
            patients.append(cohort.studies[place].patient)
    groups = np.asarray(patients, dtype=object)
    rng = np.random.default_rng(0)
    (found,) = ratios(np.array(rows), np.ones(len(rows)), groups, rng=rng, plan=USUAL)
    return {"studies": len(rows), "rank_correlation": words(found)}


def words(value: Estimate) -> str:
    """A value with its interval."""
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


if __name__ == "__main__":
    kind, runs, root, *names = sys.argv[1:]
    made = {"boxes": on_boxes, "labels": on_labels}[kind](Path(runs), Path(root), *names)
    sys.stdout.write(json.dumps(made, indent=1) + "\n")
