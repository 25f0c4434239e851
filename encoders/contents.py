"""Content hashes of files and folders, without heavy imports."""

from __future__ import annotations

import hashlib
from pathlib import Path

from encoders.reading.pair import pair_of
from kg.errors import InputError
from kg.files.regular import open_file

__all__ = ["Contents", "content_hash", "file_hash", "members"]

Stamp = tuple[int, int, int]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        InputError: If the file cannot be read.
    """
    try:
        with open_file(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path") from None


def members(path: Path) -> list[Path]:
    """The files of an image: those of a folder, the two of a paired volume, or the file itself.

    Raises:
        OSError: If a folder cannot be listed.
    """
    if path.is_dir():
        return [file for file in sorted(path.iterdir()) if file.is_file()]
    pair = pair_of(path)
    return list(pair) if pair is not None else [path]


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; of several files, over their names and bytes.

    Raises:
        InputError: If something cannot be read.
    """
    return Contents().hash(path)


class Contents:
    """Hashes of the images of a run; a file is hashed once, until it changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, str]] = {}

    def hash(self, path: Path) -> str:
        """As `content_hash`.

        Raises:
            InputError: If something cannot be read.
        """
        files = members(path)
        if files == [path]:
            return self._of_file(path)
        digest = hashlib.sha256()
        for file in files:
            if not file.name.startswith("."):
                digest.update(f"{file.name}\n{self._of_file(file)}\n".encode())
        return digest.hexdigest()

    def _of_file(self, path: Path) -> str:
        name, stamp = str(path), _stamp(path)
        known = self._known.get(name)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = file_hash(path)
        self._known[name] = stamp, digest
        return digest


def _stamp(path: Path) -> Stamp:
    """Size and times of a file, which change with it; zeros where there is none."""
    try:
        about = path.stat()
    except OSError:
        return 0, 0, 0
    return about.st_size, about.st_mtime_ns, about.st_ino
