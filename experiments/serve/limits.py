"""Limits of a server: sizes of what is sent, and how much is answered and kept at a time."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Args:
        files: Files of a study, those in archives included.
        megabytes: Size of a request.
        unpacked: Megabytes of the files in the archives of a study.
        letters: Letters of a report or a dialogue.
        findings: Findings asked for at a time.
        waiting: Studies that wait for a worker; further ones are turned away.
        seconds: Time for one answer; a worker that takes longer is replaced.
        kept: Answers that are kept; the oldest go first.
        minutes: Minutes after its last use that an answer is kept.
    """

    files: int = 600
    megabytes: int = 200
    unpacked: int = 500
    letters: int = 100_000
    findings: int = 100
    waiting: int = 50
    seconds: float = 300
    kept: int = 50
    minutes: float = 10
