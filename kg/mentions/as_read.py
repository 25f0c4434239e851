"""A text as it is read, as long as it was written, so that every place stays where it was.

Traditional characters become simplified, full-width brackets and signs plain ones, marks that were
dictated (`no effusion period`) the marks themselves, and of boxes only the ticked one stays.
"""

from __future__ import annotations

import re
from functools import cache

from kg.mentions.own_tables import table_rows

SIGNS = dict(zip("（）［］【】－−＋＝：／＊", "()[][]--+=:/*", strict=True))
"""Signs of full width, and what they are read as; Chinese commas and stops keep their own rules."""

MARKS = {
    **{"period": ".", "full stop": ".", "comma": ",", "semicolon": ";"},
    **dict.fromkeys(("new line", "next line", "new paragraph", "next paragraph"), "."),
}
"""Marks by the words they are dictated with."""

DICTATED = frozenset(mark.split()[-1] for mark in MARKS)
"""Words without which nothing of letters and plain stops is read otherwise than written."""

# `the same period`, `a period of rest` and `no comma` are no marks
_DICTATED = re.compile(
    r"(?<!\bno )(?<!\b(?:the|per) )(?<!\b(?:same|time|each|this|that|long) )(?<!\b(?:an|in) )"
    r"(?<!\ba )(?<!\bshort )(?<!interval )"
    rf"\b(?P<mark>{'|'.join(MARKS)})\b(?! of| between| from|\s?[.,;])",
    re.IGNORECASE,
)
_HINTS = (*MARKS, "r.o.", "r. o.", "neg.", "..", "?", "[x]")
_RULE_OUT = re.compile(r"\b(r)\.(\s?o)\.", re.IGNORECASE)
_NEGATIVE = re.compile(r"\b(neg)\.(?= for\b)", re.IGNORECASE)
# of `[ ] yes [x] no` the box that is ticked counts
_SAID = r"\s?(?:yes|no|present|absent|y|n)\b"
_BOX = re.compile(rf"\[x\](?={_SAID})|\[ ?\]{_SAID}", re.IGNORECASE)
# `Effusion? No.` and `Effusion ..... none` are fields of a form
_FIELD = re.compile(
    r"(?:(?<!\.)\.{2,99}|\?)(?=\s*(?:no?|none|nil|negative|absent|y|yes|present)\s*(?:[.,;\n]|$))",
    re.IGNORECASE,
)


def as_read(text: str, *, spoken: bool = False) -> str:
    """The text with one script, plain signs and written marks, letter for letter as long.

    Args:
        text: The text.
        spoken: Whether it is a dialogue, where a question is no field of a form.
    """
    if not text.isascii():
        text = text.translate(_characters())
    lower = text.lower()
    if not any(hint in lower for hint in _HINTS):
        return text
    if "[x]" in lower:
        text = _BOX.sub(lambda found: " " * len(found[0]), text)
    text = _DICTATED.sub(_mark, text)
    text = _NEGATIVE.sub(r"\1 ", _RULE_OUT.sub(r"\1/\2 ", text))
    return text if spoken else _FIELD.sub(lambda found: ":".ljust(len(found[0])), text)


def _mark(found: re.Match[str]) -> str:
    return MARKS[found["mark"].lower()].ljust(len(found[0]))


@cache
def _characters() -> dict[int, str]:
    traditional = {
        written: row["simplified"]
        for row in table_rows("traditional.tsv")
        for written in row["traditional"]
    }
    return str.maketrans({**traditional, **SIGNS})
