"""Image scan: readability, hashes and, on request, resized copies of every image.

The work is spread over processes, and results are written to a journal as they come, so that a
killed preparation is continued. Resized images are written before their lines of the journal.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from encoders.contents import content_hash, members
from encoders.reading.limits import Grey, check_file
from encoders.reading.picture import look, read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import resize, to_square
from experiments.privacy.pseudonyms import is_keyed, pseudonym, sealed, unsealed
from experiments.workers import process_pool
from kg.errors import InputError
from kg.files.json_text import json_of
from kg.progress import Progress

__all__ = ["ScannedImage", "ImageScan", "Recipe", "stamp"]

logger = logging.getLogger(__name__)

JOURNAL = "looked.jsonl"
SMALL = 64
"""Minimum side in pixels at which an image is decoded."""
CHUNK = 8
"""Number of images given to a process at a time."""
TOGETHER = 64
"""Number of images between two writes of the journal."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Recipe of an image scan; images are scanned again under another recipe.

    Args:
        version: Version of the reading code.
        side: Side in pixels of the resized square images; 0 = none are kept.
        view: View recipe of the resized images.
    """

    version: str
    side: int = 0
    view: str = "whole"


@dataclass(frozen=True, slots=True)
class ScannedImage:
    """Scan result of one image.

    Args:
        path: The image, relative to the data set's root.
        size: Bytes of the file.
        changed: Time of the last change of the file in nanoseconds.
        reason: Reason code why it cannot be read; empty = readable.
        sha256: Hash of its bytes; empty where there is no file.
        shape: Difference hash, 256 bits in hex; empty where it cannot be read.
        parts: Number of slices or frames; only stills, which have one, are kept resized.
        row: Row of its resized image; -1 = none is kept.
    """

    path: str
    size: int
    changed: int
    reason: str = ""
    sha256: str = ""
    shape: str = ""
    parts: int = 1
    row: int = -1


class ImageScan:
    """Scan of the images of a data set, continued from an earlier or killed preparation.

    Args:
        root: Folder of the images; nothing is written there.
        folder: Folder of the journal.
        recipe: Recipe of the scan.
        squares: File of the resized images.
    """

    def __init__(self, root: Path, folder: Path, recipe: Recipe, squares: Path) -> None:
        self.root, self.recipe, self.squares = root, recipe, squares
        self.journal = folder / JOURNAL

    def scan(self, paths: Sequence[str], workers: int) -> list[ScannedImage]:
        """Scan images in order; unchanged files are taken from the journal.

        Args:
            paths: Images, each once, relative to the root.
            workers: Number of processes; 1 = this one only.

        Raises:
            InputError: If the journal or the resized images cannot be written.
        """
        known = self._known(set(paths))
        todo = [ScannedImage(path, *stamp(self.root / path)) for path in paths if path not in known]
        if self.recipe.side:
            todo = _with_rows(todo, {look.row for look in known.values()})
        try:
            self._reserve(1 + max((look.row for look in (*known.values(), *todo)), default=-1))
            results = scan_each(_Scanner(self.root, self.recipe, self.squares), todo, workers)
            progress, before = Progress(logger, "image scan", "images"), len(known)
            for some in _batches(results, TOGETHER):
                known |= {look.path: look for look in some}
                self._note(some)
                progress.at(len(known) - before, len(todo))
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"{self.journal.parent} cannot be written: {reason}",
                "free space or choose another folder; the next run continues here",
            ) from None
        return [known[path] for path in paths]

    def _known(self, requested: set[str]) -> dict[str, ScannedImage]:
        """Journal entries of unchanged files; a journal of another recipe is restarted.

        An incomplete last line is from a killed writer and is dropped.
        """
        # names in it are sealed with the key of the environment: one of another key is restarted
        key = {"key": pseudonym("key", self.recipe.version)} if is_keyed() else {}
        first = json.dumps(asdict(self.recipe) | key) + "\n"
        lines: list[str] = []
        if self.journal.is_file():
            lines = self.journal.read_text(encoding="utf-8").splitlines(keepends=True)
        if not lines or lines[0] != first:
            self.journal.write_text(first, encoding="utf-8")
            return {}
        whole = [line for line in lines[1:] if line.endswith("\n")]
        if len(whole) + 1 < len(lines):
            os.truncate(self.journal, sum(len(line.encode()) for line in (first, *whole)))
        entries = {}
        for line in whole:
            values = json_of(line)
            entry = ScannedImage(**values | {"path": unsealed(values["path"])})
            unchanged = (entry.size, entry.changed) == stamp(self.root / entry.path)
            if entry.path in requested and unchanged:
                entries[entry.path] = entry
        return entries

    def _note(self, scanned: Sequence[ScannedImage]) -> None:
        """Write resized images to disk first, then their lines of the journal."""
        if self.recipe.side:
            with self.squares.open("rb") as kept:
                os.fsync(kept.fileno())
        with self.journal.open("a", encoding="utf-8") as lines:
            lines.writelines(
                json.dumps(asdict(look) | {"path": sealed(look.path)}) + "\n" for look in scanned
            )
            lines.flush()
            os.fsync(lines.fileno())

    def _reserve(self, rows: int) -> None:
        """Set the length of the file of resized images; unwritten rows take no space."""
        if self.recipe.side:
            self.squares.parent.mkdir(parents=True, exist_ok=True)
            self.squares.touch()
            os.truncate(self.squares, rows * 2 * self.recipe.side**2)


@dataclass(frozen=True, slots=True)
class _Scanner:
    """Scans one image, in any process."""

    root: Path
    recipe: Recipe
    squares: Path

    def __call__(self, image: ScannedImage) -> ScannedImage:
        path = self.root / image.path
        if not image.changed:
            return _with(image, reason="missing", row=-1)
        digest = ""
        try:
            check_file(path)
            digest = content_hash(path)
            parts = look(path).parts
            grey = read_picture(path, target=max(SMALL, self.recipe.side))
        except RejectedImage as error:
            return _with(image, reason=error.reason, sha256=digest, row=-1)
        kept = self.recipe.side and parts == 1
        if kept:
            self._keep(image.row, to_square(grey, self.recipe.side, self.recipe.view))

        row = image.row if kept else -1
        return _with(image, sha256=digest, shape=difference_hash(grey), parts=parts, row=row)

    def _keep(self, row: int, square: Grey) -> None:
        content = square.astype(np.float16).tobytes()
        with self.squares.open("r+b") as kept:
            kept.seek(row * len(content))
            kept.write(content)


def difference_hash(grey: Grey) -> str:
    """Difference hash, 256 bits in hex: whether each of 16 x 16 cells is darker than the next.

    Images saved again, scaled or lightly changed differ in a few bits; see `duplicates.py`.
    """
    cells = resize(grey, 17, 16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def _with(image: ScannedImage, **values: object) -> ScannedImage:
    return ScannedImage(**(asdict(image) | values))


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change of an image over all its files; zeros if missing."""
    try:
        stats = [member.stat() for member in members(path)]
    except OSError:
        return 0, 0
    return sum(one.st_size for one in stats), max((one.st_mtime_ns for one in stats), default=0)


