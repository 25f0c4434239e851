"""COVIDx CXR: X-rays of seven public sources in three classes, or COVID-19 or not (COVID-Net).

One list file for each subset, one line for each image: patient, file, class, collection. Class
and collection are tied together (COVID-19 images and the others come from different collections),
so a result counts only beside the source probe; the collection is the `document` of a study's
metadata. Patient ids are only unique within a collection. `covid` takes lists of either kind,
`covidx3` only those with three classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from encoders.study import SplitSubset, Stated, Study
from experiments.datasets import Download, LabelChoice, NeededFile
from experiments.datasets._covid_labels import COVID, covid
from experiments.datasets._layout import Reading, Rejected
from experiments.datasets._pictured import ImageRow, Pictured, images
from experiments.datasets._pictures import draw
from experiments.datasets._tables import read_lines
from kg.errors import InputError, did_you_mean
from kg.model.graph import LabelSet

__all__ = ["CovidX"]

SUBSETS: dict[str, SplitSubset] = {"train": "train", "val": "validation", "test": "test"}
CLASSES = {
    "normal": "ckg:no_finding",
    "pneumonia": "ckg:pneumonia",
    "COVID-19": COVID,
}
COVID_CLASSES: dict[str, Stated] = {
    "normal": "absent",
    "pneumonia": "absent",
    "COVID-19": "present",
    "negative": "absent",
    "positive": "present",
}
LISTS = "https://raw.githubusercontent.com/lindawangg/COVID-Net/master/labels/"


class Line(NamedTuple):
    """One line of a list file."""

    patient: str
    name: str
    kind: str
    collection: str
    subset: str
    row: int
    path: Path

    @property
    def study(self) -> str:
        """Id of the study; the name of an image is unique within its subset alone."""
        return f"{self.subset}/{self.name}"


class CovidX(Pictured):
    """The Kaggle folders `train`, `test` (and `val`) with list files of one version."""

    class Options(Pictured.Options):
        """Options of COVIDx.

        Args:
            version: Version in the names of the list files (`9A`, `_CXR-3A`); empty = the only
                one found.
        """

        version: str = ""

    licence = "CC BY-NC-SA 4.0 for the set; each source its own"
    citation = (
        "Wang L, Lin ZQ, Wong A. COVID-Net: a tailored deep convolutional neural network design "
        "for detection of COVID-19 cases from chest X-ray images. Scientific Reports "
        "2020;10:19549."
    )
    homepage = "https://github.com/lindawangg/COVID-Net/blob/master/docs/COVIDx.md"
    graph_names = ("NIH",)
    label_choices = (
        LabelChoice("covid", ("record",), "ignore"),
        LabelChoice("covidx3", ("record",), "ignore"),
    )
    folders = ("train", "val", "test")
    files = (
        NeededFile(
            "|".join(folders),
            "pictures",
            "Kaggle andyczhao/covidx-cxr2",
            apply="Kaggle: sign in and download andyczhao/covidx-cxr2",
        ),
        NeededFile(
            "train*.txt|labels/train*.txt",
            "one line for each training image: patient, file, class, collection",
            "github lindawangg/COVID-Net, labels/, or with the Kaggle set",
            downloads=(Download(f"{LISTS}train_COVIDx_CXR-3A.txt"),),
        ),
        NeededFile(
            "test*.txt|labels/test*.txt",
            "the same of the test images",
            "github lindawangg/COVID-Net, labels/, or with the Kaggle set",
            downloads=(Download(f"{LISTS}test_COVIDx_CXR-3A.txt"),),
        ),
        NeededFile(
            "val*.txt|labels/val*.txt",
            "the same of the validation images, in versions that have them",
            "with the Kaggle set",
            optional=True,
        ),
    )
    expected: ClassVar[dict[str, int]] = {
        "CXR-3A train pictures": 29_634,
        "CXR-3A test pictures": 400,
        "CXR-3B train pictures": 29_986,
        "CXR-3B test pictures": 400,
    }

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies under `root`, one for each image; a line without its image is rejected."""
        self.choice(labels)
        self.need(root)
        studies: list[Study] = []
        rejected: list[Rejected] = []
        pictures = self.pictures(root)
        for path, lines in self._lists(root).items():
            image_rows = (
                ImageRow(
                    study=line.study,
                    patient=f"{line.collection}:{line.patient}",
                    name=line.name,
                    path=pictures.at(f"{line.subset}/{line.name}"),
                    view="frontal",
                    row=line.row,
                    place=place,
                )
                for place, line in enumerate(lines)
            )
            found, left = self.gathered(path.name, image_rows)
            rejected += left
            studies += [
                Study(
                    study=name,
                    patient=members[0].patient,
                    images=images(members[:1]),
                    stated=_stated(lines[members[0].place], labels),
                    dataset="covidx",
                    metadata=_metadata(lines[members[0].place]),
                )
                for name, members in found.items()
            ]
        return Reading(tuple(studies), tuple(rejected))

    def label_set(self, root: Path, labels: str) -> LabelSet | None:
        """The three classes, of which exactly one holds; the graph has COVID-19 or not."""
        if self.choice(labels).name == "covid":
            return None
        return LabelSet(
            name="covidx3",
            concept="",
            findings=tuple(CLASSES.values()),
            columns=tuple(CLASSES),
            exclusive=True,
            no_finding=CLASSES["normal"],
        )

    def official_split(self, root: Path) -> Mapping[str, SplitSubset]:
        """Subset of each study, by its list."""
        return {
            line.study: SUBSETS[line.subset]
            for lines in self._lists(root).values()
            for line in lines
        }

    def tiny(self, folder: Path) -> None:
        """Write 15 made-up images of 13 patients with two list files of version 9A."""
        rng = np.random.default_rng(90)
        for subset, count in (("train", 12), ("test", 3)):
            lines = []
            for number in range(count):
                kind = list(CLASSES)[number % 3]
                collection = "cohen" if kind == "COVID-19" else "rsna"
                patient = f"{subset}{number % 10}-made-up"
                draw(folder / subset / f"{number}.png", rng, bright=kind != "normal")
                lines.append(f"{patient} {number}.png {kind} {collection}")
            (folder / f"{subset}_COVIDx9A.txt").write_text("\n".join(lines), encoding="utf-8")

    def _lists(self, root: Path) -> dict[Path, list[Line]]:
        version = str(getattr(self.options, "version", ""))
        found = {}
        for subset in SUBSETS:
            paths = sorted((*root.glob(f"{subset}*.txt"), *root.glob(f"labels/{subset}*.txt")))
            chosen = [path for path in paths if path.stem.endswith(version)]
            if len(chosen) > 1:
                names = ", ".join(path.name for path in chosen)
                raise InputError(
                    f"{root}: several lists of the subset {subset}: {names}",
                    "keep one, or choose with `--set data.options.version=9A`",
                )
            if version and paths and not chosen:
                raise InputError(
                    f"{root}: no list of version {version!r}",
                    "there are: " + ", ".join(path.name for path in paths),
                )
            if chosen:
                found[chosen[0]] = list(_lines(chosen[0], subset))
        return found


