"""Example studies of the test set: images, text, predictions and their evidence."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from encoders.batch import StudyBatch
from encoders.reading.picture import read_picture
from encoders.reading.transforms import whole
from encoders.study import Study, StudyImage
from experiments.privacy.free_text import chosen_examples, kept_passages, text_of_examples
from experiments.records.atomic import write_json
from experiments.records.folder import RunFolder
from experiments.runs.build import RunContext
from experiments.tasks.classification import ClassificationResult
from fusion.capabilities import Classifies, Explains, able
from fusion.joins import INPUTS
from fusion.system import Output
from kg.model.graph import KnowledgeGraph

__all__ = ["evidence_lines", "write_examples"]

EXAMPLES = 6
LINES = 3
SIDE = 192


def write_examples(folder: RunFolder, context: RunContext, result: ClassificationResult) -> None:
    """Write a few test studies with predictions, their evidence, and chosen text and images."""
    cohort = context.cohorts["test"]
    normal = {one.no_finding for one in context.preprocessor.structure.label_sets}
    chosen = _informative(result, normal)
    batch = cohort.batch(chosen)
    context.system.eval()
    classifier: Classifies = able(context.system, Classifies)
    with torch.no_grad():
        output = classifier.predict(batch, context.preprocessor.findings)
        evidence = _evidence(context, batch, output)
    rows = [
        _example(
            context,
            result,
            study=cohort.studies[place],
            place=place,
            row=row,
            output=output,
            evidence=evidence[row],
        )
        for row, place in enumerate(chosen)
    ]
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
    context: RunContext,
    result: ClassificationResult,
    *,
    study: Study,
    place: int,
    row: int,
    output: Output,
    evidence: Sequence[Sequence[str]],
) -> dict[str, Any]:
    subset = result.test
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
                "evidence": evidence[column],
                "sources": _sources(output, row, column),
            }
        )
    return {
        "study": study.study,
        "images": [_thumbnail(context, image) for image in images[:2]],
        "text": "\n".join(f"{passage.name}: {passage.text}" for passage in text),
        "findings": findings,
    }


def evidence_lines(
    graph: KnowledgeGraph, finding: str, neighbours: Sequence[str], weights: Sequence[float]
) -> list[str]:
    """Most attended neighbours of a finding, each with its edge and the source of the edge.

    Args:
        graph: The run's graph.
        finding: Concept id.
        neighbours: Concepts in the finding's neighbourhood, in order.
        weights: Attention on each of them.

    Returns:
        Lines for direct edges; a neighbour two steps away is not listed.
    """
    lines: list[str] = []
    for weight, other in sorted(zip(weights, neighbours, strict=False), key=lambda x: -x[0]):
        ties = [e for e in graph.edges_of(finding) if other in (e.subject, e.object)]
        if other == finding or not ties:
            continue
        edge = ties[0]
        statement = f"{graph.concept(edge.subject).label} {edge.relation.replace('_', ' ')} "
        statement += graph.concept(edge.object).label
        lines.append(f"{statement} (attention {weight:.2f}; {edge.evidence[0].source})")
    return lines[:LINES]


def _evidence(
    context: RunContext, batch: StudyBatch, output: Output
) -> Sequence[Sequence[Sequence[str]]]:
    """Lines for each study and finding: the system's own, or its neighbours in the graph."""
    findings = context.preprocessor.findings
    if isinstance(context.system, Explains):
        return context.system.evidence(batch, findings)
    return [
        [_lines(context, output, row, column) for column in range(len(findings))]
        for row in range(len(batch.ids))
    ]


def _lines(context: RunContext, output: Output, row: int, column: int) -> list[str]:
    finding = context.preprocessor.findings[column]
    neighbours = context.system.neighbours(finding)
    if not neighbours or "memory" not in output.attention:
        return []
    weights = output.attention["memory"][row, column].tolist()
    return evidence_lines(context.preprocessor.structure, finding, neighbours, weights)


def _sources(output: Output, row: int, column: int) -> dict[str, float]:
    if output.gates is None:
        return {}
    return {name: float(output.gates[row, column, i]) for i, name in enumerate(INPUTS)}


def _thumbnail(context: RunContext, image: StudyImage) -> str:
    """Thumbnail of an image as PNG, in base64."""
    window = context.experiment.image.window
    path = context.root / image.path
    grey = whole(read_picture(path, part=image.frame, target=SIDE, window=window), SIDE)
    buffer = io.BytesIO()
    Image.fromarray((grey * 255).astype(np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
