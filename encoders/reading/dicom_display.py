"""Display of DICOM frames: conversion of stored values to grey, with notes.

Image and note come from one decision, so that they cannot differ.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi

from encoders.reading.dicom_header import first, numbers, sequence, text, whole
from encoders.reading.limits import Grey
from encoders.reading.windowing import WINDOWS, Function, Window, spread

PALETTE = "PALETTE COLOR"
"""Photometric interpretation of images whose values are places in a table of colours."""

_STANDS_IN = {
    "lung": "it is shown in the lung window",
    "bits": "it is shown from 0 to the largest value of its bits",
    "range": "its own range of values is shown",
}
"""Note on a file without a window, by the displayed span."""


class Display(NamedTuple):
    """The span of values a frame is shown in.

    Args:
        span: `table`: that of its VOI table; `window`: its own window; `lung`: the lung window of
            CT; `bits`: from 0 to the largest value of its bits; `range`: its lowest to its highest
            value.
        window: The window, for `window` and `lung`.
        note: Default in place of a missing value of the file; empty = none.
    """

    span: Literal["table", "window", "lung", "bits", "range"]
    window: Window | None = None
    note: str = ""


class Rescale(NamedTuple):
    """Linear map from stored values to physical ones (HU for CT), and a note."""

    slope: float = 1
    intercept: float = 0
    note: str = ""


def display_of(header: Dataset, frame: int = 0) -> Display:
    """Display of a grey frame of a file."""
    if sequence(header, "VOILUTSequence"):
        return Display("table")
    windows = _windows(header, frame)
    usable = [place for place, window in enumerate(windows) if window.width > 0]
    if usable:
        which = "the first of its windows" + (" that has a width" if usable[0] else "")
        note = f"{which} is shown (WindowWidth)" if len(windows) > 1 else ""
        return Display("window", windows[usable[0]], note)
    why = "its window has no width and is ignored" if windows else "it has no window"
    if is_ct(header):
        return Display("lung", WINDOWS["lung"], f"{why}: {_STANDS_IN['lung']} (WindowWidth)")
    span: Literal["bits", "range"] = "bits" if _few_bits(header, frame) else "range"
    return Display(span, None, f"{why}: {_STANDS_IN[span]} (WindowWidth)")


def warnings_of(header: Dataset, frames: int = 1) -> list[str]:
    """Warnings about a header, and defaults for its missing values, each once.

    Args:
        header: The header.
        frames: Number of decoded frames; 0 for a film, whose values take no window.
    """
    found = []
    if text(header, "BurnedInAnnotation").upper() == "YES":
        found.append("text is burned into the pixels (BurnedInAnnotation)")
    palette = text(header, "PhotometricInterpretation") == PALETTE
    if whole(header, "SamplesPerPixel") < 2 and not palette:
        differ = "PerFrameFunctionalGroupsSequence" in header
        for frame in range(frames if differ else min(frames, 1)):
            found += [display_of(header, frame).note, rescale_of(header, frame).note]
    return [note for note in dict.fromkeys(found) if note]


def windowed(
    header: Dataset, values: np.ndarray, padding: np.ndarray | None = None, frame: int = 0
) -> Grey:
    """Values as grey in [0, 1], in the span `display_of` names.

    Args:
        header: Header that states the window.
        values: Values after `rescaled`.
        padding: Pixels that take no part in the range of values.
        frame: Place of the frame.
    """
    display = display_of(header, frame)
    if display.window is not None:
        return display.window.apply(values)
    if display.span == "table":
        shown = apply_voi(np.round(values).astype(np.int32), header)
        return spread(shown, 0, 2 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    if display.span == "bits":
        return spread(values, 0, 2 ** whole(header, "BitsStored") - 1)
    seen = values if padding is None else values[~padding]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    return spread(values, low, high)


def rescale_of(header: Dataset, frame: int = 0) -> Rescale:
    """Slope and intercept of a frame; 1 and 0 where missing, a slope of 0 counting as missing."""
    if sequence(header, "ModalityLUTSequence"):
        return Rescale()
    group = grouped(header, "PixelValueTransformationSequence", frame)
    slope, intercept = first(group, "RescaleSlope"), first(group, "RescaleIntercept")
    note = ""
    if slope == 0 or (is_ct(header) and slope is None):
        note = f"slope 1, intercept {intercept or 0:g} (RescaleSlope)"
        note = f"values are taken {'with' if intercept else 'as stored:'} {note}"
    elif is_ct(header) and intercept is None:
        note = "values are taken with intercept 0 (RescaleIntercept)"
    return Rescale(slope or 1, intercept or 0, note)


def rescaled(header: Dataset, stored: np.ndarray, frame: int) -> np.ndarray:
    """Values after the modality's table, or slope and intercept; as stored where neither is."""
    if sequence(header, "ModalityLUTSequence"):
        table: np.ndarray = apply_modality_lut(stored, header)
        return table
    slope, intercept, _ = rescale_of(header, frame)
    if (slope, intercept) == (1, 0):
        return stored
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def is_ct(header: Dataset) -> bool:
    """True if a file is CT, the one modality with named windows."""
    return text(header, "Modality").upper() == "CT"


def grouped(header: Dataset, group: str, frame: int) -> Dataset:
    """Fields of a frame in a functional group: its own, else those shared, else the file's."""
    own = sequence(header, "PerFrameFunctionalGroupsSequence")[frame : frame + 1]
    for place in (*own, *sequence(header, "SharedFunctionalGroupsSequence")[:1]):
        found = sequence(place, group)
        if found:
            return found[0]
    return header


def _windows(header: Dataset, frame: int) -> list[Window]:
    """The windows a file states for a frame, those without a width among them."""
    group = grouped(header, "FrameVOILUTSequence", frame)
    centres = numbers(group, "WindowCenter") or ()
    widths = numbers(group, "WindowWidth") or ()
    kinds: dict[str, Function] = {"SIGMOID": "SIGMOID", "LINEAR_EXACT": "LINEAR_EXACT"}
    function = kinds.get(text(group, "VOILUTFunction").upper(), "LINEAR")
    return [Window(*pair, function) for pair in zip(centres, widths, strict=False)]


def _few_bits(header: Dataset, frame: int) -> bool:
    """True if values are whole numbers of at most 8 bits, from 0, as in a PNG."""
    if sequence(header, "ModalityLUTSequence") or rescale_of(header, frame)[:2] != (1, 0):
        return False
    floats, signed = whole(header, "BitsAllocated") > 16, whole(header, "PixelRepresentation")
    return 0 < whole(header, "BitsStored") <= 8 and not floats and not signed
