"""COVID metadata: modality, projection, sex and source of the COVID cohort, as labels to be told.

The studies of `covid_multi_imaging`, whose labels are what must not diagnose. How well a system
tells them from picture, note or record is how much of a diagnosis they may carry: a leak meter,
and the task of Weng 2019 (metadata of an archive, several at once) on radiology.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from encoders.study import Stated, Study
from experiments.datasets import LabelChoice
from experiments.datasets._layout import Reading
from experiments.datasets.covid_multi_imaging import CovidMultiImaging
from kg.model.concepts import Concept
from kg.model.graph import LabelSet

__all__ = ["CovidMetadata"]

TASKS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "modality": ("modality", {"cxr": "X-ray", "ct": "CT", "ultrasound": "ultrasound"}),
    "projection": ("view", {"PA": "PA", "AP": "AP", "AP Supine": "AP supine"}),
    "sex": ("sex", {"F": "female", "M": "male"}),
    "source": (
        "document",
        {
            "crawled": "crawled",
            "medpix": "MedPix",
            "radiopaedia.org": "Radiopaedia",
            "github.com": "GitHub",
            "eurorad.org": "Eurorad",
            "sirm.org": "SIRM",
        },
    ),
}
"""Field of each task, and the values that count with their names; exactly one of them holds."""


def _concept(task: str, name: str) -> str:
    return f"ckg:{task}_is_{name.lower().replace('-', '_').replace(' ', '_')}"


class CovidMetadata(CovidMultiImaging):
    """The cohort of three data sets, labelled by its metadata."""

    label_choices = (
        LabelChoice("metadata", ("image",), "ignore"),
        *(LabelChoice(task, ("image",), "ignore") for task in TASKS),
    )
    expected: ClassVar[dict[str, int]] = {"studies": 1265}
    concepts = tuple(
        Concept(_concept(task, name), f"{task}: {name}", "finding", source="kgdx: metadata")
        for task, (_, names) in TASKS.items()
        for name in names.values()
    )

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies of the cohort, each with what its metadata say."""
        tasks = _tasks(self.choice(labels).name)
        reading = CovidMultiImaging(self.options).read(root, labels="covid")
        studies = tuple(replace(one, stated=_stated(one, tasks)) for one in reading.studies)
        return replace(reading, studies=studies)

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Values of one task, or of all."""
        columns = {
            f"{task}: {name}": _concept(task, name)
            for task in _tasks(self.choice(labels).name)
            for name in TASKS[task][1].values()
        }
        return LabelSet(labels, "", tuple(columns.values()), tuple(columns))

    def tiny(self, folder: Path) -> None:
        """Write the cohort's made-up copy, with sources that are told apart."""
        super().tiny(folder)
        table = folder / "covid_chestxray" / "metadata.csv"
        text = table.read_text(encoding="utf-8")
        for number, place in enumerate(("radiopaedia.org", "eurorad.org", "sirm.org")):
            text = text.replace(f"site-{number}.example", place)
        table.write_text(text, encoding="utf-8")


def _tasks(labels: str) -> tuple[str, ...]:
    return tuple(TASKS) if labels == "metadata" else (labels,)


def _stated(study: Study, tasks: tuple[str, ...]) -> dict[str, Stated]:
    """What the metadata of a study say; a task without one of its values states nothing."""
    stated: dict[str, Stated] = {}
    for task in tasks:
        field, names = TASKS[task]
        value = study.metadata.get(field, "")
        if value in names:
            stated |= {
                _concept(task, name): "present" if one == value else "absent"
                for one, name in names.items()
            }
    return stated
