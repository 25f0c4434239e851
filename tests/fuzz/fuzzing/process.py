"""One input read by a forked process, bounded in memory and time, and what came of it."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["read", "noted", "refused", "failing"]

MEMORY = 512 << 20
"""Bytes of memory a file may take beyond those of the program."""

ADDRESSES = 3 << 30
"""Bytes of address space beyond those of the program: a hard wall behind the limit above."""

SECONDS = 20
"""Seconds of a processor a file may take."""

WALL = 120
"""Seconds after which a process that only waits is ended."""


@dataclass(frozen=True)
class Outcome:
    """What came of one input.

    Args:
        kind: Read, read with a note, refused with an error for people, or failing.
        detail: The reason where it was refused or failed.
        memory: Most bytes it took, beyond those of the program.
        seconds: Seconds of a processor it took.
    """

    kind: Kind
    detail: str = ""
    memory: int = 0
    seconds: float = 0.0


def attempt(read: Callable[[Path], tuple[Kind, str]], path: Path) -> Outcome:
    """Read a file in a process of its own.

    Args:
        read: Reads it; gives what came of it. Whatever it raises is a failure.
        path: The file.
    """
    with tempfile.TemporaryFile() as answer:
        process = os.fork()
        if process == 0:
            _child(read, path, answer.fileno())
        ended = _wait(process)
        _, status, used = os.wait4(process, 0)
        answer.seek(0)
        before, _, said = answer.read().partition(b"\n")
    kind, detail = _judged(status, ended, said)
    memory = max(used.ru_maxrss * 1024 - int(before), 0)
    if kind != "failing" and memory > MEMORY:
        kind, detail = "failing", f"memory: {memory >> 20:,} MiB ({kind}: {detail})"
    return Outcome(kind, detail, memory, used.ru_utime + used.ru_stime)


def _judged(status: int, ended: bool, said: bytes) -> tuple[Kind, str]:
    if not ended:
        return "failing", f"hang: {WALL} s"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return "failing", f"time: {SECONDS} s"
        return "failing", f"ended by {signal.Signals(number).name}"
    if not said:
        return "failing", f"ended with {os.WEXITSTATUS(status)} and said nothing"
    kind, detail = json.loads(said)
    return kind, detail


def _wait(process: int) -> bool:
    """Wait for the end of a process; False if it had to be ended."""
    watched = os.pidfd_open(process)
    try:
        ended, _, _ = select.select([watched], [], [], WALL)
    finally:
        os.close(watched)
    if not ended:
        os.killpg(process, signal.SIGKILL)
    return bool(ended)


def _child(read: Callable[[Path], tuple[Kind, str]], path: Path, answer: int) -> None:
    """The forked process; it never returns."""
    try:
        # pages of the program's files are not there yet: a process begins with less than its parent
        os.write(answer, f"{_resident()}\n".encode())
        os.setsid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG
        _limit()
        try:
            result: tuple[Kind, str] = read(path)
        except BaseException:
            result = "failing", traceback.format_exc()[-3000:]
        os.write(answer, json.dumps(result).encode())
    finally:
        os._exit(0)


def _limit() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    size = pages * resource.getpagesize() + ADDRESSES
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + SECONDS
    for kind, most in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 1 << 30),
    ):
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()
