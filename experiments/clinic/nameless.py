"""Headers of DICOM pictures without their patient: what a report about them needs, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["mark_nameless", "nameless"]

_KEPT = (
    *("SOPClassUID", "Modality", "Rows", "Columns", "NumberOfFrames"),
    *("PatientOrientation", "Laterality"),
)
_REPLACED = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_METHOD = "kgdx: attributes left out, UIDs replaced"


def nameless(header: Dataset) -> Dataset:
    """A header with the geometry of a picture, and identifiers made of its own.

    The identifiers of real pictures often hold dates, and find a patient in an archive. Those made
    of the same ones are the same, so that the objects of a study stay together.

    Args:
        header: Header of the picture.
    """
    from pydicom.dataset import Dataset
    from pydicom.uid import generate_uid

    made = Dataset()
    for name in _KEPT:
        if name in header:
            setattr(made, name, header[name].value)
    for name in _REPLACED:
        if name in header:
            setattr(made, name, generate_uid(entropy_srcs=[str(header[name].value)]))
    return made


def mark_nameless(objects: Sequence[Dataset]) -> None:
    """Say of DICOM objects that they name no patient."""
    for one in objects:
        one.PatientIdentityRemoved = "YES"
        one.DeidentificationMethod = _METHOD
