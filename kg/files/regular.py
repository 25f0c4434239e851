"""Files a user names: opened only where they are regular files, and read whole up to a size."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from kg.errors import InputError

LARGEST = 1 << 30
"""Bytes of the largest file that is read whole."""

_IRREGULAR = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def irregular(mode: int) -> str:
    """Kind of a path that is no regular file (`a pipe`); empty for a regular file."""
    return next((name for is_so, name in _IRREGULAR if is_so(mode)), "")


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; anything else is refused without waiting for it.

    Raises:
        OSError: If it is missing, cannot be opened, or is a folder, pipe, device or socket.
    """
    # a pipe would wait for its writer, and to open a device can do something
    _refuse(path, path.stat().st_mode)
    # what was put in its place since then does not wait either
    opened = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    try:
        _refuse(path, os.fstat(opened.fileno()).st_mode)
    except OSError:
        opened.close()
        raise
    return opened


def bytes_of(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a regular file.

    Args:
        path: The file.
        most: Bytes above which it is refused.

    Raises:
        OSError: As `open_regular`, or if the file is larger.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"is larger than {most >> 20:,} MiB", str(path))
        return file.read()


def open_file(path: Path) -> BufferedReader:
    """As `open_regular`, with an error for people.

    Raises:
        InputError: If it is missing, cannot be opened, or is no regular file.
    """
    try:
        return open_regular(path)
    except (OSError, ValueError) as error:
        raise _told(path, error) from None


def read_file(path: Path, most: int = LARGEST) -> bytes:
    """As `bytes_of`, with an error for people.

    Raises:
        InputError: If it is missing, cannot be read, is no regular file, or is larger than `most`.
    """
    try:
        return bytes_of(path, most)
    except (OSError, ValueError) as error:
        raise _told(path, error) from None


def _refuse(path: Path, mode: int) -> None:
    found = irregular(mode)
    if found:
        kind = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(kind, f"is {found}", str(path))


def _told(path: Path, error: Exception) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file", "check the path")
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"{path}: {reason}", "name a file that can be read")
