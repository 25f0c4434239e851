"""Example studies of the test set: images, text, predictions and their evidence."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from encoders.batch import StudyBatch
from encoders.reading.picture import read_picture
from encoders.reading.transforms import whole
from encoders.study import StudyImage
from experiments.explanation.facts import fact_paths
from experiments.explanation.plain_answer import fact_words
from experiments.loading.cohort import Cohort
from experiments.privacy.free_text import chosen_examples, kept_passages, text_of_examples
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.runs.build import RunContext
from experiments.tasks.classification import ClassificationResult
from fusion.capabilities import Explains, Perturbs

__all__ = ["write_examples"]

EXAMPLES = 6
EXPLAINED = 2
"""Findings of an example whose facts are measured, of those it has."""
LINES = 3
SIDE = 192


def write_examples(folder: RunFolder, context: RunContext, result: ClassificationResult) -> None:
    """Write a few test studies with predictions, their evidence, and chosen text and images."""
    cohort = context.cohorts["test"]
    normal = {one.no_finding for one in context.preprocessor.structure.label_sets}
    context.system.eval()
    chosen = _informative(result, normal)
    rows = [_example(context, result, cohort, place) for place in chosen]
    write_json(folder.path / "examples.json", rows)


def _informative(result: ClassificationResult, normal: Set[str | None]) -> list[int]:
    """Places of example studies: the most confident true positives and the worst misses.

    Args:
        result: Predictions on the test set.
        normal: Findings that say that there is none; they make no study an example.
    """
    subset = result.test
    with np.errstate(invalid="ignore"):
        gap = np.abs(subset.labels - subset.probabilities)
    abnormal = [finding not in normal for finding in subset.findings]
    gap = np.where((subset.labels == 1) & abnormal, gap, np.nan)
    known = np.flatnonzero(np.isfinite(gap).any(1))
    if not len(known):
        return list(range(min(EXAMPLES, len(subset.studies))))
    order = known[np.argsort(np.nanmax(gap[known], 1), kind="stable")]
    half = EXAMPLES // 2
    return list(dict.fromkeys([*order[:half].tolist(), *order[::-1][:half].tolist()]))


def _example(
    context: RunContext, result: ClassificationResult, cohort: Cohort, place: int
) -> dict[str, Any]:
    subset, study = result.test, cohort.studies[place]
    present = np.flatnonzero(subset.labels[place] == 1)[:EXPLAINED].tolist()
    evidence = _evidence(context, cohort.batch([place]), present)
    thresholds = result.calibration.thresholds.values
    graph = context.preprocessor.structure
    text = context.preprocessor.text.passages(study, context.experiment.text.test)
    loader = context.preprocessor.images
    shown = loader.chosen(study, context.root) if loader else ()
    images = list(dict.fromkeys(replace(image, tile=None) for image in shown))
    requested = context.experiment.examples
    text = kept_passages(text, text_of_examples(requested))
    if chosen_examples(requested) != "all":
        images = []
    findings = []
    for column, finding in enumerate(subset.findings):
        label = subset.labels[place, column]
        findings.append(
            {
                "finding": graph.concept(finding).label,
                "label": None if np.isnan(label) else int(label),
                "probability": float(subset.probabilities[place, column]),
                "threshold": None if np.isnan(thresholds[column]) else float(thresholds[column]),
                "evidence": evidence.get(column, []),
            }
        )
    return {
        "study": study.study,
        "images": [_thumbnail(context, image) for image in images[:2]],
        "text": "\n".join(f"{passage.name}: {passage.text}" for passage in text),
        "findings": findings,
    }


def _evidence(
    context: RunContext, batch: StudyBatch, columns: Sequence[int]
) -> dict[int, list[str]]:
    """Lines for findings of a study, by column: the system's own, or measured facts of the graph.

    Args:
        context: The run.
        batch: The study, alone.
        columns: Findings whose facts are measured.
    """
    system, findings = context.system, context.preprocessor.findings
    if isinstance(system, Explains):
        return dict(enumerate(system.evidence(batch, findings)[0]))
    if not isinstance(system, Perturbs):
        return {}
    names = {one.id: one.label for one in context.preprocessor.structure.concepts}
    facts = fact_paths(system, batch, tuple(findings[column] for column in columns))
    return {
        column: [fact_words(fact, names) for fact in one][:LINES]
        for column, one in zip(columns, facts, strict=True)
    }


def _thumbnail(context: RunContext, image: StudyImage) -> str:
    """Thumbnail of an image as PNG, in base64."""
    window = context.experiment.image.window
    path = context.root / image.path
    grey = whole(read_picture(path, part=image.frame, target=SIDE, window=window), SIDE)
    buffer = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
