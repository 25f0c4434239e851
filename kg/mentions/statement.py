"""Statement: what a passage of text says about one concept, and where it says it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Assertion = Literal["present", "absent", "uncertain"]


class Statement(NamedTuple):
    """One mention of a concept and what is asserted of it.

    Args:
        concept: Concept id.
        assertion: Whether the text says it is there, is not there, or leaves it open.
        passage: Index of the passage in the report or dialogue.
        start: First character within the passage's text.
        end: One past the last character.
        part: Section or speaker the passage belongs to.
        rule: Name of the rule that decided the assertion.
        sites: Anatomy concepts it is said to be located at.
        side: `left`, `right`, `bilateral`, or empty where none is said.
        severity: `minimal`, `mild`, `moderate`, `severe`, or empty.
        change: `new`, `increased`, `stable`, `decreased`, `old`, or empty.
    """

    concept: str
    assertion: Assertion
    passage: int
    start: int
    end: int
    part: str
    rule: str
    sites: tuple[str, ...] = ()
    side: str = ""
    severity: str = ""
    change: str = ""
