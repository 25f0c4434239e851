"""Handling of SIGINT and SIGTERM: both end a run in order, and set the exit code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["remembered_signals"]


@contextmanager
def remembered_signals() -> Iterator[list[int]]:
    """Turn both signals into KeyboardInterrupt; yields the list of signals received.

    The list names the signal even where a library replaces the exception. A second signal
    interrupts the orderly end.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
