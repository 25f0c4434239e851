"""Labels extracted from the reports of a data set, compared with its own labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from encoders.study import Stated, Study
from experiments.config.schema import Published
from experiments.labelling.agreement import KINDS, Agreement, Labels, agreements
from experiments.splits.manifest import locked_studies
from kg.errors import InputError
from kg.mentions.labels import Labeler, Value, labeler
from kg.mentions.linker import MentionLinker
from kg.mentions.sections import labelled_passages
from kg.model.graph import KnowledgeGraph

__all__ = ["PUBLISHED", "agreement_with_dataset", "labelled_reports"]

SAME_COLUMNS = {"chexpert14_test": "chexpert14"}
"""Label sets that are another label set's findings, labelled by others."""

VALUES: dict[Stated, Value] = {"present": 1, "absent": 0, "uncertain": -1}

CHEXPERT_687 = "JMIR Med Inform 2025, e68618, abstract"
CERTAINTIES = (
    "687 reports a radiologist labelled, 14 pathologies; not said: micro or macro, nor that they "
    "are the reports of this label set"
)
MAPLEZ = "MAPLEZ (arXiv 2403.04024v2), abstract"
ITS_OWN = "eight abnormalities, five test sets of its own, language model; what it is above others"

PUBLISHED: dict[str, tuple[Published, ...]] = {
    "chexpert14_test": (
        *(
            Published(metric=metric, value=value, where=CHEXPERT_687, mark="A", differs=CERTAINTIES)
            for metric, value in (
                ("mean F1 of all certainties, CheXbert", 0.9047),
                ("mean F1 of all certainties, CheXpert's labeler", 0.8864),
                ("mean F1 of positive and negative, CheXbert", 0.8733),
                ("mean F1 of positive and negative, CheXpert's labeler", 0.8525),
            )
        ),
        Published(
            metric="macro F1 of presence, above the best other labeler",
            value=0.036,
            where=MAPLEZ,
            mark="A",
            differs=ITS_OWN,
        ),
        Published(
            metric="F1 of location, above other labelers by more than",
            value=0.2,
            where=MAPLEZ,
            mark="A",
            differs=ITS_OWN,
        ),
    )
}
"""Published numbers by the nearest label set."""


def agreement_with_dataset(
    dataset: Any, root: Path, labels: str, graph: KnowledgeGraph, *, sections: str
) -> tuple[int, list[Agreement]]:
    """Number of labelled reports of the development set, and the agreement on each kind.

    Args:
        dataset: The data set.
        root: Its own folder.
        labels: Its label choice; one there is a labeler for.
        graph: The shipped graph.
        sections: Sections that are read, as `labelled_passages` has them.

    Raises:
        InputError: If there is no labeler for it, or no report has labels.
    """
    reads = labeler(graph, SAME_COLUMNS.get(labels, labels))
    everyone = dataset.studies(root, labels=labels)
    locked = locked_studies(dataset, everyone)
    studies = [s for s in everyone if s.study not in locked and s.report and s.stated]
    if not studies:
        raise InputError(f"{root}: no report has {labels} labels", "get the reports beside them")
    kinds = ("presence",) if reads.style.two_valued else tuple(KINDS)
    columns = [c for c in reads.columns if c not in _normal(reads)]
    pairs = labelled_reports(reads, MentionLinker(graph), studies, sections)
    return len(studies), agreements(pairs, columns, kinds)


def labelled_reports(
    reads: Labeler, linker: MentionLinker, studies: Sequence[Study], sections: str
) -> Iterable[tuple[Labels, Labels]]:
    """Extracted and reference labels of each study."""
    places = dict(zip(reads.columns, reads.label_set.findings, strict=True))
    for study in studies:
        counted = labelled_passages(study.report, sections)
        given = {
            column: VALUES[said] if (said := study.stated.get(concept)) else None
            for column, concept in places.items()
        }
        yield reads.label(linker.link(counted)), given


def _normal(reads: Labeler) -> tuple[str, ...]:
    """Column of a normal study, which follows from the others."""
    places = zip(reads.columns, reads.label_set.findings, strict=True)
    return tuple(column for column, concept in places if concept == reads.label_set.no_finding)
