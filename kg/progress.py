"""Progress: log lines on long work, at most one a minute and one at its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["MINUTE", "Progress", "duration"]

MINUTE = 60.0


class Progress:
    """Tells how far long work is, with the time that is left.

    Args:
        log: Logger of the lines.
        what: What is done, in front of the numbers (`image scan`).
        unit: What is counted (`images`).
        before: Number that was done before.
        clock: Gives the time in seconds.
    """

    def __init__(
        self,
        log: logging.Logger,
        what: str,
        unit: str,
        before: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.log, self.what, self.unit, self.clock = log, what, unit, clock
        self.before, self.began = before, clock()
        self.told = self.began

    def at(self, done: int, total: int, detail: str = "") -> None:
        """Tell that `done` of `total` are done, where a line is due.

        Args:
            done: Number that is done.
            total: Number in all; the last one is always told.
            detail: Further words.
        """
        now = self.clock()
        if done < total and now - self.told < MINUTE:
            return
        self.told = now
        words = [f"{self.what}: {done} of {total} {self.unit}", detail]
        if self.before < done < total:
            each = (now - self.began) / (done - self.before)
            words.append(f"about {duration(each * (total - done))} left")
        self.log.info("%s", ", ".join(filter(None, words)))


def duration(seconds: float) -> str:
    """A length of time in words: `45 s`, `12 min`, `2 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
