"""Reading of DICOM images as grey arrays in [0, 1]: rescaled, windowed, air dark.

- MONOCHROME1 is inverted. RGB, YBR and palette images become luma.
- Modality LUT, or rescale slope and intercept (1 and 0 where missing); then the VOI LUT, or the
  first window with a width above 0, by its function (LINEAR, LINEAR_EXACT, SIGMOID).
- Without a window CT is shown in the lung window and 8-bit images by the largest value of their
  bits; elsewhere the frame's own lowest and highest value span [0, 1]. A window asked for by name
  is taken for CT alone.
- Pixels with the padding value, or in its range, are black and take no part in that.
- Bits beyond those stored (old overlays) and overlay planes are never shown.
- Ultrasound is cut to its largest region of tissue: what is written around it is not read.
- Frames with positions (enhanced CT) are sorted by them; others keep their order. Films (MPEG,
  H.264, HEVC) are decoded like other clips.
- A file without preamble is read where its first bytes are a DICOM element; a missing transfer
  syntax is taken as it was parsed (implicit or explicit little endian).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels import apply_color_lut

from encoders.reading.dicom_display import (
    PALETTE,
    display_of,
    grouped,
    is_ct,
    rescaled,
    warnings_of,
    windowed,
)
from encoders.reading.dicom_header import (
    MODALITIES,
    PIXELS,
    first,
    get,
    numbers,
    parse,
    sequence,
    text,
    whole,
)
from encoders.reading.dicom_pixels import decode
from encoders.reading.frames import Clip
from encoders.reading.geometry import Placed, put_in_order
from encoders.reading.limits import MIN_SIDE, Grey, check_file, check_parts, check_size
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About
from encoders.reading.windowing import window_named

FILMS: dict[str, str] = {
    **{f"1.2.840.10008.1.2.4.{number}": "mpegvideo" for number in ("100", "100.1", "101", "101.1")},
    **{
        f"1.2.840.10008.1.2.4.{number}{ending}": "h264"
        for number in range(102, 107)
        for ending in ("", ".1")
    },
    **{f"1.2.840.10008.1.2.4.{number}": "hevc" for number in (107, 108)},
}
"""Transfer syntaxes whose frames are one film, with its decoder for films without container."""


class DicomFile:
    """One DICOM file of one or more frames.

    Args:
        path: The file.

    Raises:
        RejectedImage: If it holds no image, or one too large or too small.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        self.path = path
        self.header = parse(path)
        check_size(path, whole(self.header, "Columns"), whole(self.header, "Rows"))
        if not any(field in self.header for field in PIXELS):
            raise RejectedImage(path, "truncated", "no pixel data")
        self._windows = self.header
        self._film = self._opened_film()
        if self._film is not None:
            notes = warnings_of(self.header, frames=0)
            self._frames = tuple(range(self._film.about.parts))
        else:
            count = check_parts(path, max(whole(self.header, "NumberOfFrames"), 1))
            ordered = put_in_order([placed_frame(self.header, at) for at in range(count)])
            sorts = count > 1 and ordered.step is not None
            self._frames = ordered.places if sorts else tuple(range(count))
            notes = [*warnings_of(self.header, count), *(ordered.notes if sorts else ())]
        self.about = About(
            len(self._frames),
            MODALITIES.get(text(self.header, "Modality").upper()),
            spacing_of(self.header),
            tuple(notes),
        )

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Frames in order; see `Stack.read`."""
        if self._film is not None:
            for grey in self._film.read(parts, target=target):
                yield cut_to_region(self.header, grey)
            return
        for part in parts:
            yield self._shown(self._frames[part], window, target)

    def show_like(self, header: Dataset) -> None:
        """Show frames in the window of another header of the series."""
        self._windows = header

    def _shown(self, frame: int, window: str, target: int | None) -> Grey:
        may_shrink = _shown_by_header_alone(self.header, self._windows, frame)
        stored = decode(self.path, self.header, frame, target if may_shrink else None)
        if not stored.any():
            raise RejectedImage(self.path, "blank_after_decode")
        return show(self.header, stored, frame=frame, window=window, like=self._windows)

    def _opened_film(self) -> Clip | None:
        codec = FILMS.get(self.header.file_meta.TransferSyntaxUID)
        if codec is None:
            return None
        stream = b"".join(generate_frames(self.header.PixelData, number_of_frames=1))
        return Clip(self.path, stream, bare=codec)


def show(
    header: Dataset,
    stored: np.ndarray,
    *,
    frame: int = 0,
    window: str = "",
    like: Dataset | None = None,
) -> Grey:
    """A frame as stored `[H, W]` or `[H, W, 3]`, as grey in [0, 1].

    Args:
        header: Its header.
        stored: Values as decoded.
        frame: Its place in the file, for values that are stated frame by frame.
        window: Name of a CT window; empty = the file's own.
        like: Header whose window is taken in its place.
    """
    if text(header, "PhotometricInterpretation") == PALETTE:
        stored = apply_color_lut(stored, header)
    if stored.ndim == 3:
        return cut_to_region(header, _luma(header, stored))
    padding = _padding(header, stored)
    values = rescaled(header, stored, frame)
    if window and is_ct(header):
        grey = window_named(window).apply(values)
    else:
        grey = windowed(header if like is None else like, values, padding, frame)
    if text(header, "PhotometricInterpretation") == "MONOCHROME1":
        grey = np.float32(1) - grey
    if padding is not None:
        grey[padding] = 0
    return cut_to_region(header, grey)


def placed_frame(header: Dataset, frame: int) -> Placed:
    """Position of a frame: by its own groups of fields, else by the file's."""
    position = numbers(grouped(header, "PlanePositionSequence", frame), "ImagePositionPatient", 3)
    turned = grouped(header, "PlaneOrientationSequence", frame)
    return Placed(position, numbers(turned, "ImageOrientationPatient", 6))


