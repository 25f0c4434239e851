"""Read a folder of DICOM slices (CT, MR, PET) as one stack, sorted by where the slices lie.

Of several series in a folder the longest is read. Scouts, slices of other orientations and further
slices at a place are left out; that, gaps and files that are no slices are said in the notes. All
slices are shown in the window of the one in the middle, so that a stack has one scale; without one
each is shown as `dicom.py` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from encoders.reading.dicom import DicomFile, spacing_of
from encoders.reading.dicom_display import warnings_of
from encoders.reading.dicom_header import MODALITIES, parse, placed, text, whole
from encoders.reading.geometry import put_in_order
from encoders.reading.kinds import kind_of
from encoders.reading.limits import Grey, check_parts
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About

CROSS_SECTIONS = ("CT", "MR", "PT")


class Series:
    """A folder of slices.

    Args:
        folder: The folder; folders in it are not looked into.

    Raises:
        RejectedImage: If it holds no DICOM slice.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise RejectedImage(folder, "missing")
        self.folder = folder
        slices, notes = _longest(folder)
        headers = list(slices.values())
        ordered = put_in_order([placed(header) for header in headers])
        paths = list(slices)
        self.slices = tuple(paths[at] for at in ordered.places)
        check_parts(folder, len(self.slices))
        middle = headers[ordered.places[len(self.slices) // 2]]
        self._middle = middle
        self.about = About(
            len(self.slices),
            MODALITIES.get(text(middle, "Modality").upper()),
            spacing_of(middle),
            (*notes, *ordered.notes, *warnings_of(middle)),
        )

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Slices from feet to head; see `Stack.read`."""
        for part in parts:
            try:
                opened = DicomFile(self.slices[part])
                opened.show_like(self._middle)
                yield next(opened.read([0], target=target, window=window))
            except RejectedImage as error:  # noqa: PERF203 - the folder is what a study names
                detail = f"slice {part + 1} of {len(self.slices)}"
                raise RejectedImage(self.folder, error.reason, detail, error.hint) from None


def cross_section(path: Path) -> bool:
    """True if a file is a single slice of a cross-sectional series."""
    try:
        return kind_of(path) == "dicom" and _is_slice(parse(path, pixels=False))
    except RejectedImage:
        return False


def _is_slice(header: Dataset) -> bool:
    single = whole(header, "NumberOfFrames") < 2
    return single and text(header, "Modality").upper() in CROSS_SECTIONS


def _longest(folder: Path) -> tuple[dict[Path, Dataset], list[str]]:
    """Headers of the slices of the longest series, and what else is in the folder."""
    series: dict[str, dict[Path, Dataset]] = {}
    other = broken = 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_dir():
            continue
        if not path.is_file() or kind_of(path) != "dicom":
            other += 1
            continue
        try:
            header = parse(path, pixels=False)
        except RejectedImage as error:
            broken += error.reason != "not_an_image"
            other += error.reason == "not_an_image"
            continue
        if _is_slice(header):
            series.setdefault(text(header, "SeriesInstanceUID"), {})[path] = header
        else:
            other += 1
    if not series:
        raise RejectedImage(folder, "not_an_image", "no DICOM slice in this folder")
    ordered = sorted(series.values(), key=len, reverse=True)
    notes = [f"files that are no slices left out: {other}"] if other else []
    if broken:
        notes.append(f"files that cannot be read left out: {broken}")
    if len(ordered) > 1:
        lengths = ", ".join(str(len(one)) for one in ordered)
        notes.append(f"{len(ordered)} series ({lengths} slices), the longest is read")
    return ordered[0], notes
