"""A module of the package run as a process of its own: bounded in memory and time, never an orphan.

The parent makes a `Child`; the module's `main` calls `confine` first, and `refuse` to hand an
`InputError` up.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from kg.errors import InputError

WRONG_INPUT = 3
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG
_PACKAGE = str(Path(__file__).resolve().parents[2])


class Limits(NamedTuple):
    """Limits of a process.

    Args:
        memory: Bytes beyond those it starts with.
        seconds: Time of a processor.
    """

    memory: int
    seconds: float


class Child:
    """A running module; it is ended when the context is left.

    Args:
        module: Its name; it is run as `python -P -m`.
        arguments: What it is given.
        limits: What it may take.
    """

    def __init__(self, module: str, *arguments: str, limits: Limits) -> None:
        self._limits = limits
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        known = [_PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
        given = (os.getpid(), limits.memory, limits.seconds, *arguments)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *map(str, given)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(known), "PYTHONUTF8": "1"},
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()
        self._said.close()

    @property
    def output(self) -> IO[bytes]:
        """Its output stream."""
        assert self.process.stdout is not None
        return self.process.stdout

    def check(self, what: str) -> None:
        """Wait for its end.

        Args:
            what: What it does, for messages (`the query`).

        Raises:
            InputError: If it refused its input, or needed more than it may take.
        """
        self.output.close()
        code = self.process.wait()
        if code == 0:
            return
        self._said.seek(0)
        said = self._said.read().decode(errors="replace").strip().splitlines()
        if code == WRONG_INPUT and said:
            raise InputError(**json.loads(said[-1]))
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            took = f"more than {self._limits.seconds:,.0f} seconds"
        elif code < 0 or "MemoryError" in said[-1:]:
            took = f"more than {self._limits.memory >> 20:,} MiB of memory"
        else:  # a fault of the module itself
            raise RuntimeError("\n".join([f"{what} ended with {code}", *said]))
        raise InputError(f"{what} took {took} and was ended", "narrow it, or split the file")


def confine() -> list[str]:
    """Limit this process to what its command line says; gives the arguments that follow.

    It also ends when its parent does, even where that is killed.
    """
    parent, memory, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    _end_with(parent)
    _limit(resource.RLIMIT_AS, _size() + memory)
    _limit(resource.RLIMIT_CPU, math.ceil(seconds))
    _limit(resource.RLIMIT_CORE, 0)
    return sys.argv[4:]


def refuse(error: InputError) -> int:
    """Hand an error to the parent; gives the exit code that says so."""
    sys.stderr.write("\n" + json.dumps({"message": error.message, "hint": error.hint}))
    return WRONG_INPUT


def _limit(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # a system without this limit
        resource.setrlimit(kind, (soft, hard))


def _size() -> int:
    """Bytes of address space this process has; 0 where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        return

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
