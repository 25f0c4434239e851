"""Free text of reports and dialogues: whether it may be written to a file, and in which form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, get_args

from encoders.study import Passage, Study
from experiments.privacy.pseudonyms import is_keyed

__all__ = [
    "EXAMPLES",
    "TEXT_CHOICES",
    "Examples",
    "TextChoice",
    "check_text",
    "chosen_examples",
    "chosen_text",
    "kept_passages",
    "kept_study",
    "text_of_examples",
]

TextChoice = Literal["none", "deidentified", "all"]
"""Text that is written: none, de-identified, or as it is."""
TEXT_CHOICES: tuple[TextChoice, ...] = get_args(TextChoice)

Examples = Literal["none", "text", "all"]
"""What is shown of example studies beside their findings: nothing, their text, or images too."""
EXAMPLES: tuple[Examples, ...] = get_args(Examples)


def chosen_text(requested: TextChoice | None) -> TextChoice:
    """The requested choice; without one, no text where a key of pseudonyms is set, else all."""
    return requested or ("none" if is_keyed() else "all")


def chosen_examples(requested: Examples | None) -> Examples:
    """The requested choice; without one, `none` where a key of pseudonyms is set, else all."""
    return requested or ("none" if is_keyed() else "all")


def text_of_examples(requested: Examples | None) -> TextChoice:
    """Text that a run writes: that of its examples, de-identified where a key is set."""
    if chosen_examples(requested) == "none":
        return "none"
    return "deidentified" if is_keyed() else "all"


def check_text(choice: TextChoice) -> None:
    """Raise where text is to be de-identified and cannot be, before anything else is done.

    Raises:
        InputError: If the packages for it are not installed.
    """
    if choice == "deidentified":
        from experiments.privacy.deidentify import installed_models

        installed_models()


def kept_passages(passages: Iterable[Passage], choice: TextChoice) -> tuple[Passage, ...]:
    """The passages that are written.

    Raises:
        InputError: If text is to be de-identified, and the packages for it are not installed.
    """
    if choice == "all":
        return tuple(passages)
    if choice == "none":
        return ()
    from experiments.privacy.deidentify import deidentified

    return tuple(deidentified(passages))


def kept_study(study: Study, choice: TextChoice) -> Study:
    """The study with the text that is written.

    Raises:
        InputError: If text is to be de-identified, and the packages for it are not installed.
    """
    if choice == "all":
        return study
    return replace(
        study,
        report=kept_passages(study.report, choice),
        dialogue=kept_passages(study.dialogue, choice),
    )
