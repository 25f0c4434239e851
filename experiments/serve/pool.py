"""Pool of worker processes, each with the model loaded once, before a bounded queue.

A worker that is killed, or takes too long, is replaced. The study of a killed one is answered once
more by the next, since the worker may have been ended for a reason of its own; one that ends two
workers, or takes too long, is given up.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from experiments.serve.limits import Limits
from experiments.serve.model import Loaded, Reply, Task, serve_model
from experiments.serve.refused import Refused
from kg.errors import InputError

__all__ = ["Pool"]

log = logging.getLogger(__name__)

TRIES = 2
AGAIN = 1.0
"""Seconds between a worker that did not start and the next."""

Waiting = tuple[Task, "asyncio.Future[Reply]"]


class _Lost(Exception):
    """The worker ended before its reply."""


class _Worker:
    """One worker process and the connection to it.

    Args:
        run: Name of the finished run.
        runs: Folder of runs.
        threads: Threads in which replies are waited for.
    """

    def __init__(self, run: str, runs: Path, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        context = multiprocessing.get_context("spawn")
        self.connection: Connection
        self.connection, its = context.Pipe()
        self.process: BaseProcess = context.Process(
            target=serve_model, args=(run, runs, its), daemon=True
        )
        self.process.start()
        its.close()

    async def receive(self, seconds: float | None) -> Loaded | Reply:
        """What the worker sends next.

        Raises:
            _Lost: If it is gone.
            TimeoutError: If it takes too long.
        """
        loop = asyncio.get_running_loop()
        received = await loop.run_in_executor(self._threads, self._received, seconds)
        if received is None:
            raise TimeoutError
        return received

    def _received(self, seconds: float | None) -> Loaded | Reply | None:
        try:
            there = self.connection.poll(seconds)
            received: Loaded | Reply | None = self.connection.recv() if there else None
        except (EOFError, OSError):
            raise _Lost from None
        return received

    async def answer(self, task: Task, seconds: float) -> Reply:
        """Reply to a task; raises as `receive` does."""
        try:
            self.connection.send(task)
        except OSError:
            raise _Lost from None
        reply = await self.receive(seconds)
        assert isinstance(reply, Reply)
        return reply

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


class Pool:
    """Worker processes that answer for studies.

    Args:
        run: Name of the finished run.
        runs: Folder of runs.
        workers: Number of processes.
        limits: Limits of the server.
    """

    def __init__(self, run: str, runs: Path, workers: int, limits: Limits) -> None:
        self._threads = ThreadPoolExecutor(workers)
        self._given = run, runs, self._threads
        self._limits = limits
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(limits.waiting)
        self._workers: list[_Worker | None] = [None] * workers
        self._busy = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Loaded:
        """Start the workers; returns once the first has loaded the model.

        Raises:
            InputError: If the model cannot be loaded.
        """
        loaded = await self._start(0)
        if loaded is None:
            raise InputError("the model could not be loaded", "kgdx experiment verify RUN says why")
        self._tasks = [
            asyncio.create_task(self._serve(place)) for place in range(len(self._workers))
        ]
        return loaded

    async def close(self) -> None:
        """End the workers; what still waits is refused."""
        for task in self._tasks:
            task.cancel()
        for worker in self._workers:
            if worker is not None:
                worker.end()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._threads.shutdown()
        while not self._queue.empty():
            _refuse(self._queue.get_nowait()[1], Refused(503, "the server is ending"))

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers."""
        return [one.process.pid or 0 for one in self._workers if one is not None]

    @property
    def waiting(self) -> int:
        """Studies that wait for a worker."""
        return self._queue.qsize()

    @property
    def busy(self) -> int:
        """Studies that workers have in their hands."""
        return self._busy

    async def answer(self, task: Task) -> Reply:
        """Reply to a task, once it is its turn.

        Raises:
            Refused: If too many wait already, or the task could not be done.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((task, future))
        except asyncio.QueueFull:
            raise Refused(
                503, f"{self._limits.waiting} studies wait already", "send it again in a minute"
            ) from None
        return await future

    async def _start(self, place: int) -> Loaded | None:
        """Start the worker of a place; None where it ends before it has loaded the model.

        Raises:
            InputError: If the run is not as it must be.
        """
        worker = self._workers[place] = _Worker(*self._given)
        try:
            loaded = await worker.receive(None)
        except _Lost:
            self._end(place)
            return None
        if isinstance(loaded, Reply):
            raise InputError(loaded.message, loaded.hint)
        return loaded

    def _end(self, place: int) -> None:
        worker, self._workers[place] = self._workers[place], None
        if worker is not None:
            worker.end()

    async def _serve(self, place: int) -> None:
        """Answer one task after the other with the worker of a place, for ever."""
        while True:
            task, future = await self._queue.get()
            if future.cancelled():
                continue
            try:
                reply = await self._done(place, task)
            except Refused as refused:
                _refuse(future, refused)
            except InputError as error:  # the run was changed since the server started
                _refuse(future, Refused(503, error.message, error.hint))
            except asyncio.CancelledError:
                _refuse(future, Refused(503, "the server is ending"))
                raise
            else:
                if not future.done():
                    future.set_result(reply)

    async def _done(self, place: int, task: Task) -> Reply:
        """Reply to a task, by a second worker where the first is lost.

        Raises:
            Refused: If it takes too long, or both are lost.
        """
        for _ in range(TRIES):
            worker = await self._ready(place)
            try:
                self._busy += 1
                return await worker.answer(task, self._limits.seconds)
            except _Lost:
                log.warning("a worker ended before its answer and is replaced")
                self._end(place)
            except TimeoutError:
                log.warning("a worker took too long and is replaced")
                self._end(place)
                raise Refused(
                    503,
                    f"the answer took longer than {self._limits.seconds:.0f} seconds",
                    "send fewer pictures, or ask for fewer findings",
                ) from None
            finally:
                self._busy -= 1
        raise Refused(503, "the process that read the study ended twice", "look at the study")

    async def _ready(self, place: int) -> _Worker:
        """The worker of a place, started where it is not there."""
        while (worker := self._workers[place]) is None:
            if await self._start(place) is None:
                await asyncio.sleep(AGAIN)
        return worker


def _refuse(future: asyncio.Future[Reply], refused: Refused) -> None:
    if not future.done():
        future.set_exception(refused)
