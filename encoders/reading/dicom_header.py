"""The fields of a DICOM file that describe pixels; no other field is ever parsed.

A patient's name, number or dates are not read from the file at all, so none can reach a message,
a log or a report.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from encoders.reading.geometry import Placed
from encoders.reading.rejected import RejectedImage
from encoders.study import Modality

PIXEL_FIELDS = (
    "SOPClassUID",
    "Modality",
    "ImageType",
    "BurnedInAnnotation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "PlanarConfiguration",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "ModalityLUTSequence",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
    "FloatPixelData",
    "DoubleFloatPixelData",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "PixelSpacing",
    "ImagerPixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "InstanceNumber",
    "SeriesInstanceUID",
    "SequenceOfUltrasoundRegions",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)
"""The only fields that are parsed. The series' number groups slices and is never shown."""

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

NO_PICTURES = (
    "1.2.840.10008.5.1.4.1.1.11.",  # presentation states
    "1.2.840.10008.5.1.4.1.1.66.",  # segmentations, registrations
    "1.2.840.10008.5.1.4.1.1.88.",  # structured reports
    "1.2.840.10008.5.1.4.1.1.104.",  # documents
    "1.2.840.10008.5.1.4.1.1.481.",  # radiotherapy
    "1.2.840.10008.5.1.4.1.1.9.",  # waveforms
)
"""Prefixes of the classes of objects that are no images, though some hold pixels."""

MODALITIES: dict[str, Modality] = {
    "CT": "ct",
    "US": "ultrasound",
    "CR": "cxr",
    "DX": "cxr",
    "RF": "cxr",
}

INFLATED = 512 << 20
"""A deflated file may grow to this many bytes."""


def parse(path: Path, *, pixels: bool = True) -> Dataset:
    """The pixel fields of a file, or a rejection that quotes nothing of it.

    Args:
        path: The file.
        pixels: True if its pixels are needed; they are read on access.

    Raises:
        RejectedImage: If it cannot be parsed or is no image.
    """
    try:
        # what is inflated in memory cannot be read later
        later = None if check_deflated(path) else 1 << 16
        header = _parsed(path, stop_before_pixels=not pixels, defer_size=later)
        if pixels and not len(header):
            # of a file cut off in compressed pixels pydicom gives nothing at all
            header = _parsed(path, stop_before_pixels=True)
    except RejectedImage:
        raise
    except Exception:  # any parser failure; its text may quote patient fields
        raise RejectedImage(path, "damaged", "not readable as DICOM") from None
    if "TransferSyntaxUID" not in getattr(header, "file_meta", FileMetaDataset()):
        implicit = header.original_encoding[0]
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        )
    kind = text(header, "SOPClassUID")
    if kind.startswith(NO_PICTURES) or kind == "1.2.840.10008.1.3.10":
        raise RejectedImage(path, "not_an_image", "a DICOM object of another kind")
    if not whole(header, "Rows") or not whole(header, "Columns"):
        raise RejectedImage(path, "not_an_image", "no rows and columns")
    return header


def _parsed(path: Path, **how: Any) -> Dataset:
    return pydicom.dcmread(path, force=True, specific_tags=list(PIXEL_FIELDS), **how)


def check_deflated(path: Path) -> bool:
    """True if a file is deflated; one that grows beyond the limit is refused."""
    with path.open("rb") as opened:
        begins = opened.read(4096)
    if DeflatedExplicitVRLittleEndian.encode() not in begins:
        return False
    meta = read_file_meta_info(path)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    grown = 0
    with path.open("rb") as opened:
        opened.seek(144 + int(meta.FileMetaInformationGroupLength))
        while piece := opened.read(1 << 16):
            while piece:
                grown += len(inflater.decompress(piece, 1 << 20))
                piece = inflater.unconsumed_tail
                if grown > INFLATED:
                    raise RejectedImage(path, "too_many_pixels", "deflated")
    return True


def placed(header: Dataset) -> Placed:
    """Position of a slice."""
    return Placed(
        position=numbers(header, "ImagePositionPatient", 3),
        orientation=numbers(header, "ImageOrientationPatient", 6),
        number=number(header, "InstanceNumber"),
        scout="LOCALIZER" in [str(word).upper() for word in sequence(header, "ImageType")],
    )


def number(header: Dataset, field: str) -> int | None:
    """A whole number in a field, None where there is none."""
    value = first(header, field)
    return None if value is None else int(value)


def whole(header: Dataset, field: str) -> int:
    """A whole number in a field, 0 where it is missing."""
    value = get(header, field)
    return value if isinstance(value, int) else 0


def first(header: Dataset, field: str) -> float | None:
    """The first finite number in a field, None where there is none."""
    return next(iter(numbers(header, field) or ()), None)


def numbers(header: Dataset, field: str, count: int = 0) -> tuple[float, ...] | None:
    """Finite numbers in a field; None where it is missing, broken, or not `count` of them."""
    found = []
    for value in sequence(header, field):
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            return None
    if not found or not all(abs(value) < float("inf") for value in found):
        return None
    return tuple(found) if count in (0, len(found)) else None


def sequence(header: Dataset, field: str) -> list[Any]:
    """Values of a field as a list, whether it has none, one or several."""
    value = get(header, field)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)


def text(header: Dataset, field: str) -> str:
    """Text of a field, empty where it is missing."""
    value = get(header, field)
    return value if isinstance(value, str) else ""


def get(header: Dataset, field: str) -> Any:
    """Value of a field; None where it is missing or cannot be parsed."""
    try:
        return header.get(field)
    except Exception:  # a broken value, whose text is not shown
        return None
