"""What a test starts ends with it: when the test ends, and when the tests themselves are killed."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

TWO = "import os, time; os.fork(); print('here', flush=True); time.sleep(9999)"
"""Two processes that hold their output open for as long as they live."""


def read_all(place: int) -> str:
    """What was written there, once nobody holds it open any more."""
    with open(place, encoding="utf-8") as stream:  # noqa: PTH123
        return stream.read()


def test_a_process_and_what_it_started_end_with_the_test(processes: Any) -> None:
    told, said = os.pipe()
    started = processes.start(sys.executable, "-c", TWO, stdout=said)
    os.close(said)
    assert os.read(told, 4) == b"here"
    processes.end()
    read_all(told)
    assert started.wait() == -signal.SIGKILL


def test_a_copy_ends_with_the_test(processes: Any) -> None:
    told, said = os.pipe()

    def wait() -> None:
        os.write(said, b"here")
        signal.pause()

    copy = processes.fork(wait)
    os.close(said)
    assert os.read(told, 4) == b"here"
    processes.end()
    assert read_all(told) == ""
    assert copy.exitcode == -signal.SIGKILL


def test_a_process_ends_with_the_tests_that_are_killed(processes: Any) -> None:
    told, said = os.pipe()

    def killed() -> None:
        started = type(processes)().start("sleep", "9999", stdout=said)
        os.write(said, f"{started.pid}".encode())
        os.kill(os.getpid(), signal.SIGKILL)

    tests = processes.fork(killed)
    os.close(said)
    assert int(read_all(told)) > 0
    tests.join()
    assert tests.exitcode == -signal.SIGKILL
