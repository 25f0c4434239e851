"""COVID-19 over three kinds of imaging: X-ray, CT and ultrasound sets as one cohort.

The root holds the folders `covid_chestxray`, `cov_ctr` and `pocus`. Ids carry the name of
their set; patients with near-duplicate images in two sets are one group. `covid` labels COVID-19 or
not for every study; `pocus4` (exclusive) is stated for ultrasound alone. The rules of each set
for SARS, for patients under both labels and for `todo` rows hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import kg.options
from encoders.study import Modality, Study
from experiments.datasets import LabelChoice
from experiments.datasets._boxes import Region
from experiments.datasets._layout import Layout, Reading, Rejected
from experiments.datasets._near_duplicates import join, published, read_pairs
from experiments.datasets.cov_ctr import CovCTR
from experiments.datasets.covid_chestxray import CovidChestXray
from experiments.datasets.pocus import POCUS
from kg.bounds import Number

__all__ = ["CovidMultiImaging"]


class CovidMultiImaging(Layout):
    """One cohort over three data sets."""

    class Options(kg.options.Options):
        """Options of the cohort.

        Args:
            frames: Largest number of frames of an ultrasound clip, evenly spaced; 0 = all.
        """

        frames: Number = 0

    licence = "; ".join((CovidChestXray.licence, CovCTR.licence, POCUS.licence))
    citation = " ".join((CovidChestXray.citation, CovCTR.citation, POCUS.citation))
    homepage = CovidChestXray.homepage
    graph_names = (*CovidChestXray.graph_names, *CovCTR.graph_names, *POCUS.graph_names)
    modalities: ClassVar[tuple[Modality, ...]] = ("cxr", "ct", "ultrasound")
    label_choices: tuple[LabelChoice, ...] = (
        LabelChoice("covid", ("record", "note", "comment"), "ignore"),
        LabelChoice("pocus4", ("record", "comment"), "ignore"),
    )
    files = tuple(
        replace(file, path="|".join(f"{name}/{path}" for path in file.path.split("|")))
        for name, layout in (
            ("covid_chestxray", CovidChestXray),
            ("cov_ctr", CovCTR),
            ("pocus", POCUS),
        )
        for file in layout.files
    )
    expected: ClassVar[dict[str, int]] = {}
    locked_share = 0.2
    locked_with = "covid_multi_imaging"

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies of the three sets under `root`, with ids and paths that name their set."""
        self.choice(labels)
        self.need(root)
        studies: list[Study] = []
        rejected: list[Rejected] = []
        for name, layout in self._members():
            stated = any(choice.name == labels for choice in layout.label_choices)
            reading = layout.read(root / name, labels=labels if stated else "covid")
            studies += [_prefixed(study, name, stated=stated) for study in reading.studies]
            rejected += [replace(item, file=f"{name}/{item.file}") for item in reading.rejected]
        groups = join(list(_owners(studies)), read_pairs(root))
        joined = [replace(study, patient=groups[study.patient]) for study in studies]
        return Reading(tuple(joined), tuple(rejected))

    def lungs(self, root: Path) -> Mapping[str, tuple[Region, ...]]:
        """Regions of the lungs in the images of the sets."""
        return {
            f"{name}/{path}": regions
            for name, layout in self._members()
            for path, regions in layout.lungs(root / name).items()
        }

    def tiny(self, folder: Path) -> None:
        """Write the made-up copies of the three sets into their folders."""
        for name, layout in self._members():
            (folder / name).mkdir(parents=True, exist_ok=True)
            layout.tiny(folder / name)

    def _members(self) -> Iterator[tuple[str, Layout]]:
        yield "covid_chestxray", CovidChestXray()
        yield "cov_ctr", CovCTR()
        yield "pocus", POCUS(POCUS.Options(frames=getattr(self.options, "frames", 0)))


def _prefixed(study: Study, name: str, *, stated: bool) -> Study:
    """A study of one set as a study of the cohort."""
    return replace(
        study,
        study=f"{name}:{study.study}",
        patient=f"{name}:{study.patient}",
        images=tuple(replace(image, path=f"{name}/{image.path}") for image in study.images),
        stated=study.stated if stated else {},
    )


def _owners(studies: list[Study]) -> Iterator[tuple[tuple[str, str], str]]:
    for study in studies:
        for image in study.images:
            yield (study.dataset, published(image.path)), study.patient
