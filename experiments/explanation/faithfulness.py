"""Faithfulness of a finished run: whether its predictions depend on what it attends to."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.explanation.deletion_metric import DRAWS, Curve, deletion_curves
from experiments.explanation.quality import deletion_quality, map_quality
from experiments.inference.finding_tables import measured
from experiments.loading.cohort import Cohort
from experiments.loading.marked_boxes import marked_boxes
from experiments.loading.tolerant import read_tolerantly
from experiments.metrics.bootstrap import USUAL, Estimate
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import RunFolder
from experiments.runs.build import build_system, labelled_studies
from experiments.runs.restore import Restored, restore
from fusion.capabilities import Perturbs
from kg.errors import InputError

__all__ = ["evidence_of", "faithfulness_of", "tested"]


def faithfulness_of(folder: RunFolder, root: Path) -> dict[str, Any]:
    """Deletion metrics and quality of maps of a run on its own test set.

    Args:
        folder: The run.
        root: Folder that holds data sets by name, or its own.

    Returns:
        Description of the run, a curve for each input that it attends to (`sources`), and the
        quality of the evidence that `explain` measures (`evidence`), ready for JSON.

    Raises:
        InputError: If the run or its data are not as they must be, or there is nothing to delete.
    """
    restored = restore(folder)
    if restored.calibration is None:
        raise InputError(
            f"{folder.run} was not measured by classification: it has no predictions to test",
            "choose a run with `tasks: [classification]`",
        )
    cohort, data_root = tested(restored, root)
    seed = restored.experiment.seed
    curves: dict[str, Curve] = {}
    if isinstance(restored.system, Perturbs):
        rng = np.random.default_rng(seed)
        curves = deletion_curves(restored.system, cohort, restored.calibration, rng=rng, plan=USUAL)
    evidence = _evidence(restored, cohort, data_root)
    record = restored.record
    return {
        "run": record.run,
        "system": record.system,
        "dataset": record.dataset,
        "labels": record.labels,
        "inputs_at_test": list(record.inputs_at_test),
        "graph_control": record.graph.control if record.graph else "none",
        "part": "test",
        "split_manifest": record.split_manifest,
        "studies": len(cohort),
        "patients": len({study.patient for study in cohort.studies}),
        "random_draws": DRAWS,
        "seed": seed,
        "sources": {name: _plain(curve) for name, curve in curves.items()},
        "evidence": evidence,
    }


def evidence_of(folder: RunFolder, root: Path) -> dict[str, Any]:
    """Quality of the evidence that `explain` measures, on a run's own test set, ready for JSON.

    Args:
        folder: The run, measured by classification.
        root: Folder that holds data sets by name, or its own.
    """
    restored = restore(folder)
    return _evidence(restored, *tested(restored, root))


def _evidence(restored: Restored, cohort: Cohort, root: Path) -> dict[str, Any]:
    """Plain values of the quality of each kind of evidence."""
    experiment, preprocessor = restored.experiment, restored.preprocessor
    rng = np.random.default_rng(experiment.seed)
    found = deletion_quality(restored, cohort, rng, USUAL)
    if cohort.pictures is not None:
        marked = marked_boxes(experiment, preprocessor, root, cohort)
        torch.manual_seed(experiment.seed)
        untrained = build_system(experiment, preprocessor).eval()
        found |= map_quality(restored, untrained, cohort, marked, rng=rng, plan=USUAL)
    return {
        name: {
            "studies": one.studies,
            **{measure: _value(value) for measure, value in one.measures.items()},
        }
        for name, one in found.items()
    }


def tested(restored: Restored, root: Path) -> tuple[Cohort, Path]:
    """Studies of the run's own test set, which is never the locked one, and their root."""
    if restored.experiment.split.kind == "locked":
        raise InputError(
            f"{restored.record.run}: its test set is the locked test set",
            "choose a run on the development studies",
        )
    data = restored.experiment.data
    opened = open_dataset(
        data, root, restored.folder.path.parent / "cache", boxes=restored.preprocessor.needs.boxes
    )
    tested = set(restored.manifest.studies("test"))
    studies = [study for study in opened.development if study.study in tested]
    if not studies:
        raise InputError(
            f"{opened.folder}: no study of the test set of {restored.record.run}",
            "name the data it was run on with --root",
        )
    cohort, _ = read_tolerantly(restored.preprocessor, labelled_studies(studies, data), opened.root)
    return cohort, opened.root


def _plain(curve: Curve) -> dict[str, Any]:
    """Plain values of a curve, None where something is not defined."""
    points = [
        {field.name: _value(getattr(point, field.name)) for field in fields(point)}
        for point in curve.points
    ]
    area = _value(curve.area)
    return {"studies": curve.studies, "findings": curve.findings, "area": area, "points": points}


def _value(value: Estimate | float) -> Any:
    if isinstance(value, Estimate):
        numbers = asdict(measured(value))
        return {name: numbers[name] for name in ("value", "low", "high")}
    return value if np.isfinite(value) else None
