"""Look at every image once: can it be read, what does it hash to, what does it look like small.

The work is spread over processes, and everything found is written to a journal as it is found, so
a preparation that was killed goes on where it was. Decoded squares, where asked for, are written
to their rows before the journal says so.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from encoders.contents import content_hash, members
from encoders.reading.limits import Grey, check_file
from encoders.reading.picture import look, read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import resize, to_square
from experiments.workers import end_with_parent
from kg.errors import InputError
from kg.files.json_text import json_of

__all__ = ["Look", "Looking", "Recipe", "stamp"]

logger = logging.getLogger(__name__)

JOURNAL = "looked.jsonl"
SMALL = 64
"""Least side in pixels an image is decoded at."""
CHUNK = 8
"""Images handed to a process at a time."""
TOGETHER = 64
"""Images looked at between two writings of the journal."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How images are looked at; another recipe looks at them again.

    Args:
        version: Version of the reading code.
        side: Side in pixels of the decoded squares kept; 0 = none are kept.
        view: View recipe of the squares.
    """

    version: str
    side: int = 0
    view: str = "whole"


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of one image.

    Args:
        path: The image, relative to the data set's root.
        size: Bytes of the file.
        changed: When the file was changed last, in nanoseconds.
        reason: Why it cannot be read; empty = it can.
        sha256: Hash of its bytes; empty where there is no file.
        shape: Difference hash of what it shows, 256 bits in hex; empty where it cannot be read.
        parts: Slices or frames it holds; only of a still, which has one, a square is kept.
        row: Row of its square among the kept ones; -1 = none is kept.
    """

    path: str
    size: int
    changed: int
    reason: str = ""
    sha256: str = ""
    shape: str = ""
    parts: int = 1
    row: int = -1


class Looking:
    """Looks at images, with what an earlier, even a killed, preparation found.

    Args:
        root: Folder of the images; nothing is written there.
        folder: Where the journal and the squares are.
        recipe: How images are looked at.
        squares: File of the decoded squares.
    """

    def __init__(self, root: Path, folder: Path, recipe: Recipe, squares: Path) -> None:
        self.root, self.recipe, self.squares = root, recipe, squares
        self.journal = folder / JOURNAL

    def look(self, paths: Sequence[str], workers: int) -> list[Look]:
        """What there is to find of each image, in order; files that did not change are known.

        Args:
            paths: Images, each once, relative to the root.
            workers: Processes; 1 = this one alone.

        Raises:
            InputError: If journal or squares cannot be written.
        """
        known = self._known(set(paths))
        todo = [Look(path, *stamp(self.root / path)) for path in paths if path not in known]
        if self.recipe.side:
            todo = _with_rows(todo, {look.row for look in known.values()})
        try:
            self._reserve(1 + max((look.row for look in (*known.values(), *todo)), default=-1))
            found = each_look(_Glance(self.root, self.recipe, self.squares), todo, workers)
            for number, some in enumerate(_batches(found, TOGETHER)):
                known |= {look.path: look for look in some}
                self._note(some)
                if number % 20 == 0:
                    done = number * TOGETHER + len(some)
                    logger.info("looked at %d of %d images", done, len(todo))
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(
                f"{self.journal.parent} cannot be written: {reason}",
                "free space or choose another folder; the next run goes on from here",
            ) from None
        return [known[path] for path in paths]

    def _known(self, wanted: set[str]) -> dict[str, Look]:
        """What the journal says of files that are as they were; it is begun where it does not fit.

        A last line without its end is of a writer that was killed, and counts as not written.
        """
        first = json.dumps(asdict(self.recipe)) + "\n"
        lines: list[str] = []
        if self.journal.is_file():
            lines = self.journal.read_text(encoding="utf-8").splitlines(keepends=True)
        if not lines or lines[0] != first:
            self.journal.write_text(first, encoding="utf-8")
            return {}
        whole = [line for line in lines[1:] if line.endswith("\n")]
        if len(whole) + 1 < len(lines):
            os.truncate(self.journal, sum(len(line.encode()) for line in (first, *whole)))
        found = {}
        for line in whole:
            look = Look(**json_of(line))
            if look.path in wanted and (look.size, look.changed) == stamp(self.root / look.path):
                found[look.path] = look
        return found

    def _note(self, looks: Sequence[Look]) -> None:
        """Squares first, then the lines that say they are there."""
        if self.recipe.side:
            with self.squares.open("rb") as kept:
                os.fsync(kept.fileno())
        with self.journal.open("a", encoding="utf-8") as lines:
            lines.writelines(json.dumps(asdict(look)) + "\n" for look in looks)
            lines.flush()
            os.fsync(lines.fileno())

    def _reserve(self, rows: int) -> None:
        """Give the file of squares its length; what is not written yet takes no space."""
        if self.recipe.side:
            self.squares.parent.mkdir(parents=True, exist_ok=True)
            self.squares.touch()
            os.truncate(self.squares, rows * 2 * self.recipe.side**2)


