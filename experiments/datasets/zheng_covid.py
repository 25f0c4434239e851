"""Zheng 2021: COVID-19 or not from X-ray, CT, ultrasound and doctor-patient dialogues.

The set of the paper was never published; this is the layout that kgdx reads:

    covid/xray/  covid/ct/  covid/ultrasound/  covid/dialogues/      files, or a folder a patient
    non_covid/xray/  ...                                             the same

A file is a study of its own; files in folders of one name within a class, over all four kinds, are
one study of one patient. The paper's counts do not add up: 9,658 + 494 + 761 images of the other
class are 10,913, it says 10,754 (with 602 ultrasounds they would be). Its dialogues are of other
patients than its images, joined by class alone: such pairs are never made here.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.reading.dialogue import read_dialogue
from encoders.reading.plain import text_file
from encoders.study import Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._covid_labels import covid
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._pictures import Pictures, draw, stem

__all__ = ["ZhengCovid"]

CLASSES: dict[str, Stated] = {"covid": "present", "non_covid": "absent"}
KINDS: dict[str, tuple[Modality, View]] = {
    "xray": ("cxr", "unknown"),
    "ct": ("ct", "axial"),
    "ultrasound": ("ultrasound", "unknown"),
}
DIALOGUES = "dialogues"


class ZhengCovid(Layout):
    """A folder for each class, with folders of each modality and of dialogues as text files."""

    licence = "not published"
    citation = (
        "Zheng W, Yan L, Gou C, et al. Pay attention to doctor-patient dialogues: Multi-modal "
        "knowledge graph attention image-text embedding for COVID-19 diagnosis. Information "
        "Fusion 2021;75:168-185."
    )
    homepage = "https://doi.org/10.1016/j.inffus.2021.05.015"
    graph_names = ("COVID-Dialogue",)
    modalities: ClassVar[tuple[Modality, ...]] = ("cxr", "ct", "ultrasound")
    label_choices = (LabelChoice("covid", ("record",), "ignore"),)
    files = tuple(
        NeededFile(
            "|".join(f"{kind}/{medium}" for medium in (*KINDS, DIALOGUES)),
            f"images and dialogues of the class {kind}, a folder for each kind",
            "the authors of the paper; nobody gives it publicly",
            apply="write to the corresponding author of doi 10.1016/j.inffus.2021.05.015",
        )
        for kind in CLASSES
    )
    expected: ClassVar[dict[str, int]] = {
        "covid dialogues": 1_393,
        "covid xray": 347,
        "covid ct": 2_598,
        "covid ultrasound": 761,
        "covid pictures as stated": 3_706,
        "non_covid dialogues": 607,
        "non_covid xray": 9_658,
        "non_covid ct": 494,
        "non_covid ultrasound as stated": 761,
        "non_covid pictures as stated": 10_754,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a dialogue without any turn is rejected."""
        self.choice(labels)
        self.need(root)
        images: dict[str, list[StudyImage]] = {}
        dialogues: dict[str, tuple[Passage, ...]] = {}
        rejected = []
        for kind in CLASSES:
            for medium, (modality, view) in KINDS.items():
                for path in Pictures(root, [f"{kind}/{medium}"]).all():
                    images.setdefault(_name(path), []).append(StudyImage(path, modality, view))
            for file in sorted((root / kind / DIALOGUES).rglob("*.txt")):
                path = file.relative_to(root).as_posix()
                turns = read_dialogue(text_file(file))
                if turns:
                    dialogues[_name(path)] = (*dialogues.get(_name(path), ()), *turns)
                else:
                    rejected.append(Rejected(path, 0, "no turn in the dialogue", path))
        studies = (
            Study(
                study=name,
                patient=name,
                images=tuple(images.get(name, ())),
                dialogue=dialogues.get(name, ()),
                stated=covid(CLASSES[name.split("/")[0]]),
                dataset="zheng_covid",
                metadata=_metadata(images.get(name, [])),
            )
            for name in sorted({*images, *dialogues})
        )
        return Reading(tuple(studies), tuple(rejected))

    def tiny(self, folder: Path) -> None:
        """Write 10 made-up files for each class, with two patients of all four kinds."""
        rng = np.random.default_rng(75)
        for kind in CLASSES:
            for number in range(6):
                medium, patient = list(KINDS)[number % 3], f"/p{number // 3}"
                draw(
                    folder / kind / medium / patient[1:] / f"{number}.png",
                    rng,
                    bright=kind == "covid",
                )
                draw(folder / kind / medium / f"alone{number}.png", rng, bright=kind == "covid")
            for name in ("p0/talk", "p1/talk", "alone8"):
                path = folder / kind / DIALOGUES / f"{name}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("Patient: I have a cough.\nDoctor: Any fever?", encoding="utf-8")


def _name(path: str) -> str:
    """Study of a file: its folder within class and kind, or the file itself."""
    kind, medium, *folders, name = path.split("/")
    return "/".join(
        (kind, *folders) if folders else (kind, medium, stem(name).removesuffix(".txt"))
    )


def _metadata(images: list[StudyImage]) -> dict[str, str]:
    modalities = sorted({image.modality for image in images})
    return {"modality": "+".join(modalities)} if modalities else {}
