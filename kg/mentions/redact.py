"""Redaction: removal of every clause of a text that mentions a requested finding.

A clause reaches from one sentence end, semicolon, comma that opens a new clause, or word such as
`but` or `there is`, to the next. A list shares its verb and its negation, so it is one clause and
goes as a whole: what is cut for an asked-for finding takes its neighbours in the list with it.
Mentions are cut whether they are present, absent or uncertain. Of a Spanish report whole sentences
go: the stemmed ones have lost the commas and joining words that end a clause. What the linker does
not see stays: that residual leak is measured, not assumed away. A passage in a language it does not
read goes as a whole, since nothing could be cut from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from kg.mentions.assertion import clause_spans
from kg.mentions.linker import SPANISH, PassageLike, is_read
from kg.mentions.statement import Statement
from kg.mentions.tokens import sentences

PassageKind = TypeVar("PassageKind", bound=PassageLike)


def redact(
    passages: Sequence[PassageKind],
    statements: Iterable[Statement],
    asked: Collection[str],
) -> tuple[PassageKind, ...]:
    """The passages without the clauses that mention a requested finding.

    Args:
        passages: Sections or turns, as dataclasses; those with nothing left are dropped, and those
            in a language that is not read.
        statements: Statements of the linker in these very passages.
        asked: Requested concept ids, with their descendants.
    """
    cuts: dict[int, list[Statement]] = {}
    for statement in statements:
        if statement.concept in asked:
            cuts.setdefault(statement.passage, []).append(statement)
    kept = []
    for place, passage in enumerate(passages):
        if not is_read(passage):
            continue
        text = _without(passage.text, cuts.get(place, []), whole=passage.language == SPANISH)
        if text == passage.text:
            kept.append(passage)
        elif text:
            kept.append(cast(PassageKind, replace(cast(Any, passage), text=text)))
    return tuple(kept)


def _without(text: str, statements: Sequence[Statement], *, whole: bool) -> str:
    """The text without the clauses, or whole sentences, that statements stand in."""
    if not statements:
        return text
    pieces, at = [], 0
    for start, end in _sentences(text) if whole else _clauses(text):
        if any(start < one.end and one.start < end for one in statements):
            pieces.append(text[at:start])
            at = end
    pieces.append(text[at:])
    return re.sub(r"[ \t]{2,}", " ", " ".join(pieces)).strip(" \t\n,;，；、")


def _sentences(text: str) -> list[tuple[int, int]]:
    """First character and one past the last of each sentence, in order."""
    return [(sentence[0].start, sentence[-1].end) for sentence in sentences(text)]


def _clauses(text: str) -> list[tuple[int, int]]:
    """First character and one past the last of each clause, in order."""
    return [
        (sentence[first].start, sentence[last - 1].end)
        for sentence in sentences(text)
        for first, last in clause_spans([token.word for token in sentence])
    ]
