"""Download of freely licensed data sets: checked, resumed and safely unpacked.

Files that need an application are not fetched; the result says where to apply or which command
makes them. A file gets its name only when its checksum is right; where none is published, its
SHA-256 is noted in `fetched.json` beside it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from experiments.datasets import Download, NeededFile
from experiments.datasets._layout import present
from experiments.preparation.download import Resumed, download
from experiments.preparation.inspection import how_to_get
from experiments.preparation.unpack import STANDARD, Quota, unpack
from experiments.records.atomic import write_json
from kg.errors import InputError
from kg.files.json_text import json_in

__all__ = ["Fetched", "fetch"]

logger = logging.getLogger(__name__)

NOTES = "fetched.json"
WAITING = ".fetching"
"""Folder of unfinished downloads in the data set's folder, resumed by a later fetch."""

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Fetched:
    """Result of fetching one required file.

    Args:
        path: The file, relative to the root.
        state: `there` already, `fetched` now, to `ask` for, or to `make`.
        what: Fetched addresses, or how to get the file.
    """

    path: str
    state: Literal["there", "fetched", "ask", "make"]
    what: str


def fetch(
    dataset: Any, root: Path, tell: Tell | None = None, quota: Quota = STANDARD
) -> list[Fetched]:
    """Fetch every missing file that may be fetched.

    Args:
        dataset: The data set.
        root: Its own folder, which is created if missing.
        tell: Called with an address, the received and the total bytes (0 = not known).
        quota: Limits of archives.

    Raises:
        InputError: If the network, a checksum, an archive or the disk fails; files fetched
            before are kept.
    """
    fetching = _Fetching(root, tell, quota)
    return [fetching.one(file) for file in dataset.files]


class _Fetching:
    """Fetches files into one folder and records them."""

    def __init__(self, root: Path, tell: Tell | None, quota: Quota) -> None:
        self.root, self.tell, self.quota = root, tell, quota
        self.notes = root / NOTES

    def one(self, file: NeededFile) -> Fetched:
        """Fetch one required file, unless it is there or needs an application."""
        done = self._done()
        begun = [one for one in file.downloads if one.url in done]
        there = bool(present(self.root, file))
        if there and (not begun or len(begun) == len(file.downloads)):
            return Fetched(file.path, "there", file.what)
        if not file.downloads:
            state: Literal["ask", "make"] = "make" if file.command else "ask"
            return Fetched(file.path, state, how_to_get(file, self.root))
        fetched = [self._get(file, one) for one in file.downloads if one.url not in done]
        if not present(self.root, file):
            raise InputError(
                f"{self.root}: {file.path} is not there after fetching {file.downloads[0].url}",
                "the archive has changed; report it",
            )
        return Fetched(file.path, "fetched", "; ".join(fetched))

    def _get(self, file: NeededFile, wanted: Download) -> str:
        """Fetch one address to its place; returns a description."""
        waiting = self.root / WAITING
        waiting.mkdir(parents=True, exist_ok=True)
        # two addresses may end in one name
        own = hashlib.sha256(wanted.url.encode()).hexdigest()[:8]
        name = f"{own}-{Path(urlsplit(wanted.url).path).name}"

        description = wanted.url
        resumed = Resumed(wanted.size, self.tell)
        arrived, digest = download(wanted.url, wanted.checksum, waiting / name, resumed)
        if not wanted.checksum:
            description += f" (no checksum is published; sha256:{digest})"
            logger.warning("%s: no checksum is published; got sha256:%s", wanted.url, digest)
        if wanted.unpack:
            count = unpack(arrived, self.root / wanted.to, self.quota)
            description += f" ({count} files)"
            arrived.unlink()
        else:
            target = self.root / (wanted.to or file.path.split("|")[0])
            target.parent.mkdir(parents=True, exist_ok=True)
            arrived.replace(target)
        write_json(self.notes, self._done() | {wanted.url: f"sha256:{digest}"})
        if not any(waiting.iterdir()):
            waiting.rmdir()

        return description

    def _done(self) -> dict[str, str]:
        """Addresses fetched into this folder with the hashes of their files."""
        if not self.notes.is_file():
            return {}
        try:
            noted: dict[str, str] = json_in(self.notes)
        except ValueError:
            raise InputError(f"{self.notes}: is not JSON", "remove it; files are kept") from None
        return noted
