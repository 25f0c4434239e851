"""Synthetic: made-up studies drawn and written from the clinical graph, with full ground truth.

Chest X-rays, CT slices and lung ultrasound with drawn pathology, reports and dialogues. Findings
are sampled through the graph (model in `experiments/synthetic/world.py`), so findings, their boxes
and the sentences that state them are known: ground truth for tests of evidence, and the data set of
`kgdx demo`. It supports no claim about real patients.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import kg.options
from encoders.study import RADIOLOGY, Modality
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._boxes import Box
from experiments.datasets._layout import Layout, Reading
from experiments.synthetic.generate import TRUTH, generate, key_of, read_truths
from experiments.synthetic.repertoire import LESIONS, NO_FINDING
from experiments.synthetic.rules import Rules
from experiments.synthetic.truth import Truth, read_study
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["Synthetic"]


class Synthetic(Layout):
    """The made-up data set; it needs no files.

    A root that holds `truth.jsonl` is read as it is. Otherwise the studies are made under
    `synthetic/<key>` of the root, once for each set of options and graph.

    Args:
        options: Size, seed and world; None = the defaults.
        graph: Graph to sample through; None = the shipped one.
    """

    class Options(Rules):
        """Options of the made-up data set: those of `Rules`."""

    licence = "CC0-1.0 (made by this program)"
    citation = "Made by kgdx from its own clinical graph; no patient is behind it."
    homepage = ""
    graph_names: ClassVar[tuple[str, ...]] = ()
    modalities: ClassVar[tuple[Modality, ...]] = RADIOLOGY
    label_choices = (
        LabelChoice("nih14", ("findings", "impression"), "ignore"),
        LabelChoice("covid", ("record", "impression"), "ignore"),
        LabelChoice("pocus4", ("record", "impression"), "ignore"),
        LabelChoice("lesions", ("image",), "ignore"),
    )
    files = (
        NeededFile(
            TRUTH,
            "one made-up study on each line, with its images in images/",
            "made on first use from the seed",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {"studies": 300}

    def __init__(
        self, options: kg.options.Options | None = None, graph: KnowledgeGraph | None = None
    ) -> None:
        super().__init__(options)
        self._graph = graph

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, generated first if missing.

        Raises:
            InputError: If there is no such label choice, a copy is damaged, or the root cannot be
                written.
        """
        self.choice(labels)
        truths, folder = self.truths(root)
        studies = (read_study(truth, labels, folder) for truth in truths)
        return Reading(tuple(study for study in studies if study is not None))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """Of `lesions`, what is drawn and on which side; the graph knows the other choices."""
        if self.choice(labels).name != "lesions":
            return None
        return LabelSet("lesions", "", LESIONS, LESIONS, no_finding=NO_FINDING)

    def boxes(self, root: Path) -> tuple[Box, ...]:
        """Boxes of each drawn finding, on every image that shows it."""
        truths, folder = self.truths(root)
        return tuple(box for truth in truths for box in _boxes(truth, folder))

    def truths(self, root: Path) -> tuple[list[Truth], str]:
        """Ground truth of each study, and the prefix of image paths under `root`."""
        if (root / TRUTH).is_file():
            return read_truths(root / TRUTH), ""
        graph = self._shipped()
        folder = f"synthetic/{key_of(self.rules, graph)}"
        if (root / folder / TRUTH).is_file():
            return read_truths(root / folder / TRUTH), f"{folder}/"
        return generate(root / folder, self.rules, graph), f"{folder}/"

    def tiny(self, folder: Path) -> None:
        """Write 24 small studies, all three kinds of images among them."""
        few = self.rules.model_copy(update={"studies": 24, "size": 128})
        generate(folder, few, self._shipped())

    @property
    def rules(self) -> Rules:
        """The options as the rules of the world."""
        return Rules.model_validate(self.options.model_dump())

    def _shipped(self) -> KnowledgeGraph:
        """The graph to sample through; the shipped one is read on first use."""
        if self._graph is None:
            from kg.files.store import load_shipped

            self._graph = load_shipped()
        return self._graph


def _boxes(truth: Truth, folder: str) -> Iterator[Box]:
    """Boxes of the drawn findings of a study.

    Args:
        truth: The study.
        folder: Prefix of image paths, relative to the root.
    """
    sides = {image["path"]: (image["width"], image["height"]) for image in truth["images"]}
    for finding in truth["findings"]:
        for path, (left, top, right, bottom) in finding["boxes"].items():
            yield Box(
                truth["study"],
                finding["concept"],
                *(left, top, right - left, bottom - top),
                picture=folder + path,
                sides=sides[path],
            )
