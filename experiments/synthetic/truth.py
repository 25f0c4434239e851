"""Ground truth of a made-up study as one JSON record, and the study made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from encoders.study import Modality, Passage, Stated, Study, StudyImage
from experiments.synthetic.canvas import Drawing
from experiments.synthetic.labels import stated_labels, true_concepts
from experiments.synthetic.repertoire import LABELS, LESIONS
from experiments.synthetic.rules import Rules
from experiments.synthetic.studio import ImageSpec
from experiments.synthetic.world import Case
from experiments.synthetic.writer import Writer
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph

Truth = dict[str, Any]
"""One study; keys: `study patient sex age modality world disease true findings symptoms edges
images report dialogue labels`. A finding has `concept side zone extent shown hedged stated boxes`
(box in pixels by image: left, top, right, bottom); report and dialogue have `passages` (name,
text, language) and `statements` (passage, start, end, concept, assertion)."""


def truth_of(
    case: Case,
    rules: Rules,
    graph: KnowledgeGraph,
    images: Mapping[str, tuple[ImageSpec, Drawing]],
    texts: tuple[Writer, Writer],
) -> Truth:
    """Ground truth record of a study.

    Args:
        case: The sampled study.
        rules: Settings of the world.
        graph: Graph whose `is_a` completes the true concepts.
        images: Drawn images by path.
        texts: Report and dialogue.
    """
    true = true_concepts(case, graph)
    report, dialogue = texts
    return {
        "study": case.study,
        "patient": case.person.patient,
        "sex": case.person.sex,
        "age": case.age,
        "modality": case.modality,
        "world": rules.world,
        "disease": case.disease,
        "true": sorted(true),
        "findings": [
            {
                "concept": finding.concept,
                "side": finding.side,
                "zone": finding.zone,
                "extent": finding.extent,
                "shown": finding.shown,
                "hedged": finding.hedged,
                "stated": finding.stated,
                "boxes": {
                    path: list(drawing.boxes[finding.concept])
                    for path, (_, drawing) in images.items()
                    if finding.concept in drawing.boxes
                },
            }
            for finding in case.findings
        ],
        "symptoms": list(case.symptoms),
        "edges": [list(edge) for edge in case.edges],
        "images": [
            {
                "path": path,
                "view": image.view,
                "height": int(drawing.pixels.shape[0]),
                "width": int(drawing.pixels.shape[1]),
            }
            for path, (image, drawing) in images.items()
        ],
        "report": written(report),
        "dialogue": written(dialogue),
        "labels": {
            name: stated_labels(case, true, name)
            for name, (modalities, _) in LABELS.items()
            if case.modality in modalities
        },
    }


def written(writer: Writer) -> dict[str, Any]:
    """Passages and statements of a text."""
    return {
        "passages": [[p.name, p.text, p.language] for p in writer.passages],
        "statements": [
            [s.passage, s.start, s.end, s.concept, s.assertion] for s in writer.statements
        ],
    }


def statements(truth: Truth, text: str) -> list[Statement]:
    """Statements of the report or dialogue of a study, with spans.

    Args:
        truth: The study.
        text: `report` or `dialogue`.
    """
    passages = truth[text]["passages"]
    return [
        Statement(concept, assertion, passage, start, end, passages[passage][0], "written")
        for passage, start, end, concept, assertion in truth[text]["statements"]
    ]


def lesion_labels(truth: Truth) -> dict[str, Stated]:
    """Drawn findings of `LESIONS`, and the side of each finding."""
    sides = {finding["side"] for finding in truth["findings"] if finding["shown"]}
    holds = {*truth["true"], *(f"ckg:{side}" for side in sides - {"both"})}
    if "both" in sides:
        holds |= {"ckg:left", "ckg:right", "ckg:bilateral"}
    return {concept: "present" if concept in holds else "absent" for concept in LESIONS}


def read_study(truth: Truth, labels: str, folder: str) -> Study | None:
    """The study in the data set, or None if its modality has no labels.

    Args:
        truth: The study.
        labels: Label set.
        folder: Prefix of image paths, relative to the root.
    """
    stated = lesion_labels(truth) if labels == "lesions" else truth["labels"].get(labels)
    if stated is None:
        return None
    modality: Modality = truth["modality"]
    images = tuple(
        StudyImage(folder + image["path"], modality, image["view"]) for image in truth["images"]
    )
    coded: dict[str, Stated] = {}
    for text in ("report", "dialogue"):
        for statement in statements(truth, text):
            if coded.get(statement.concept) != "present":
                coded[statement.concept] = statement.assertion
    return Study(
        study=truth["study"],
        patient=truth["patient"],
        images=images,
        report=tuple(Passage(*passage) for passage in truth["report"]["passages"]),
        dialogue=tuple(Passage(*passage) for passage in truth["dialogue"]["passages"]),
        stated=stated,
        coded=coded,
        dataset="synthetic",
        metadata={
            "sex": truth["sex"],
            "age": str(truth["age"]),
            "modality": modality,
            "document": truth["patient"],
            "pictures": str(len(images)),
            **{
                name: str(image[name])
                for image in truth["images"][:1]
                for name in ("view", "width", "height")
            },
        },
    )
