"""Shared layout of the two tuberculosis sets of the National Library of Medicine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from encoders.reading.plain import clean_text, text_file
from encoders.study import Passage, Stated, Study
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Reading, Rejected
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw, stem
from kg.model.graph import LabelSet

LABELS = {"tuberculosis": "ckg:pulmonary_tuberculosis", "normal": "ckg:no_finding"}
_SEX = re.compile(r"\b(?:(f)|(m))(?:e?male?|ale|emal)?\b", re.IGNORECASE)
_AGE = re.compile(r"\b0*(\d{1,3})\s*(y|yrs?|years?)", re.IGNORECASE)


class Tuberculosis(Pictured):
    """Folders `CXR_png` of images whose name ends in the class, `ClinicalReadings` of their texts.

    A study is one image of one patient. The class is in the image's name, so a name is never
    metadata or text. The reading is an expert's remark on the same image and names the class.
    """

    prefix: ClassVar[str]
    label_choices = (LabelChoice("tuberculosis", ("record", "comment"), "ignore"),)
    folders = ("CXR_png",)
    files: ClassVar[tuple[NeededFile, ...]] = (
        NeededFile("CXR_png", "images: *_0.png normal, *_1.png tuberculosis", "NLM"),
        NeededFile(
            "ClinicalReadings",
            "sex, age and reading of each image: *_0.txt, *_1.txt",
            "NLM, with the images",
            optional=True,
        ),
    )

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; an image whose name has no class is rejected."""
        self.choice(labels)
        self.need(root)
        studies, rejected = [], []
        for image_row in self._image_rows(root):
            kind = image_row.study.rpartition("_")[2]
            if kind not in ("0", "1"):
                rejected.append(
                    Rejected(image_row.path or "", 0, "no class in its name", image_row.name)
                )
                continue
            metadata, remark = _reading(root / "ClinicalReadings" / f"{image_row.study}.txt")
            studies.append(
                Study(
                    study=image_row.study,
                    patient=image_row.patient,
                    images=images([image_row]),
                    report=(Passage("comment", remark),) if remark else (),
                    stated=_stated(ill=kind == "1"),
                    dataset=type(self).__name__.lower(),
                    metadata=metadata,
                )
            )
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Tuberculosis or a normal chest."""
        name = self.choice(labels).name
        normal = LABELS["normal"]
        return LabelSet(name, "", tuple(LABELS.values()), tuple(LABELS), no_finding=normal)

    def tiny(self, folder: Path) -> None:
        """Write 12 made-up patients, four with tuberculosis and one without a reading."""
        rng = np.random.default_rng(33)
        (folder / "ClinicalReadings").mkdir(parents=True)
        for number in range(1, 13):
            ill = number > 8
            name = f"{self.prefix}_{number:04d}_{int(ill)}"
            draw(folder / "CXR_png" / f"{name}.png", rng, bright=ill)
            if number < 12:
                text = self.written(
                    number, "infiltrate in the right upper field" if ill else "normal"
                )
                (folder / "ClinicalReadings" / f"{name}.txt").write_text(text, encoding="utf-8")

    def written(self, age: int, remark: str) -> str:
        """A made-up reading in the format of the set."""
        raise NotImplementedError

    def _image_rows(self, root: Path) -> Iterator[ImageRow]:
        for path in self.pictures(root).all():
            name = stem(path.rsplit("/", 1)[-1])
            yield ImageRow(name, name.rpartition("_")[0] or name, name, path, "frontal", 0, 0)


def _stated(*, ill: bool) -> dict[str, Stated]:
    said: tuple[Stated, Stated] = ("present", "absent") if ill else ("absent", "present")
    return dict(zip(LABELS.values(), said, strict=True))


def _reading(path: Path) -> tuple[dict[str, str], str]:
    """Sex, age in years and the remark of a reading; empty without a file."""
    metadata = {"modality": "cxr", "view": "PA"}
    if not path.is_file():
        return metadata, ""
    lines = [line.strip() for line in clean_text(text_file(path)).text.splitlines()]
    remarks = []
    for line in filter(None, lines):
        # `Patient's Sex: F`, `Patient's Age: 027Y`, or both in one line: `male 45yrs`
        said = line.removeprefix("Patient's Sex:").removeprefix("Patient's Age:").strip()
        sex, age = _SEX.match(said), _AGE.search(said)
        if sex:
            metadata["sex"] = "F" if sex[1] else "M"
        if age:
            metadata["age"] = age[1]
        if not sex and not age:
            remarks.append(line)
    return metadata, " ".join(remarks)
