"""Lines on the runs of a plan while they train: one a minute, with the last message of each."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

from experiments.plans import execute


def test_a_line_a_minute_on_each_run_that_trains(monkeypatch) -> None:
    now = itertools.count(0.0, 20.0)
    monkeypatch.setattr(execute.time, "monotonic", lambda: next(now))
    lines: list[str] = []
    cost: Any = SimpleNamespace(seconds={})
    progress = execute._Progress(cost, 2, 1, lines.append)
    training: Any = [
        SimpleNamespace(
            job=SimpleNamespace(name="own fold 1"),
            seconds=130.0,
            said=lambda count: ["training fit: 30 of 120 steps, Epoch 1/4, loss 0.423"][:count],
        ),
        SimpleNamespace(job=SimpleNamespace(name="own fold 2"), seconds=5.0, said=lambda _: []),
    ]
    told = []
    for _ in range(7):
        progress.running(training)
        told.append(len(lines))
    assert told == [0, 0, 2, 2, 2, 4, 4]
    assert lines[:2] == [
        "[2 min] own fold 1: training fit: 30 of 120 steps, Epoch 1/4, loss 0.423",
        "[5 s] own fold 2",
    ]


def test_nothing_is_told_where_nothing_trains(monkeypatch) -> None:
    now = itertools.count(0.0, 100.0)
    monkeypatch.setattr(execute.time, "monotonic", lambda: next(now))
    lines: list[str] = []
    cost: Any = SimpleNamespace(seconds={})
    progress = execute._Progress(cost, 0, 1, lines.append)
    progress.running([])
    assert not lines
