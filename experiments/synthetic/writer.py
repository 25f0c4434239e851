"""Writing of sentences, with the statements of each and their spans.

A template marks the phrase of a concept as `<phrase>`; the account of a passage is a list of
`Statement` with the span of each phrase in the passage's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from encoders.study import Language, Passage
from kg.mentions.statement import Assertion, Statement

Claim = tuple[str, Assertion]
"""A concept and its assertion."""

MARK = re.compile(r"<([^<>]*)>")
RULE = "written"
"""Rule name of statements known by construction."""


@dataclass
class Writer:
    """A report or dialogue while it is written.

    Args:
        passages: Finished passages.
        statements: Their statements; `passage` indexes `passages`.
    """

    passages: list[Passage] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)

    def passage(
        self, name: str, sentences: list[tuple[str, list[Claim]]], language: Language = "en"
    ) -> None:
        """Add a passage of marked sentences; one without sentences is left out.

        Args:
            name: Section or speaker.
            sentences: Marked sentences, each with one claim for every `<phrase>`, in order; a claim
                without a concept is only text.
            language: Language of the sentences.
        """
        text = ""
        for sentence, claims in sentences:
            if text and language == "en":
                text += " "
            text = self._sentence(text, _capital(sentence), claims, name)
        if text:
            self.passages.append(Passage(name, text, language))

    def _sentence(self, text: str, marked: str, claims: list[Claim], section: str) -> str:
        """`text` with the sentence added; its claims are noted with their spans."""
        last = 0
        for mark, (concept, assertion) in zip(MARK.finditer(marked), claims, strict=True):
            text += marked[last : mark.start()]
            start, text = len(text), text + mark[1]
            place = len(self.passages)
            self.statements.append(
                Statement(concept, assertion, place, start, len(text), section, RULE)
            )
            last = mark.end()
        return text + marked[last:]


def _capital(sentence: str) -> str:
    """The sentence with a capital first letter, also where a mark comes first."""
    tidy = re.sub(r"\s+", " ", sentence).strip()
    start = 1 if tidy.startswith("<") else 0
    return tidy[:start] + tidy[start : start + 1].upper() + tidy[start + 1 :]
