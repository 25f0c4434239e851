"""Answered studies: each in a private folder, kept while its answer is looked at, then removed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.explanation.answer import FindingAnswer, StudyAnswer
from experiments.explanation.explain import importance
from experiments.serve.limits import Limits
from experiments.serve.model import Task
from experiments.serve.pool import Pool
from experiments.serve.refused import Refused
from experiments.serve.upload import Upload

__all__ = ["Kept", "Studies"]


@dataclass
class Kept:
    """A study with its answer.

    Args:
        task: The study.
        answer: Its answer.
        measured: Findings whose evidence was measured.
        used: When it was last looked at, in seconds of a steady clock.
    """

    task: Task
    answer: StudyAnswer
    measured: set[str] = field(default_factory=set)
    used: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """Identifier of the study, which cannot be guessed."""
        return self.task.folder.name


class Studies:
    """The studies of a server.

    Args:
        pool: Workers that answer.
        limits: Limits of the server.
        memory: Folder that the private folder is made in; None = that of temporary files.
    """

    def __init__(self, pool: Pool, limits: Limits, memory: Path | None = None) -> None:
        self._pool = pool
        self._limits = limits
        self._kept: dict[str, Kept] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="kgdx-serve-", dir=memory))

    def close(self) -> None:
        """Remove every study."""
        self._kept.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def upload(self) -> Upload:
        """A new study, to be filled."""
        folder = self.folder / secrets.token_urlsafe(16)
        folder.mkdir(mode=0o700)
        return Upload(folder, self._limits)

    def remove(self, folder: Path) -> None:
        """Remove a study with its files."""
        self._kept.pop(folder.name, None)
        shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Remove the studies that were not looked at for long, and the oldest of too many."""
        since = time.monotonic() - 60 * self._limits.minutes
        by_use = sorted(self._kept.values(), key=lambda one: one.used)
        surplus = len(by_use) - self._limits.kept
        for place, one in enumerate(by_use):
            if one.used < since or place < surplus:
                self.remove(one.task.folder)

    def get(self, name: str) -> Kept:
        """A study that is kept.

        Raises:
            Refused: If there is none of this name.
        """
        self.sweep()
        if name not in self._kept:
            raise Refused(
                404,
                "there is no such answer, or no longer",
                f"answers are kept for {self._limits.minutes:g} minutes: send the study again",
            )
        kept = self._kept[name]
        kept.used = time.monotonic()
        return kept

    async def answer(self, task: Task) -> Kept:
        """Answer for a study and keep it; one without an answer is removed.

        Raises:
            Refused: If there is no answer.
        """
        try:
            answer = await self._ask(task)
        except BaseException:
            self.remove(task.folder)
            raise
        measured = {one.finding for one in answer.findings} if task.evidence else set()
        kept = Kept(replace(task, findings=(), evidence=False), answer, measured)
        self._kept[kept.name] = kept
        self.sweep()
        return kept

    async def ask(self, kept: Kept, findings: Sequence[str], *, evidence: bool) -> None:
        """Add findings to the answer of a study, or their evidence.

        Raises:
            Refused: If there is no answer.
        """
        known = kept.measured if evidence else {one.finding for one in kept.answer.findings}
        missing = tuple(one for one in findings if one not in known)
        if not missing:
            return
        more = await self._ask(replace(kept.task, findings=missing, evidence=evidence))
        kept.answer = _joined(kept.answer, more)
        if evidence:
            kept.measured |= {one.finding for one in more.findings}

    async def _ask(self, task: Task) -> StudyAnswer:
        reply = await self._pool.answer(task)
        if reply.bug:
            raise Refused(500, f"the study could not be answered: {reply.message}", "report this")
        if reply.answer is None:
            raise Refused(422, reply.message, reply.hint)
        return reply.answer


def _joined(answer: StudyAnswer, more: StudyAnswer) -> StudyAnswer:
    """An answer with the findings of another on the same study, in order of importance."""
    by: dict[str, FindingAnswer] = {one.finding: one for one in answer.findings}
    by |= {one.finding: one for one in more.findings}
    findings = tuple(sorted(by.values(), key=importance))
    return replace(answer, findings=findings, names={**answer.names, **more.names})
