"""Doors: how a user hands in a file of each kind, and what may come of it."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from fuzzing.process import Kind

Door = Callable[[Path], tuple[Kind, str]]

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]")
_BROKEN = ("Traceback (most recent", "panicked at", "a bug in kgdx", "RecursionError")
_ANSWERS, _REFUSALS = (0,), (1, 2, 3)

ALIKE = 0.02
"""Mean difference of grey values up to which two pictures show the same."""

REDUCED = 0.3
"""Difference of a cell between a picture and the same one decoded smaller; that much comes of
damaged colours, which are cut to what a screen can show before they are grey, or not at all."""


def command(*words: str, lines: int = 0) -> Door:
    """The door of a command line.

    Args:
        words: The command; `FILE` is the path of the file.
        lines: Lines it prints on standard error for a sound file; more of them are a note.
    """

    def read(path: Path) -> tuple[Kind, str]:
        code, _, said = spoken(path, words)
        broken = next((one for one in _BROKEN if one in said), "")
        if code not in (*_ANSWERS, *_REFUSALS) or broken:
            return "failing", f"{' '.join(words)} ended with {code}\n{said[-3000:]}"
        if hidden := _UNSEEN.search(said):
            return "failing", f"prints {hidden[0]!r} on the terminal"
        if code in _REFUSALS:
            if not said.strip():
                return "failing", f"ended with {code} and without a word"
            return "refused", f"{code}: {said.strip().splitlines()[0][:200]}"
        return ("noted", said.strip()[-200:]) if lines_of(said) > lines else ("read", "")

    return read


def spoken(path: Path, words: tuple[str, ...]) -> tuple[int, str, str]:
    """Exit code of a command run in this process, and what it printed on both streams."""
    from experiments.cli.main import main

    os.chdir(path.parent)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = [os.dup(1), os.dup(2)]
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            code = main([str(path) if word == "FILE" else word for word in words])
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, former in enumerate(kept, start=1):
                os.dup2(former, number)
                os.close(former)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", errors="replace"))
    return code, texts[0], texts[1]


def lines_of(said: str) -> int:
    """Remarks on standard error: lines, and counts within a line."""
    return len(re.split(r"[\n,]", said.strip())) if said.strip() else 0


def picture(sound: Path | None) -> Door:
    """The door of image files.

    Args:
        sound: The file that this one was made from, where it must show the same or be refused:
            it was cut off, or its checksums do not fit.
    """

    def read(path: Path) -> tuple[Kind, str]:
        from encoders.reading.picture import look, read_picture, shape_of
        from encoders.reading.rejected import RejectedImage

        try:
            about = look(path)
            grey = read_picture(path)
        except RejectedImage as error:
            kind: Kind = "failing" if "MemoryError" in error.detail else "refused"
            unforeseen = error.detail if error.detail.isidentifier() else ""
            return kind, f"{error.reason} {unforeseen}".strip()
        try:
            shape, small, colour = shape_of(path), read_picture(path, target=16), _colour(path)
        except RejectedImage as error:
            return "failing", f"read, but not in another size or in colour: {error.message}"
        with suppress(RejectedImage):  # the other slices or frames may be damaged
            read_picture(path, part=about.parts - 1)
        wrong = _wrong(grey, small, colour, shape)
        if sound is not None and not about.notes and not wrong:
            wrong = _other(grey, read_picture(sound))
        if wrong:
            return "failing", wrong
        return ("noted", about.notes[0]) if about.notes else ("read", "")

    return read


def _colour(path: Path) -> np.ndarray:
    from encoders.reading.picture import read_parts

    (colour,) = read_parts(path, [None], colour=True)
    return colour


def _wrong(grey: np.ndarray, small: np.ndarray, colour: np.ndarray, shape: tuple[int, int]) -> str:
    """What is impossible about a picture that was accepted."""
    if grey.ndim != 2 or grey.shape != shape or colour.shape != (3, *shape):
        return f"shapes {grey.shape}, {colour.shape}, by its header {shape}"
    for each in (grey, small, colour):
        if not np.isfinite(each).all() or each.min() < 0 or each.max() > 1:
            return "values that are no grey"
    if _apart(_cells(grey), _cells(small)) > REDUCED:
        return f"reduced it shows another picture ({_apart(_cells(grey), _cells(small)):.2f})"
    return ""


def _other(grey: np.ndarray, sound: np.ndarray) -> str:
    """How a picture differs from the one that it must show."""
    if grey.shape != sound.shape:
        return f"silently of another shape: {grey.shape}"
    apart = float(np.abs(grey - sound).mean())
    return f"silently another picture ({apart:.2f})" if apart > ALIKE else ""


def _cells(grey: np.ndarray) -> np.ndarray:
    """Mean grey of a grid of 3 by 3 cells."""
    rows = np.array_split(grey, 3)
    return np.array([[cell.mean() for cell in np.array_split(row, 3, axis=1)] for row in rows])


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max())
