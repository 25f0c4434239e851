"""A made-up data set into which one shortcut at a time is planted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.study import Passage, Stated, Study, StudyImage
from experiments.datasets import LabelChoice
from experiments.datasets._boxes import Region
from experiments.datasets._layout import Layout, Reading

COVID = "ckg:covid_19"


class Planted(Layout):
    """Patients whose label is drawn at random, and one thing that gives it away."""

    licence = citation = homepage = "made up"
    modalities = ("cxr",)
    label_choices = (LabelChoice("covid", ("record",), "ignore"),)
    files = ()

    def __init__(self, shortcut: str = "", patients: int = 80) -> None:
        super().__init__()
        self.shortcut, self.patients = shortcut, patients

    def read(self, root: Path, *, labels: str) -> Reading:
        rng = np.random.default_rng(5)
        studies = []
        for patient in range(self.patients):
            ill = bool(rng.random() < 0.5)
            studies += [
                self.study(root, f"{patient}-{n}", ill, rng) for n in range(1 + patient % 2)
            ]
        return Reading(tuple(studies))

    def study(self, root: Path, name: str, ill: bool, rng: np.random.Generator) -> Study:
        def tells(shortcut: str) -> bool:
            return ill if self.shortcut == shortcut else bool(rng.random() < 0.5)

        facts = {
            "document": ("a.example", "b.example")[tells("origin")],
            "view": ("PA", "AP")[tells("view")],
            "sex": "FM"[tells("sex, age and view")],
            "modality": "cxr",
        }
        modality = "ct" if self.shortcut == "modality" and ill else "cxr"
        facts["modality"] = modality
        file = "jpg" if tells("image files") else "png"
        path = f"{name}.{file}"
        if not (root / path).exists():
            pixels = rng.integers(60, 90, (24, 24), dtype=np.uint8)
            pixels[:2] = 200 if tells("borders") else 20
            pixels[10:14, 10:14] = 255 * ill  # what may be seen within the lungs
            pixels[5:8, 5:8] = 220 if tells("image without lungs") else 30
            Image.fromarray(pixels).save(root / path)
        said = ["seen today ."]
        if tells("text length"):
            said.append("as before " * 5)
        if tells("redacted report"):
            said.append("visitor from abroad .")
        if tells("cuts in the report"):
            said.append("covid-19 pneumonia was asked about .")
        stated: dict[str, Stated] = {COVID: "present" if ill else "absent"}
        return Study(
            study=name,
            patient=name.split("-")[0],
            images=(StudyImage(path, modality, "frontal"),),
            report=(Passage("note", " ".join(said)),),
            stated=stated,
            dataset="planted",
            metadata=facts,
        )

    def lungs(self, root: Path) -> dict[str, tuple[Region, ...]]:
        half = Region(9 / 24, 9 / 24, 15 / 24, 15 / 24)
        return {path.name: (half,) for path in root.glob("*.*g")}


@pytest.fixture
def planted(tmp_path: Path) -> Callable[..., tuple[Planted, Path]]:
    """Makes a data set with a shortcut (none where it has no name), and its folder."""

    def make(shortcut: str = "", patients: int = 80) -> tuple[Planted, Path]:
        root = tmp_path / (shortcut.replace(" ", "_") or "nothing")
        root.mkdir()
        return Planted(shortcut, patients), root

    return make
