"""Reading of any image, volume, series or clip as grey arrays in [0, 1].

Where colours are asked for they are kept of slides, and of stills other than DICOM; all else is
the grey image three times.

The kind of a file is told by its content, never by its ending. A still image has one part; a
volume, a folder of slices, a clip, a scanned slide or a DICOM file of several frames has many, and
which of them are shown is said in `places.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from encoders.reading.kinds import Kind, kind_of
from encoders.reading.limits import Grey, check_content, check_file
from encoders.reading.raster import raster_shape, read_raster
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About, Stack
from encoders.reading.tiles import Tile
from encoders.reading.values import in_colour
from kg.errors import KgdxError

READING = "4"
"""Version of the reading code; change it when the same file gives other pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Reference to one image of a file.

    Args:
        path: A file, or a folder of DICOM slices.
        part: Place of the slice or frame in it; None = the one in the middle.
        tile: Tile of it; None = all of it.
    """

    path: Path
    part: int | None = None
    tile: Tile | None = None


def look(path: Path | str) -> About:
    """Content of a file or folder, by its headers.

    Raises:
        RejectedImage: If it cannot be read; see `rejected.py`.
    """
    file = Path(path)
    with _guarded(file):
        check_file(file)
        kind = kind_of(file)
        return About() if kind == "raster" else _open(file, kind).about


def shape_of(path: Path | str, part: int | None = None) -> tuple[int, int]:
    """Height and width of an image as it is shown; of a still its header tells.

    Args:
        path: A file, or a folder of DICOM slices.
        part: Place of the slice or frame; None = the one in the middle.

    Raises:
        RejectedImage: If it cannot be read; see `rejected.py`.
    """
    file = Path(path)
    with _guarded(file):
        check_file(file)
        if kind_of(file) == "raster":
            return raster_shape(file)
    height, width = read_picture(file, part=part).shape
    return height, width


def read_picture(
    path: Path | str, *, part: int | None = None, target: int | None = None, window: str = ""
) -> Grey:
    """Read one image.

    Args:
        path: A file, or a folder of DICOM slices.
        part: Place of the slice or frame; None = the one in the middle.
        target: Side in pixels it will be resized to; what allows it is then decoded smaller, both
            sides staying at least `target`. None reads every pixel.
        window: Name of a CT window in HU; empty = the file's own, or the lung window.

    Returns:
        Grey values `[H, W]` in [0, 1].

    Raises:
        RejectedImage: With a reason code, if it cannot be read; see `rejected.py`.
    """
    (grey,) = read_parts(path, [part], target=target, window=window)
    return grey


def read_parts(
    path: Path | str,
    parts: Sequence[int | None],
    *,
    target: int | None = None,
    window: str = "",
    colour: bool = False,
) -> Iterator[Grey]:
    """Slices or frames of one file, opened once; see `read_picture`.

    A slice without anything on it is an image, a file of nothing else is not.

    Args:
        path: A file, or a folder of DICOM slices.
        parts: Their places, ascending; None = the one in the middle.
        target: Side in pixels they will be resized to.
        window: Name of a CT window.
        colour: Give red, green and blue `[3, H, W]`.
    """
    file = Path(path)
    with _guarded(file):
        check_file(file)
        kind = kind_of(file)
        if kind == "raster" or (colour and kind == "animation" and look(file).parts == 1):
            if any(parts):
                raise RejectedImage(file, "truncated", "it is one picture")
            shown = read_raster(file, target=target, colour=colour, window=window)
            yield from (shown for _ in parts)
            return
        for grey in _read_stack(_open(file, kind, colour=colour), file, parts, target, window):
            yield in_colour(grey) if colour and grey.ndim == 2 else grey


def _read_stack(
    stack: Stack, file: Path, parts: Sequence[int | None], target: int | None, window: str
) -> Iterator[Grey]:
    """Slices or frames that are there, each of numbers, not all of them blank."""
    places = [stack.about.parts // 2 if part is None else part for part in parts]
    if any(not 0 <= place < stack.about.parts for place in places):
        raise RejectedImage(file, "truncated", f"it has {stack.about.parts} slices or frames")
    shows, grey = not places, np.zeros((0, 0), np.float32)
    for grey in stack.read(places, target=target, window=window):
        low, high = float(grey.min()), float(grey.max())
        if not (np.isfinite(low) and np.isfinite(high)):
            raise RejectedImage(file, "degenerate")
        shows = shows or low != high
        yield grey
    if not shows:
        check_content(file, grey)


def _open(path: Path, kind: Kind, *, colour: bool = False) -> Stack:
    """A reader of slices or frames; each library comes in with the first file that needs it."""
    if kind == "dicom":
        from encoders.reading.dicom import DicomFile

        return DicomFile(path)
    if kind == "series":
        from encoders.reading.series import Series

        return Series(path)
    if kind == "volume":
        from encoders.reading.volume import Volume

        return Volume(path)
    if kind == "clip":
        from encoders.reading.frames import Clip

        return Clip(path)
    if kind == "contours":
        from encoders.reading.contours import Contours

        return Contours(path)
    if kind == "slide":
        from encoders.reading.slide import Slide

        return Slide(path, colour=colour)
    from encoders.reading.animation import Animation

    return Animation(path)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn any failure of a library on a broken file into a rejection of that file."""
    try:
        yield
    except (KgdxError, ImportError):
        raise
    except OSError as error:
        raise RejectedImage(path, "not_readable", error.strerror or "") from None
    except Exception as error:  # its text may quote the file
        raise RejectedImage(path, "damaged", type(error).__name__) from None
