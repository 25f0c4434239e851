"""Progress in a log: a line a minute with the time that is left, and always the last."""

from __future__ import annotations

import logging

import pytest

from kg.progress import Progress, duration


def test_a_line_a_minute_and_the_last(caplog) -> None:
    now = 0.0
    progress = Progress(logging.getLogger("kg"), "image scan", "images", clock=lambda: now)
    with caplog.at_level(logging.INFO, "kg"):
        for done in range(1, 201):
            now += 1.0
            progress.at(done, 200)
    assert caplog.messages == [
        "image scan: 60 of 200 images, about 2 min left",
        "image scan: 120 of 200 images, about 80 s left",
        "image scan: 180 of 200 images, about 20 s left",
        "image scan: 200 of 200 images",
    ]


def test_what_was_done_before_does_not_count_for_the_time_that_is_left(caplog) -> None:
    now = 0.0
    progress = Progress(logging.getLogger("kg"), "training", "steps", 100, clock=lambda: now)
    with caplog.at_level(logging.INFO, "kg"):
        now = 60.0
        progress.at(110, 120, "loss 0.5")
    assert caplog.messages == ["training: 110 of 120 steps, loss 0.5, about 60 s left"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5300, "88 min"), (7500, "2 h 05 min")],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert duration(seconds) == words
