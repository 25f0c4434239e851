"""Read one DICOM picture as a grey array in [0, 1]: rescaled, windowed, dark where X-rays pass.

Only the fields that describe pixels are ever parsed; a patient's name or number is not read from
the file at all, so none can reach a message, a log or a report.

- MONOCHROME1 is inverted. RGB, YBR and palette pictures become luma.
- Rescale slope and intercept (1 and 0 where missing), then the first window with a width above 0.
- Without a window the frame's own lowest and highest value span [0, 1].
- Pixels with the padding value are black and take no part in that.
- Of several frames the first is read.
- A file without preamble is read where its first bytes are a DICOM element; a missing transfer
  syntax is taken as it was parsed (implicit or explicit little endian).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, get_decoder, pixel_array
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from encoders.reading.limits import Grey, check_content, check_file, check_size
from encoders.reading.rejected import Reason, RejectedImage

PIXEL_FIELDS = (
    "SOPClassUID",
    "Modality",
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
    "WindowCenter",
    "WindowWidth",
    "RescaleSlope",
    "RescaleIntercept",
    "PixelData",
    "FloatPixelData",
    "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData",
    "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)
"""The only fields that are parsed."""

_NATIVE = tuple(f"1.2.840.10008.1.2{ending}" for ending in ("", ".1", ".2", ".1.99"))
"""Transfer syntaxes without compression."""


def read_dicom(path: Path) -> Grey:
    """Read the first frame of a DICOM file.

    Returns:
        Grey values `[H, W]` in [0, 1].

    Raises:
        RejectedImage: If it holds no picture, is cut off, needs a decoder that is not installed,
            decodes to nothing but zeros, or is too large, too small or constant.
    """
    check_file(path)
    header = _parse(path)
    rows, columns = _whole(header, "Rows"), _whole(header, "Columns")
    if not rows or not columns:
        raise RejectedImage(path, "not_an_image", "no rows and columns")
    if "PixelData" not in header:
        raise RejectedImage(path, "truncated", "no pixel data")
    check_size(path, columns, rows)
    frame = _decode(path, header)
    if not frame.any():
        raise RejectedImage(path, "blank_after_decode")
    grey = _colour(header, frame) if frame.ndim == 3 else _monochrome(header, frame)
    return check_content(path, grey)


def _parse(path: Path) -> Dataset:
    """The pixel fields of a file, or a rejection that quotes nothing of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, force=True, specific_tags=list(PIXEL_FIELDS))
    except Exception:  # any parser failure; its text may quote patient fields
        raise RejectedImage(path, "damaged", "not readable as DICOM") from None
    if "TransferSyntaxUID" not in getattr(header, "file_meta", FileMetaDataset()):
        implicit = header.original_encoding[0]
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = (
            ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
        )
    return header


def _decode(path: Path, header: Dataset) -> np.ndarray:
    """First frame as stored: `[H, W]`, or `[H, W, 3]` for colour."""
    syntax = header.file_meta.TransferSyntaxUID
    try:
        plugins = get_decoder(syntax).available_plugins
    except NotImplementedError:
        plugins = ()
    if not plugins and syntax not in _NATIVE:
        raise RejectedImage(
            path, "needs_decoder", syntax.name, f"install a pydicom plugin for {syntax.name}"
        )
    # Pillow refuses 12-bit JPEG and pydicom then logs a traceback, so pylibjpeg goes first
    for plugin in ("pylibjpeg", "") if "pylibjpeg" in plugins else ("",):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frame: np.ndarray = pixel_array(header, index=0, decoding_plugin=plugin)
        except Exception:  # noqa: PERF203 - decoders raise whatever they like, and it is not shown
            continue
        return frame
    raise RejectedImage(path, _broken(header), syntax.name)


def _broken(header: Dataset) -> Reason:
    """Whether a frame that did not decode is cut off or wrong in another way."""
    bits = _whole(header, "BitsAllocated") * (_whole(header, "SamplesPerPixel") or 1)
    wanted = _whole(header, "Rows") * _whole(header, "Columns") * bits // 8
    native = header.file_meta.TransferSyntaxUID in _NATIVE
    return "truncated" if native and len(header.PixelData) < wanted else "damaged"


def _colour(header: Dataset, frame: np.ndarray) -> Grey:
    if frame.dtype != np.uint8:
        frame = (frame / (np.iinfo(frame.dtype).max / 255)).astype(np.uint8)
    luma = np.asarray(Image.fromarray(frame, "RGB").convert("L"))
    return luma.astype(np.float32) / np.float32(255)


def _monochrome(header: Dataset, frame: np.ndarray) -> Grey:
    """Rescale, window and, for MONOCHROME1, invert."""
    kind = str(header.get("PhotometricInterpretation", "MONOCHROME2"))
    if kind == "PALETTE COLOR":
        return _colour(header, apply_color_lut(frame, header))
    padding = _padding(header, frame)
    values = frame.astype(np.float32) * _first(header, "RescaleSlope", 1.0)
    values += _first(header, "RescaleIntercept", 0.0)
    low, high = _window(header) or _span(values, padding)
    grey: Grey = np.clip((values - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    if kind == "MONOCHROME1":
        grey = np.float32(1) - grey
    if padding is not None:
        grey[padding] = 0
    return grey


def _window(header: Dataset) -> tuple[float, float] | None:
    """Lowest and highest value shown by the first window, or None without a usable one."""
    width = _first(header, "WindowWidth", 0.0)
    centre = _first(header, "WindowCenter", np.nan)
    if width <= 0 or not np.isfinite(centre):
        return None
    # the standard's linear function: the window spans width - 1 steps around centre - 0.5
    half = max(width - 1, 1e-3) / 2
    return centre - 0.5 - half, centre - 0.5 + half


def _span(values: Grey, padding: np.ndarray | None) -> tuple[float, float]:
    shown = values if padding is None else values[~padding]
    return (float(shown.min()), float(shown.max())) if shown.size else (0.0, 0.0)


def _padding(header: Dataset, frame: np.ndarray) -> np.ndarray | None:
    value = header.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    mask: np.ndarray = frame == value
    return mask if mask.any() else None


def _first(header: Dataset, field: str, default: float) -> float:
    """The (first) number in a field, or the default where it is missing or no number."""
    value = header.get(field)
    if value is None or isinstance(value, str):
        return default
    try:
        return float(value[0] if hasattr(value, "__len__") else value)
    except (TypeError, ValueError, IndexError):
        return default


def _whole(header: Dataset, field: str) -> int:
    """A whole number in a field, 0 where it is missing."""
    value = header.get(field)
    return value if isinstance(value, int) else 0
