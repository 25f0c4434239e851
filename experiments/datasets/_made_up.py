"""Writing made-up copies of published layouts: tables, DICOM files and clips of noise."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a comma-separated table, compressed if its name ends in `.gz`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = path.suffix == ".gz"
    with (
        gzip.open(path, "wt", encoding="utf-8", newline="")
        if packed
        else path.open("w", encoding="utf-8", newline="")
    ) as lines:
        writer = csv.writer(lines)
        writer.writerow(header)
        writer.writerows(rows)


def draw_dicom(path: Path, rng: np.random.Generator, *, bright: bool = False) -> None:
    """Write a made-up radiograph of 64 x 48 pixels as DICOM, with a bright patch if `bright`."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    pixels = rng.integers(400, 1200, (48, 64), dtype=np.uint16)
    if bright:
        pixels[16:32, 20:44] = 2200
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = f"2.25.{int(rng.integers(2**62))}"
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    made.Modality, made.PhotometricInterpretation = "DX", "MONOCHROME2"
    made.Rows, made.Columns, made.SamplesPerPixel = 48, 64, 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = pixels.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)


def draw_clip(path: Path, rng: np.random.Generator, *, bright: bool = False) -> None:
    """Write a made-up clip of six frames of 64 x 48 pixels, with a bright patch if `bright`."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(6):
            pixels = rng.integers(40, 120, (48, 64), dtype=np.uint8)
            if bright:
                pixels[16:32, 20:44] = 220
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray")))
        output.mux(stream.encode())
