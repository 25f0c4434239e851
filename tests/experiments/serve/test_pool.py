"""Workers: a killed one is replaced and its study answered again; a full queue refuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.serve.limits import Limits
from experiments.serve.model import Task
from experiments.serve.pool import Pool
from experiments.serve.refused import Refused
from kg.errors import InputError

Work = Callable[[Pool, Task], Coroutine[Any, Any, None]]


@pytest.fixture
def task(tmp_path: Path, picture: bytes) -> Task:
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture)
    return Task(folder)


def served(run: str, runs: Path, task: Task, work: Work, **limits: Any) -> None:
    async def whole() -> None:
        pool = Pool(run, runs, 1, replace(Limits(), **limits))
        try:
            await pool.start()
            await work(pool, task)
        finally:
            await pool.close()

    asyncio.run(whole())


def test_a_killed_worker_is_replaced_and_its_study_answered_again(
    run: str, small_runs: Path, task: Task
) -> None:
    async def work(pool: Pool, task: Task) -> None:
        (first,) = pool.processes
        os.kill(first, signal.SIGSTOP)  # so that it is killed with the study in its hands
        waiting = asyncio.create_task(pool.answer(task))
        while pool.waiting or not pool.busy:
            await asyncio.sleep(0.01)
        os.kill(first, signal.SIGKILL)
        reply = await waiting
        assert reply.answer is not None
        (second,) = pool.processes
        assert second != first

    served(run, small_runs, task, work)


def test_a_full_queue_refuses_and_a_slow_worker_is_replaced(
    run: str, small_runs: Path, task: Task
) -> None:
    async def work(pool: Pool, task: Task) -> None:
        (first,) = pool.processes
        os.kill(first, signal.SIGSTOP)
        waiting = [asyncio.create_task(pool.answer(task))]
        while not pool.busy:
            await asyncio.sleep(0.01)
        waiting.append(asyncio.create_task(pool.answer(task)))
        while not pool.waiting:
            await asyncio.sleep(0.01)
        with pytest.raises(Refused, match="wait already"):
            await pool.answer(task)
        with pytest.raises(Refused, match="longer than"):
            await waiting[0]
        waiting[1].cancel()
        assert pool.processes != [first]

    served(run, small_runs, task, work, waiting=1, seconds=1)


def test_a_study_without_anything_readable_is_refused_without_its_folder(
    run: str, small_runs: Path, task: Task
) -> None:
    async def work(pool: Pool, task: Task) -> None:
        (task.folder / "a.png").write_bytes(b"nothing")
        reply = await pool.answer(task)
        assert reply.answer is None
        assert reply.message
        assert not reply.bug
        assert str(task.folder) not in reply.message + reply.hint

    served(run, small_runs, task, work)


def test_a_run_that_cannot_be_restored_is_said(
    run: str, small_runs: Path, task: Task, tmp_path: Path
) -> None:
    shutil.copytree(small_runs / run, tmp_path / run)
    shutil.rmtree(tmp_path / run / "checkpoints")

    async def work(pool: Pool, task: Task) -> None:
        raise AssertionError("it must not start")

    with pytest.raises(InputError):
        served(run, tmp_path, task, work)
