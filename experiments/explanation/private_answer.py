"""Privacy of answers: what of a study's text and pictures may be written with its answer."""

from __future__ import annotations

from dataclasses import replace

from experiments.explanation.answer import FindingAnswer, StudyAnswer
from experiments.privacy.free_text import TextChoice, chosen_text
from kg.errors import InputError

__all__ = ["kept_answer"]


def kept_answer(answer: StudyAnswer, requested: TextChoice | None) -> StudyAnswer:
    """The answer with the text that may be written; without text, no picture and no path either.

    Args:
        answer: The answer.
        requested: Requested choice of text; None = all, or none under a key of pseudonyms.

    Raises:
        InputError: If text is to be de-identified: words could no longer be placed in it.
    """
    choice = chosen_text(requested)
    if choice == "deidentified":
        raise InputError(
            "shares of words cannot be placed in de-identified text", "choose all or none"
        )
    if choice == "all":
        return answer
    return replace(
        answer,
        images=(),
        passages=(),
        findings=tuple(_without_text(one) for one in answer.findings),
        refused=tuple(("a picture", reason) for _, reason in answer.refused),
        notes=(),
    )


def _without_text(answer: FindingAnswer) -> FindingAnswer:
    return replace(answer, maps=(), words=(), statements=())