@dataclass(frozen=True, slots=True)
class _Glance:
    """Looks at one image, in whatever process it is called."""

    root: Path
    recipe: Recipe
    squares: Path

    def __call__(self, found: Look) -> Look:
        path = self.root / found.path
        if not found.changed:
            return _seen(found, reason="missing", row=-1)
        digest = ""
        try:
            check_file(path)
            digest = content_hash(path)
            parts = look(path).parts
            grey = read_picture(path, target=max(SMALL, self.recipe.side))
        except RejectedImage as error:
            return _seen(found, reason=error.reason, sha256=digest, row=-1)
        kept = self.recipe.side and parts == 1
        if kept:
            self._keep(found.row, to_square(grey, self.recipe.side, self.recipe.view))
        row = found.row if kept else -1
        return _seen(found, sha256=digest, shape=difference_hash(grey), parts=parts, row=row)

    def _keep(self, row: int, square: Grey) -> None:
        content = square.astype(np.float16).tobytes()
        with self.squares.open("r+b") as kept:
            kept.seek(row * len(content))
            kept.write(content)


def difference_hash(grey: Grey) -> str:
    """256 bits in hex: on a grid of 16 rows, whether each of 16 cells is darker than the next.

    What is saved again, scaled or lightly changed differs in a few bits; see `duplicates.py`.
    """
    cells = resize(grey, 17, 16)
    return np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes().hex()


def _seen(look: Look, **found: object) -> Look:
    return Look(**(asdict(look) | found))


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change of an image, in all its files; zeros if there is none."""
    try:
        stats = [member.stat() for member in members(path)]
    except OSError:
        return 0, 0
    return sum(one.st_size for one in stats), max((one.st_mtime_ns for one in stats), default=0)


def _with_rows(todo: Sequence[Look], taken: set[int]) -> list[Look]:
    """The first rows that are free, in order."""
    free = (row for row in range(len(todo) + len(taken)) if row not in taken)
    return [_seen(look, row=row) for look, row in zip(todo, free, strict=False)]


def _batches(looks: Iterator[Look], size: int) -> Iterator[list[Look]]:
    while some := list(islice(looks, size)):
        yield some


def each_look(glance: Callable[[Look], Look], todo: Sequence[Look], workers: int) -> Iterator[Look]:
    """Look at every image in order, in this process or in several.

    An image that ends the process that decodes it is `damaged`: those that were on their way are
    looked at again, each in a process of its own, and the work goes on.
    """
    if workers <= 1:
        yield from map(glance, todo)
        return
    place, doubtful = 0, 0
    while place < len(todo):
        try:
            with _pool(1 if doubtful else workers) as pool:
                left = todo[place : place + 1] if doubtful else todo[place:]
                for found in pool.map(glance, left, chunksize=CHUNK):
                    yield found
                    place += 1
            doubtful = max(doubtful - 1, 0)
        except BrokenProcessPool:
            if doubtful:
                yield _seen(todo[place], reason="damaged", row=-1)
                place += 1
                doubtful -= 1
            else:
                # a pool takes on little more than its workers hold
                doubtful = CHUNK * (2 * workers + 1)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with this one, even where it is killed."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=end_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
