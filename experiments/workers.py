"""What a worker process owes the one that started it: to leave Ctrl-C to it, and to end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

__all__ = ["end_with_parent"]


def end_with_parent() -> None:
    """Have this worker end when the process that started it is gone, even killed.

    What outlives its parent would hold its files, a lock among them. Ctrl-C is the parent's to
    answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