def _with_rows(todo: Sequence[ScannedImage], taken: set[int]) -> list[ScannedImage]:
    """Entries with the first free rows, in order."""
    free = (row for row in range(len(todo) + len(taken)) if row not in taken)
    return [_with(look, row=row) for look, row in zip(todo, free, strict=False)]


def _batches(scanned: Iterator[ScannedImage], size: int) -> Iterator[list[ScannedImage]]:
    while some := list(islice(scanned, size)):
        yield some


def scan_each(
    scan: Callable[[ScannedImage], ScannedImage], todo: Sequence[ScannedImage], workers: int
) -> Iterator[ScannedImage]:
    """Scan images in order, in this process or in several.

    An image that crashes the process that decodes it is `damaged`: images in flight are scanned
    again, each in a process of its own, and the scan continues.
    """
    if workers <= 1:
        yield from map(scan, todo)
        return
    place, doubtful = 0, 0
    while place < len(todo):
        try:
            with process_pool(1 if doubtful else workers) as pool:
                left = todo[place : place + 1] if doubtful else todo[place:]
                for scanned in pool.map(scan, left, chunksize=CHUNK):
                    yield scanned
                    place += 1
            doubtful = max(doubtful - 1, 0)
        except BrokenProcessPool:
            if doubtful:
                yield _with(todo[place], reason="damaged", row=-1)
                place += 1
                doubtful -= 1
            else:
                # a pool submits little more than its workers hold
                doubtful = CHUNK * (2 * workers + 1)
