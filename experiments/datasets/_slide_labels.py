"""Labels of slides that the clinical graph of the chest lacks, as concepts of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from encoders.study import Stated
from kg.model.concepts import Concept
from kg.model.graph import LabelSet

__all__ = ["CONCEPTS", "TASKS", "label_set", "stated_of"]

TASKS: Mapping[str, Mapping[str, str]] = {
    "grade": {f"Grade group {one}": f"ckg:grade_group_{one}" for one in range(1, 6)},
    "stain": {
        "hematoxylin and eosin": "ckg:hematoxylin_and_eosin_stain",
        "immunohistochemistry": "ckg:immunohistochemical_stain",
    },
    "fixation": {"formalin": "ckg:formalin_fixation", "frozen": "ckg:frozen_section"},
    "procedure": {"biopsy": "ckg:biopsy_specimen", "resection": "ckg:resection_specimen"},
    "tissue": {"tumour": "ckg:tumour_tissue", "normal": "ckg:normal_tissue"},
}
"""Concepts of each task by what they are called; exactly one of a task holds for a slide."""

SOURCE = "kgdx: labels of slides (grade groups of ISUP 2014; specimens as in TCGA barcodes)"
CONCEPTS = tuple(
    Concept(concept, label, "finding", source=SOURCE)
    for values in TASKS.values()
    for label, concept in values.items()
)


def label_set(name: str, tasks: Sequence[str]) -> LabelSet:
    """Label set of some tasks."""
    columns = {label: concept for task in tasks for label, concept in TASKS[task].items()}
    return LabelSet(name, "", tuple(columns.values()), tuple(columns))


def stated_of(values: Mapping[str, str], tasks: Sequence[str]) -> dict[str, Stated]:
    """What a slide states of some tasks; a task without a value states nothing.

    Args:
        values: Name of the value that holds, by task.
        tasks: The tasks.
    """
    return {
        concept: "present" if label == values[task] else "absent"
        for task in tasks
        if values.get(task)
        for label, concept in TASKS[task].items()
    }
