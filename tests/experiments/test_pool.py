"""Pools of processes: interrupted at once, also where a process hangs; a killed one is told."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from experiments.labelling import linking
from experiments.labelling.texts import Reading, whole
from experiments.workers import process_pool
from kg.errors import InputError


def stop_here() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def die(_: object, **options: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_hangs_does_not_keep_an_interrupt_waiting() -> None:
    def interrupted() -> None:
        with process_pool(2) as pool:
            pool.submit(stop_here)
            assert pool.submit(abs, -2).result() == 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not multiprocessing.active_children()


def test_a_pool_that_ends_well_gives_all_results() -> None:
    with process_pool(2) as pool:
        assert list(pool.map(abs, range(-9, 0))) == list(range(9, 0, -1))
    assert not multiprocessing.active_children()


def test_a_killed_reader_of_texts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "SHARE", 1)
    monkeypatch.setattr(linking, "_link", die)
    texts = [whole(str(number), "Clear lungs.") for number in range(3)]
    with pytest.raises(InputError, match="a process that reads texts was killed") as caught:
        list(linking.link_texts(texts, Reading(), workers=2))
    assert "--workers 1" in caught.value.hint
