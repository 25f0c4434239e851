"""Synthetic slides: made-up H&E slides of prostate tissue with a planted grade, and reports.

Each patient has one slide, drawn by `experiments/synthetic/slide.py`: grade, stain, fixation and
procedure are known. The report tells procedure and stain, and in a share of the studies the grade;
the case record has age and PSA, which rises with the grade. It supports no claim about patients.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

import kg.options
from encoders.study import Modality, Passage, Study, StudyImage
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading
from experiments.datasets._slide_labels import CONCEPTS, label_set, stated_of
from experiments.synthetic.canvas import stream
from experiments.synthetic.generate import TRUTH, read_truths
from experiments.synthetic.slide import Tissue, draw_slide, write_slide
from kg.bounds import Seed, Share
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["SyntheticSlides"]

VERSION = 1
TASKS = ("grade", "stain", "fixation", "procedure")
GLANDS = (
    "Large, well formed glands",
    "Mostly well formed glands",
    "Small glands",
    "Fused, poorly formed glands",
    "Single cells without glands",
)


class SyntheticSlides(Layout):
    """The made-up slides; it needs no files, and makes them on first use."""

    class Options(kg.options.Options):
        """Options of the made-up slides.

        Args:
            studies: Number of slides.
            seed: Seed of everything that is drawn.
            stated: Share of the reports that state the grade.
            size: Side of a slide in pixels of a micrometre.
        """

        studies: int = Field(default=200, ge=1, le=100_000)
        seed: Seed = 0
        stated: Share = 0.5
        size: int = Field(default=512, ge=256, le=4096)

    licence = "CC0-1.0 (made by this program)"
    citation = "Made by kgdx; no patient is behind it."
    homepage = ""
    modalities: ClassVar[tuple[Modality, ...]] = ("pathology",)
    label_choices = (
        LabelChoice("slide", ("image",), "ignore"),
        *(LabelChoice(task, ("image",), "ignore", ordered=task == "grade") for task in TASKS),
    )
    files = (
        NeededFile(
            TRUTH,
            "one made-up study on each line, with its slide in slides/",
            "made on first use from the seed",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"studies": 200}
    concepts = CONCEPTS

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, generated first if missing.

        Raises:
            InputError: If there is no such label choice, or the root cannot be written.
        """
        tasks = _tasks(self.choice(labels).name)
        folder = "" if (root / TRUTH).is_file() else f"synthetic_slides/{self._key()}/"
        if not (root / folder / TRUTH).is_file():
            self._generate(root / folder)
        truths: list[Any] = [*read_truths(root / folder / TRUTH)]
        return Reading(tuple(_study(truth, tasks, folder) for truth in truths))

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """Findings of one task, or of all."""
        return label_set(labels, _tasks(self.choice(labels).name))

    def tiny(self, folder: Path) -> None:
        """Write 20 small slides."""
        few = self.options.model_copy(update={"studies": 20, "size": 256})
        SyntheticSlides(few)._generate(folder)

    def _key(self) -> str:
        content = f"{VERSION} {self.options.model_dump_json()}"
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def _generate(self, folder: Path) -> None:
        """Draw slides, and write their truth last."""
        options: Any = self.options
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lines = [
                json.dumps(_make(folder, number, options)) for number in range(options.studies)
            ]
            partial = folder / f".{TRUTH}.{os.getpid()}"
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
            partial.replace(folder / TRUTH)
        except OSError as error:
            raise InputError(
                f"{folder}: the synthetic slides cannot be written: {error.strerror}",
                "name a root that can be written",
            ) from None


def _tasks(labels: str) -> tuple[str, ...]:
    return TASKS if labels == "slide" else (labels,)


def _make(folder: Path, number: int, options: Any) -> dict[str, Any]:
    """Draw a slide; returns its record."""
    study = f"S{number:05d}"
    rng = stream(options.seed, "slide", study)
    grade = int(rng.integers(1, 6))
    tissue = Tissue(
        grade=grade,
        stain="ihc" if rng.random() < 0.3 else "he",
        frozen=bool(rng.random() < 0.3),
        biopsy=bool(rng.random() < 0.5),
    )
    path = f"slides/{study}.svs"
    write_slide(folder / path, draw_slide(tissue, options.size, rng))
    return {
        "study": study,
        "patient": f"P{number:05d}",
        "image": path,
        "labels": {
            "grade": f"Grade group {grade}",
            "stain": "immunohistochemistry" if tissue.stain == "ihc" else "hematoxylin and eosin",
            "fixation": "frozen" if tissue.frozen else "formalin",
            "procedure": "biopsy" if tissue.biopsy else "resection",
        },
        "report": _report(tissue, rng, options.stated),
        "age": str(int(np.clip(rng.normal(64, 8), 40, 90))),
        "psa": f"{float(np.exp(rng.normal(1.2 + 0.3 * grade, 0.6))):.1f}",
    }


def _report(tissue: Tissue, rng: np.random.Generator, stated: float) -> dict[str, str]:
    """Sections of the report."""
    procedure = "needle biopsy" if tissue.biopsy else "prostatectomy"
    stain = "Immunohistochemistry" if tissue.stain == "ihc" else "Hematoxylin and eosin"
    said = f"{GLANDS[tissue.grade - 1]}. " if rng.random() < stated else ""
    return {
        "indication": f"Prostate, {procedure}.",
        "findings": f"{said}{stain} stain.",
    }


def _study(truth: dict[str, Any], tasks: tuple[str, ...], folder: str) -> Study:
    return Study(
        study=truth["study"],
        patient=truth["patient"],
        images=(StudyImage(folder + truth["image"], "pathology"),),
        report=tuple(Passage(name, text) for name, text in truth["report"].items()),
        stated=stated_of(truth["labels"], tasks),
        dataset="synthetic_slides",
        metadata={"modality": "pathology", "age": truth["age"], "psa": truth["psa"]},
    )
