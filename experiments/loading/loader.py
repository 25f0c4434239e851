"""Loader of training batches: tells of a process that died or hangs, and leaves none behind."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from experiments.workers import end_with_parent
from kg.errors import RunStopped

__all__ = ["TrainingLoader", "reading_failed"]

PATIENCE = 600
"""Seconds after which a batch that a worker process reads no longer comes."""
KILLED = "a process that reads studies was killed"
HINT = "check disk and memory, then resume from the last checkpoint"


class TrainingLoader(DataLoader[Any]):
    """Batches in the order of a sampler.

    Args:
        studies: Gives the studies of a draw.
        order: The order.
        collate: Makes a batch of them.
        workers: Worker processes that read; 0 = none.
    """

    def __init__(
        self, studies: Any, order: Sampler[Any], collate: Callable[[Any], Any], workers: int = 0
    ) -> None:
        super().__init__(
            studies,
            batch_sampler=order,
            collate_fn=collate,
            num_workers=workers,
            worker_init_fn=_start_worker,
            # a loader draws a seed for each epoch, which must not come from the run's generator
            generator=torch.Generator(),
        )
        self.waits = False
        self.on_wait: Callable[[], None] = lambda: None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Batches of an epoch; `waits` while one is read, and `on_wait` is called before.

        Raises:
            RunStopped: If a worker ends before its time, or gives nothing for `PATIENCE` seconds.
        """
        before = set(active_children())
        batches = super().__iter__()
        workers = set(active_children()) - before
        try:
            while True:
                try:
                    self.waits = True
                    self.on_wait()
                    with _patience(workers):
                        batch = next(batches)
                except StopIteration:
                    return
                finally:
                    self.waits = False
                yield batch
        finally:
            _end(workers)


def reading_failed(error: BaseException) -> RunStopped | None:
    """The error to tell where a worker process has ended; None for an error of another kind.

    Torch raises it as soon as a worker ends, wherever this process is.
    """
    if not str(error).startswith("DataLoader worker (pid"):
        return None
    return RunStopped(KILLED, HINT)


@contextmanager
def _patience(workers: set[BaseProcess]) -> Iterator[None]:
    """Kill workers that give no batch in time; torch's own limit does not cover all it waits for.

    Raises:
        RunStopped: If they were killed, or ended by themselves.
    """
    if not workers:
        yield
        return
    late = threading.Event()

    def lose() -> None:
        late.set()
        for worker in workers:
            worker.kill()

    timer = threading.Timer(PATIENCE, lose)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (RuntimeError, EOFError, OSError) as error:
        if late.is_set():
            waited = f"nothing came from it in {PATIENCE} seconds"
            raise RunStopped(f"a process that reads studies hangs: {waited}", HINT) from error
        # a connection may break before the end of its worker is known
        if isinstance(error, ConnectionError) or any(worker.exitcode for worker in workers):
            raise RunStopped(KILLED, HINT) from error
        raise
    finally:
        timer.cancel()


def _start_worker(worker: int) -> None:
    """End a worker with the process that trains; Ctrl-C is left to that process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()


def _end(workers: set[BaseProcess]) -> None:
    """Kill workers that still run, also one that hangs and would not hear anything else."""
    running = [worker for worker in workers if worker.is_alive()]
    if not running:
        return
    ours = threading.current_thread() is threading.main_thread()
    # torch takes the end of a worker for a failure
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if ours else None
    for worker in running:
        worker.kill()
    for worker in running:
        worker.join()
    if handler is not None:
        signal.signal(signal.SIGCHLD, handler)
