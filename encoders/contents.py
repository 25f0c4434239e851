"""What a file or folder holds, as a hash; it loads nothing heavy, for any process to use."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kg.errors import InputError

__all__ = ["content_hash", "file_hash"]


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes.

    Raises:
        InputError: If the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path") from None


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes; of a folder, over the names and bytes of the files in it.

    Raises:
        InputError: If something cannot be read.
    """
    if not path.is_dir():
        return file_hash(path)
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            digest.update(f"{file.name}\n{file_hash(file)}\n".encode())
    return digest.hexdigest()
