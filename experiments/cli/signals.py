"""SIGINT and SIGTERM: both end a run the same orderly way, and are remembered for the exit code."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["heard_signals"]


@contextmanager
def heard_signals() -> Iterator[list[int]]:
    """Turn both signals into KeyboardInterrupt; yields the list of those that came.

    Whatever a library makes of the interrupt on its way out, the list still says which signal
    it was. A second signal is not waited for: it interrupts the orderly end.
    """
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield heard
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield heard
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
