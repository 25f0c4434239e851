"""What adapters share whose published table names pictures: finding them, gathering studies."""

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
class Shot:
    """A row of a published table that names a picture.

    Args:
        study: Study the picture is of.
        patient: Patient the study is of.
        name: The picture as the table names it.
        path: Where it is, relative to the root; None where it is not there.
        view: Projection.
        row: Row in the table as a spreadsheet counts.
        place: Place of the row among those read.
    """

    study: str
    patient: str
    name: str
    path: str | None
    view: View
    row: int
    place: int


class Pictured(Layout):
    """Base of the adapters of tables that name pictures; `folders` are where these may be."""

    class Options(kg.options.Options):
        """Options of a data set with pictures.

        Args:
            pictures: `needed` leaves a study without any picture out; `optional` keeps it, for
                its labels and text, and does not ask for the pictures' folder.
        """

        pictures: Literal["needed", "optional"] = "needed"

    modalities: ClassVar[tuple[Modality, ...]] = ("cxr",)
    folders: ClassVar[tuple[str, ...]]

    def spares(self, file: NeededFile) -> bool:
        """Whether the data set can be read without a file; pictures may be optional."""
        return super().spares(file) or (self.without_pictures and self._is_pictures(file))

    def instead_of(self, file: NeededFile) -> str:
        """Without its pictures a data set still has labels and texts."""
        spared = not self.without_pictures and self._is_pictures(file)
        return "read labels and texts alone: --set pictures=optional" if spared else ""

    def pictures(self, root: Path) -> Pictures:
        """The pictures in the data set's folders."""
        there = [place.name for name in self.folders for place in sorted(root.glob(name))]
        return Pictures(root, there)

    def gathered(
        self, table: str, shots: Iterable[Shot]
    ) -> tuple[dict[str, list[Shot]], list[Rejected]]:
        """Shots by study in the order of the table, and what of it is left out.

        Args:
            table: The table's name, for what is left out.
            shots: Its rows.

        Raises:
            InputError: If a study belongs to two patients.
        """
        found: dict[str, list[Shot]] = {}
        rejected = []
        for shot in shots:
            if shot.path is None and not self.without_pictures:
                rejected.append(Rejected(table, shot.row, "picture not found", shot.name))
                continue
            members = found.setdefault(shot.study, [])
            if members and members[0].patient != shot.patient:
                raise InputError(
                    f"{table}: study {shot.study} is of two patients in rows {members[0].row} "
                    f"and {shot.row}",
                    "give each study one patient",
                )
            members.append(shot)
        return found, rejected

    def _is_pictures(self, file: NeededFile) -> bool:
        return file.path == "|".join(self.folders)

    @property
    def without_pictures(self) -> bool:
        """Whether a study may be without any picture."""
        return getattr(self.options, "pictures", "needed") == "optional"


def images(shots: Iterable[Shot], modality: Modality = "cxr") -> tuple[StudyImage, ...]:
    """The pictures of a study that are there."""
    return tuple(StudyImage(s.path, modality, s.view) for s in shots if s.path is not None)
