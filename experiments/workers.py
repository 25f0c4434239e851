"""Worker processes that leave Ctrl-C to the process that started them, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

__all__ = ["end_with_input", "end_with_parent", "process_pool"]


@contextmanager
def process_pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Pool of processes that end with this one, and at once where the block is interrupted."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=end_with_parent)
    try:
        yield pool
    except BaseException:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()  # one that hangs would be waited for
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def end_with_parent() -> None:
    """End this worker when the process that started it is gone, even killed.

    A worker that outlives its parent would hold its files and its lock. Ctrl-C is left to the
    parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    _end_after(parent.join)


def end_with_input() -> None:
    """End this process when the one that holds its standard input open is gone.

    For a process that was started as a command, of which `multiprocessing` knows no parent.
    """
    _end_after(lambda: os.read(0, 1))


def _end_after(gone: Callable[[], object]) -> None:
    def wait() -> None:
        gone()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
