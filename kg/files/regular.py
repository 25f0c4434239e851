"""Files a user names: opened only where they are regular files, and read whole up to a size."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

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
    """What stands in the place of a regular file (`a pipe`); empty where it is one."""
    return next((name for is_so, name in _IRREGULAR if is_so(mode)), "")


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading; anything else is refused without waiting for it.

    Raises:
        InputError: If it is missing, cannot be opened, or is a folder, pipe, device or socket.
    """
    try:
        # a pipe would wait for its writer, and to open a device can do something
        found = irregular(path.stat().st_mode)
        if not found:
            # what was put in its place in between does not wait either
            opened = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
            found = irregular(os.fstat(opened.fileno()).st_mode)
            if not found:
                return opened
            opened.close()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "check the path") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: {reason}", "check the path and its rights") from None
    raise InputError(f"{path}: is {found}", "name a file")


def read_file(path: Path, most: int = LARGEST) -> bytes:
    """The bytes of a regular file.

    Args:
        path: The file.
        most: Bytes above which it is refused.

    Raises:
        InputError: As `open_file`, or if the file is larger.
    """
    with open_file(path) as file:
        try:
            content = file.read(most + 1)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}", "check the disk") from None
    if len(content) > most:
        raise InputError(f"{path}: is larger than {most >> 20:,} MiB", "split it")
    return content