def _lines(path: Path, subset: str) -> Iterator[Line]:
    """Lines of a list: patient, file and class, in newer versions also the collection."""
    for row, text in enumerate(read_lines(path), start=1):
        cells = text.split()
        if len(cells) not in (3, 4):
            raise InputError(
                f"{path}: line {row} has {len(cells)} words",
                "write patient, file, class and collection, without blanks in them",
            )
        patient, name, kind, *collection = cells
        if kind not in COVID_CLASSES:
            raise InputError(
                f"{path}: line {row}: class {kind!r}", did_you_mean(kind, COVID_CLASSES)
            )
        yield Line(patient, name, kind, "".join(collection), subset, row, path)


def _stated(line: Line, labels: str) -> dict[str, Stated]:
    if labels == "covid":
        return covid(COVID_CLASSES[line.kind])
    if line.kind not in CLASSES:
        raise InputError(
            f"{line.path}: line {line.row}: class {line.kind!r} is none of three",
            "choose labels covid, or a list of a version with A",
        )
    return {
        concept: "present" if name == line.kind else "absent" for name, concept in CLASSES.items()
    }


def _metadata(line: Line) -> dict[str, str]:
    metadata = {"modality": "cxr", "document": line.collection}
    return {key: value for key, value in metadata.items() if value}