def spacing_of(header: Dataset) -> tuple[float, float] | None:
    """Millimetres from pixel to pixel, down and across."""
    region = _region(header)
    if region is not None and whole(region, "PhysicalUnitsXDirection") == 3:
        across, down = first(region, "PhysicalDeltaX"), first(region, "PhysicalDeltaY")
        if across and down:
            return abs(down) * 10, abs(across) * 10
    measures = grouped(header, "PixelMeasuresSequence", 0)
    found = numbers(measures, "PixelSpacing", 2) or numbers(header, "ImagerPixelSpacing", 2)
    return (found[0], found[1]) if found else None


def cut_to_region(header: Dataset, grey: Grey) -> Grey:
    """The largest region of tissue of an ultrasound image, or the whole image."""
    region = _region(header)
    if region is None:
        return grey
    left, top, right, bottom = _corners(region)
    return np.ascontiguousarray(grey[top : bottom + 1, left : right + 1])


def _region(header: Dataset) -> Dataset | None:
    """The largest two-dimensional region of tissue that lies in the image, if it can be seen."""
    height, width = whole(header, "Rows"), whole(header, "Columns")
    best, size = None, 0
    for region in sequence(header, "SequenceOfUltrasoundRegions"):
        left, top, right, bottom = _corners(region)
        inside = 0 <= left < right < width and 0 <= top < bottom < height
        area = (right - left) * (bottom - top)
        tissue = whole(region, "RegionSpatialFormat") == 1 and whole(region, "RegionDataType") < 3
        seen = min(right - left, bottom - top) + 1 >= MIN_SIDE
        if inside and tissue and seen and area > size:
            best, size = region, area
    return best


def _corners(region: Dataset) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel, both ends included."""
    names = ("MinX0", "MinY0", "MaxX1", "MaxY1")
    left, top, right, bottom = (whole(region, f"RegionLocation{name}") for name in names)
    return left, top, right, bottom


def _luma(header: Dataset, frame: np.ndarray) -> Grey:
    """Luma in [0, 1] of an image `[H, W, 3]`."""
    if frame.dtype == np.uint8:
        luma = np.asarray(Image.fromarray(frame, "RGB").convert("L"))
        return luma.astype(np.float32) / np.float32(255)
    palette = text(header, "PhotometricInterpretation") == PALETTE
    bits = frame.dtype.itemsize * 8 if palette else whole(header, "BitsStored")
    weights = np.array([0.299, 0.587, 0.114]) / (2**bits - 1)
    deep: Grey = (frame @ weights).astype(np.float32)
    return deep


def _shown_by_header_alone(header: Dataset, windows: Dataset, frame: int) -> bool:
    """True if a smaller frame is shown like the whole: without a range or position of its own."""
    if _region(header) is not None or get(header, "PixelPaddingValue") is not None:
        return False
    return display_of(windows, frame).span != "range"


def _padding(header: Dataset, frame: np.ndarray) -> np.ndarray | None:
    value = get(header, "PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = get(header, "PixelPaddingRangeLimit")
    low, high = sorted((value, limit if isinstance(limit, int) else value))
    mask: np.ndarray = (frame >= low) & (frame <= high)
    return mask if mask.any() else None
