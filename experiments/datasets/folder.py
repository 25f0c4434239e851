"""Your own studies without any table: a folder for each finding, with images and texts.

    root/
        train/ validation/ test/     optional: your official split
            Pneumonia/               a concept of the graph: id, label or synonym
            Edema + Effusion/        several hold
            not Pneumonia/           it does not hold
            no finding/              a normal study
                a.png                a study of its own, of a patient of its own
                a.txt                its report
                a.dialogue.txt       its dialogue
                patient 7/           a patient; the files in it are one study
                    front.png side.png report.txt dialogue.txt
                    2021-03-02/      a further study of the same patient
                        front.png

A finding that a study's folder does not name is absent, unless the configuration says
`data.blank: ignore`. A patient's folder of the same name under two findings is one patient. Where
the environment has `KGDX_PSEUDONYM_KEY`, studies and patients are named by a keyed hash. Folders
without an image or text, and names that begin with `.` or `_`, are skipped. Then:

    kgdx data check folder --root DIR
    data: {name: folder, labels: own, options: {modality: ct}}        in the configuration
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, cast, get_args

import numpy as np

import kg.options
from encoders.reading.dialogue import read_dialogue
from encoders.reading.plain import text_file
from encoders.reading.report import read_report
from encoders.study import Modality, Passage, SplitSubset, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading
from experiments.datasets._patients import warnings_on
from experiments.datasets._pictures import draw, stem
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["Folder"]

SUBSETS = ("train", "validation", "test")
NO_FINDING = "ckg:no_finding"
TEXT, DIALOGUE = ".txt", ".dialogue.txt"


@dataclass
class _Found:
    """Files of one study."""

    patient: str
    finding: str
    subset: str
    images: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    dialogues: list[str] = field(default_factory=list)


class Folder(Layout):
    """A user's folders of studies, in the layout above."""

    class Options(kg.options.Options):
        """Options of the folders.

        Args:
            modality: Imaging modality of all images.
            view: Projection or probe of all images.
            label_source: Origin of the labels, which decides the leakage of a text policy.
            exclusive: True if exactly one finding holds for each study (softmax).
        """

        modality: Modality = "cxr"
        view: View = "unknown"
        label_source: tuple[str, ...] = ("record",)
        exclusive: bool = False

    licence = "your own"
    citation = "your own"
    homepage = ""
    modalities: ClassVar[tuple[Modality, ...]] = get_args(Modality)
    label_choices = (LabelChoice("own", ("record",)),)
    files = (
        NeededFile(
            "*/*", "a folder a finding", "you: FINDING/study.png, or FINDING/patient/study.png"
        ),
    )

    def __init__(self, options: kg.options.Options | None = None) -> None:
        super().__init__(options)
        self._chosen = cast(Folder.Options, self.options)
        self.label_choices = (LabelChoice("own", tuple(self._chosen.label_source)),)

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a folder that names no finding is an error."""
        self.choice(labels)
        self.need(root)
        found = _find(root)
        graph = load_shipped()
        names = {study.finding for study in found.values()}
        stated = {name: _stated(root, name, graph) for name in names}
        return Reading(
            tuple(
                self._study(root, name, study, stated[study.finding])
                for name, study in sorted(found.items())
            ),
            warnings=warnings_on(study.patient for study in found.values()),
        )

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Every finding named by a folder."""
        self.choice(labels)
        names = sorted({study.finding for study in _find(root).values()})
        graph = load_shipped()
        concepts = sorted({concept for name in names for concept in _stated(root, name, graph)})
        return LabelSet(
            name=labels,
            concept="",
            findings=tuple(concepts),
            columns=tuple(graph.concept(concept).label for concept in concepts),
            exclusive=self._chosen.exclusive,
            no_finding=NO_FINDING if NO_FINDING in concepts else None,
        )

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study by folder (`train`, `validation`, `test`); empty without `test`."""
        subsets = {
            pseudonym("study", name): cast(SplitSubset, study.subset)
            for name, study in _find(root).items()
            if study.subset
        }
        return subsets if "test" in subsets.values() else {}

    def tiny(self, folder: Path) -> None:
        """Write 15 made-up studies of three kinds in two subsets, some in folders of patients."""
        rng = np.random.default_rng(8)
        kinds = ("Pneumonia", "Cardiomegaly + Pleural Effusion", "no finding")
        for number in range(15):
            ill = number % 3 < 2
            kind, subset = kinds[number % 3], SUBSETS[2 * (number // 3 % 2)]
            place = folder / subset / kind
            if number < 9:
                draw(place / f"made-up-{number}.png", rng, bright=ill)
                text = place / f"made-up-{number}.txt"
            else:
                draw(
                    place / f"patient {number}" / "visit" / "front.png", rng, bright=number % 3 < 2
                )
                text = place / f"patient {number}" / "visit" / "report.txt"
            if number % 2:
                text.write_text("Findings: as seen.", encoding="utf-8")

    def _study(self, root: Path, name: str, found: _Found, stated: Mapping[str, Stated]) -> Study:
        modality, view = self._chosen.modality, self._chosen.view
        turns = tuple(p for path in found.dialogues for p in read_dialogue(_bytes(root, path)))
        report: tuple[Passage, ...] = tuple(
            p for path in found.reports for p in read_report(_bytes(root, path))
        )
        return Study(
            study=pseudonym("study", name),
            patient=pseudonym("patient", found.patient),
            images=tuple(StudyImage(path, modality, view) for path in found.images),
            report=report,
            dialogue=turns,
            stated=stated,
            dataset="folder",
            metadata={"modality": modality, "view": view} if found.images else {},
        )


def _find(root: Path) -> dict[str, _Found]:
    """Files by study, over all folders of findings."""
    found: dict[str, _Found] = {}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name[0] not in "._")
        steps = Path(place).relative_to(root).parts
        subset = steps[0] if steps and steps[0] in SUBSETS else ""
        steps = steps[1:] if subset else steps
        for name in sorted(names):
            kind = _kind(name)
            if not steps or not kind:
                continue
            alone = len(steps) == 1
            own = f"{steps[0]}/{_base(name)}"
            study = "/".join((subset, own) if subset and alone else (own,))
            if not alone:
                study = "/".join((*((subset,) if subset else ()), *steps))
            patient = own if alone else steps[1]
            files = found.setdefault(study, _Found(patient, steps[0], subset))
            path = (Path(place).relative_to(root) / name).as_posix()
            getattr(files, kind).append(path)
    return found


def _kind(name: str) -> str:
    """Field of a study for a file; empty if it is neither image nor text."""
    if name[0] in "._":
        return ""
    lower = name.lower()
    if lower.endswith(DIALOGUE) or lower == "dialogue.txt":
        return "dialogues"
    if lower.endswith(TEXT):
        return "reports"
    return "images" if stem(name) != name else ""


def _base(name: str) -> str:
    lower = name.lower()
    for ending in (DIALOGUE, TEXT):
        if lower.endswith(ending):
            return name[: -len(ending)]
    return stem(name)


def _stated(root: Path, folder: str, graph: KnowledgeGraph) -> dict[str, Stated]:
    """Labels stated by the name of a folder.

    Raises:
        InputError: If it names something that is not in the graph.
    """
    stated: dict[str, Stated] = {}
    for word in folder.split("+"):
        name = word.strip()
        absent = name.lower().startswith("not ")
        try:
            concept = graph.resolve(name[4:].strip() if absent else name.replace("_", " "))
        except InputError as error:
            raise InputError(
                f"{root}: the folder {folder!r} holds images or texts: {error.message}",
                f"{error.hint}; name it as a finding, or begin its name with _",
            ) from None
        stated[concept.id] = "absent" if absent else "present"
    return stated


def _bytes(root: Path, path: str) -> bytes:
    return text_file(root / path)
