"""Atomic file writing: on any error the former file stays readable."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kg.errors import InputError

__all__ = ["atomic_path", "remove_leftovers", "write_json", "write_text"]

_LEFTOVER = ".unfinished-"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it at the end.

    The file is synced to disk before it is renamed, so a crash leaves the former file or the
    new one. On any error the temporary file is removed.

    Raises:
        InputError: If the disk is full or the folder cannot be written.
    """
    temporary = path.parent / f"{_LEFTOVER}{os.getpid()}-{secrets.token_hex(4)}-{path.name}"
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
        _remove(temporary)


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write UTF-8 text, whole or in parts, to `path` atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.writelines([text] if isinstance(text, str) else text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def remove_leftovers(folder: Path) -> list[str]:
    """Remove temporary files that a killed process left in `folder`; returns their names."""
    left = sorted(folder.glob(f"**/{_LEFTOVER}*"))
    for path in left:
        _remove(path)
    return [path.name for path in left]


def _sync(path: Path) -> None:
    """Sync a file, or the directory entries of a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    """Remove a temporary file; one that cannot be removed is cleared at the next start."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
