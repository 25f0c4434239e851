"""Errors shown to the user: what went wrong, where, and in one line how to fix it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class KgdxError(Exception):
    """Base of the errors that are printed without a traceback.

    Args:
        message: The fault and its place, in one sentence.
        hint: The remedy, in one line.
    """

    exit_code = 70

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n    {self.hint}" if self.hint else self.message


class CheckFailed(KgdxError):
    """The answer to a check or validation is no."""

    exit_code = 1


class InputError(KgdxError):
    """An input (file, configuration, name, data set) is wrong and the user can fix it."""

    exit_code = 3


class RunStopped(KgdxError):
    """A run stopped before its end; its record and last checkpoint are kept."""

    exit_code = 4


class RunDiverged(RunStopped):
    """Training left the finite numbers: resumed, it would do so again."""


def together(mistakes: Sequence[InputError]) -> InputError:
    """Several errors as one, each printed as it would be alone."""
    *others, last = mistakes
    return InputError("\n".join([*map(str, others), last.message]), last.hint)


def check_format(what: str, ending: str, known: Iterable[str]) -> None:
    """Raise for an unknown format of a file before anything is computed.

    Args:
        what: What is to be written.
        ending: Ending of the file.
        known: Endings of the formats there are.

    Raises:
        InputError: If there is no such format.
    """
    if ending not in known:
        raise InputError(
            f"{what} cannot be written as {ending or 'a file without an ending'}",
            f"name a file that ends in {', '.join(known)}",
        )


MOST_LISTED = 100
"""Largest number of choices in a hint; a graph has thousands of names."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The closest of `choices` as a hint, or the list of them when none is close."""
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(known) > MOST_LISTED:
        holding = [name for name in known if word.casefold() in name.casefold()][:9]
        return f"names that hold it: {', '.join(holding)}" if holding else "no name is like it"
    return f"there are: {', '.join(known)}" if known else "there are none"
