"""A process that has given up its rights computes, reads and writes what is open, and no more."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import pytest

TRIES = {
    "open": "open(sys.argv[1])",
    "write": "open(sys.argv[2], 'w')",
    "connect": "socket.socket()",
    "remove": "os.unlink(sys.argv[1])",
    "rename": "os.rename(sys.argv[1], sys.argv[2])",
    "signal": "os.kill(os.getppid(), 0)",
    "fork": "os.fork()",
    "run": "os.execv('/bin/true', ['true'])",
}
CODE = """
import os, socket, sys
from kg.files.rights import renounce
with open(sys.argv[1]) as file:
    renounce()
    print(file.read(), len(bytearray(10_000_000)), flush=True)
    try:
        {}
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(
    (platform.system(), platform.machine()) not in (("Linux", "x86_64"), ("Linux", "aarch64")),
    reason="the system has no filter of system calls",
)
@pytest.mark.parametrize("name", TRIES)
def test_nothing_else_is_left(name: str, tmp_path: Path, processes: Any) -> None:
    held, other = tmp_path / "held", tmp_path / "other"
    held.write_text("content")
    done = processes.python(CODE.format(TRIES[name]), held, other)
    first, second = done.stdout.splitlines()
    assert first == "content 10000000", done.stderr
    assert second.endswith("Error")
    assert (held.read_text(), other.exists()) == ("content", False)
