"""Base of adapters whose published table names images: finding them, gathering studies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import kg.options
from encoders.study import Modality, StudyImage, View
from experiments.datasets import NeededFile
from experiments.datasets._layout import Layout, Rejected
from experiments.datasets._pictures import Pictures
from kg.errors import InputError


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of a published table that names an image.

    Args:
        study: Study of the image.
        patient: Patient of the study.
        name: Name of the image in the table.
        path: Path relative to the root; None if the file is missing.
        view: Projection.
        row: Row in the table as a spreadsheet counts.
        place: Index of the row among those read.
    """

    study: str
    patient: str
    name: str
    path: str | None
    view: View
    row: int
    place: int


class Pictured(Layout):
    """Base of the adapters of tables that name images, which are in one of `folders`."""

    class Options(kg.options.Options):
        """Options of a data set with images.

        Args:
            pictures: `needed` leaves out studies without any image; `optional` keeps them, for
                their labels and text, and needs no folder of images.
        """

        pictures: Literal["needed", "optional"] = "needed"

    modalities: ClassVar[tuple[Modality, ...]] = ("cxr",)
    folders: ClassVar[tuple[str, ...]]

    def spares(self, file: NeededFile) -> bool:
        """True if the data set can be read without a file; images may be optional."""
        return super().spares(file) or (self.without_pictures and self._is_pictures(file))

    def instead_of(self, file: NeededFile) -> str:
        """Remedy for missing images: labels and texts can be read without them."""
        spared = not self.without_pictures and self._is_pictures(file)
        return "read labels and texts alone: --set pictures=optional" if spared else ""

    def pictures(self, root: Path) -> Pictures:
        """The images in the data set's folders."""
        there = [place.name for name in self.folders for place in sorted(root.glob(name))]
        return Pictures(root, there)

    def gathered(
        self, table: str, image_rows: Iterable[ImageRow]
    ) -> tuple[dict[str, list[ImageRow]], list[Rejected]]:
        """Image rows by study in the order of the table, and rejected rows.

        Args:
            table: Name of the table, for rejected rows.
            image_rows: Its rows.

        Raises:
            InputError: If a study belongs to two patients.
        """
        found: dict[str, list[ImageRow]] = {}
        rejected = []
        for image_row in image_rows:
            if image_row.path is None and not self.without_pictures:
                rejected.append(Rejected(table, image_row.row, "picture not found", image_row.name))
                continue
            members = found.setdefault(image_row.study, [])
            if members and members[0].patient != image_row.patient:
                raise InputError(
                    f"{table}: study {image_row.study} is of two patients in rows {members[0].row} "
                    f"and {image_row.row}",
                    "give each study one patient",
                )
            members.append(image_row)
        return found, rejected

    def _is_pictures(self, file: NeededFile) -> bool:
        return file.path == "|".join(self.folders)

    @property
    def without_pictures(self) -> bool:
        """True if a study may have no image."""
        return getattr(self.options, "pictures", "needed") == "optional"


def images(image_rows: Iterable[ImageRow], modality: Modality = "cxr") -> tuple[StudyImage, ...]:
    """The images of a study whose files exist."""
    return tuple(StudyImage(s.path, modality, s.view) for s in image_rows if s.path is not None)
