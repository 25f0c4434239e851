"""Rights of a process given up: from then on it computes, reads and writes what it has open."""

from __future__ import annotations

import ctypes
import errno
import platform
import resource
import struct
from collections.abc import Mapping

__all__ = ["renounce"]

_NO_NEW_RIGHTS, _SECCOMP, _FILTER = 38, 22, 2
"""Numbers of `prctl` on Linux."""
_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
"""Instructions of a filter of system calls."""
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_KINDS: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 24, 25, 28)
        + (39, 60, 131, 186, 202, 228, 231, 262, 318, 324),
    ),
    "aarch64": (
        0xC00000B7,
        (57, 62, 63, 64, 66, 67, 79, 80, 93, 94, 98, 113, 124, 132, 134, 135, 139)
        + (172, 178, 214, 215, 216, 222, 226, 233, 278, 283),
    ),
}
"""Number of each kind of processor, and of the system calls that are left: reading, writing,
closing and seeking of open files; memory, signals, locks, the clock and the end of the process."""


def renounce() -> None:
    """Give up the rights to open files and connections, to start processes and to touch any other.

    What is open stays so; whatever is to be imported must have been. Where the system has no
    filter of system calls, limits alone keep files, connections and processes from being opened.
    """
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
        resource.setrlimit(kind, (0, 0))
    if platform.system() == "Linux" and platform.machine() in _KINDS:
        _filter(*_KINDS[platform.machine()])


def _filter(processor: int, calls: tuple[int, ...]) -> None:
    """Have the system refuse all other calls of this thread, and of what it would start."""
    steps = [
        (_LOAD, 0, 0, 4),
        (_IF_EQUAL, 1, 0, processor),
        (_RETURN, 0, 0, _REFUSE),
        (_LOAD, 0, 0, 0),
        *((_IF_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(code))
    system = ctypes.CDLL(None)
    system.prctl(_NO_NEW_RIGHTS, 1, 0, 0, 0)
    system.prctl(_SECCOMP, _FILTER, program)
