"""What the two tuberculosis sets of the National Library of Medicine share: their one layout."""

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
from experiments.datasets._pictured import Pictured, Shot, images
from experiments.datasets._pictures import draw, stem
from kg.model.graph import LabelSet

LABELS = {"tuberculosis": "ckg:pulmonary_tuberculosis", "normal": "ckg:no_finding"}
_SEX = re.compile(r"\b(?:(f)|(m))(?:e?male?|ale|emal)?\b", re.IGNORECASE)
_AGE = re.compile(r"\b0*(\d{1,3})\s*(y|yrs?|years?)", re.IGNORECASE)


class Tuberculosis(Pictured):
    """`CXR_png` with pictures whose name ends in the class, `ClinicalReadings` with a text each.

    A study is one picture of one patient. The class is in the picture's name, so a name is never
    metadata or text. The reading is an expert's remark on the same picture and names the class.
    """

    prefix: ClassVar[str]
    label_choices = (LabelChoice("tuberculosis", ("record", "comment"), "ignore"),)
    folders = ("CXR_png",)
    files: ClassVar[tuple[NeededFile, ...]] = (
        NeededFile("CXR_png", "pictures: *_0.png normal, *_1.png tuberculosis", "NLM"),
        NeededFile(
            "ClinicalReadings",
            "sex, age and reading of each picture: *_0.txt, *_1.txt",
            "NLM, with the pictures",
            optional=True,
        ),
    )

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`; a picture whose name says no class is rejected."""
        self.choice(labels)
        self.need(root)
        studies, rejected = [], []
        for shot in self._shots(root):
            kind = shot.study.rpartition("_")[2]
            if kind not in ("0", "1"):
                rejected.append(Rejected(shot.path or "", 0, "no class in its name", shot.name))
                continue
            metadata, remark = _reading(root / "ClinicalReadings" / f"{shot.study}.txt")
            studies.append(
                Study(
                    study=shot.study,
                    patient=shot.patient,
                    images=images([shot]),
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
        """A made-up reading as this set writes them."""
        raise NotImplementedError

    def _shots(self, root: Path) -> Iterator[Shot]:
        for path in self.pictures(root).all():
            name = stem(path.rsplit("/", 1)[-1])
            yield Shot(name, name.rpartition("_")[0] or name, name, path, "frontal", 0, 0)


def _stated(*, ill: bool) -> dict[str, Stated]:
    said: tuple[Stated, Stated] = ("present", "absent") if ill else ("absent", "present")
    return dict(zip(LABELS.values(), said, strict=True))


def _reading(path: Path) -> tuple[dict[str, str], str]:
    """Sex, age in years and the remark of a reading; nothing of one that is not there."""
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
