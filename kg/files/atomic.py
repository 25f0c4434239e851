"""Atomic file writing: on any error the former file stays readable."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kg.errors import InputError
from kg.files.regular import irregular

__all__ = ["LEFTOVER", "atomic_path", "remove", "write_whole"]

LEFTOVER = ".unfinished-"
"""Beginning of the names of temporary files."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it at the end.

    The file is synced to disk before it is renamed, so a crash leaves the former file or the
    new one. On any error the temporary file is removed.

    Raises:
        InputError: If the disk is full, the folder cannot be written, or there is no regular file.
    """
    found = irregular(path.stat().st_mode) if path.exists() else ""
    if found:  # whose place a file would take
        raise InputError(f"{path} cannot be written: is {found}", "name a file")
    temporary = path.parent / f"{LEFTOVER}{os.getpid()}-{secrets.token_hex(4)}-{path.name}"
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        kept = "the former file is intact" if path.exists() else "nothing was written"
        reason = error.strerror or str(error)
        raise InputError(
            f"{path} cannot be written: {reason}", f"free space or mend the rights; {kept}"
        ) from error
    finally:
        remove(temporary)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: If the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _sync(path: Path) -> None:
    """Sync a file, or the directory entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a temporary file; one that cannot be removed is cleared at the next start."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
