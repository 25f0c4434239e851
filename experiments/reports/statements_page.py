"""Page of labelled texts, with statements marked in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from encoders.study import Passage
from experiments.reports.pages import page_style, page_templates
from experiments.reports.study_page import ORDER
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph

__all__ = ["LabelledText", "render_statements_page"]


@dataclass(frozen=True, slots=True)
class LabelledText:
    """Text and its statements.

    Args:
        id: Id of the text.
        passages: Sections or turns.
        statements: Statements that the linker found in these passages.
    """

    id: str
    passages: tuple[Passage, ...]
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """Run of characters: plain, or marked with its statement."""

    text: str
    assertion: str = ""


def render_statements_page(texts: Sequence[LabelledText], graph: KnowledgeGraph) -> str:
    """The page as one HTML document: everything escaped, no external references."""
    return (
        page_templates()
        .get_template("statements_page.html")
        .render(
            style=page_style(),
            findings=_counted(texts, graph),
            texts=[_shown(text, graph) for text in texts],
            count=sum(len(one.statements) for one in texts),
        )
    )


def _counted(
    texts: Sequence[LabelledText], graph: KnowledgeGraph
) -> list[tuple[str, Counter[str]]]:
    """Each finding with its statements counted by assertion, most often present first."""
    counts: dict[str, Counter[str]] = {}
    for text in texts:
        for statement in text.statements:
            counts.setdefault(statement.concept, Counter())[statement.assertion] += 1
    named = [(graph.concept(concept).label, count) for concept, count in counts.items()]
    return sorted(named, key=lambda row: (-row[1]["present"], -row[1].total(), row[0]))


def _shown(text: LabelledText, graph: KnowledgeGraph) -> dict[str, Any]:
    """A text with its findings, those present first, and its marked passages."""
    stated = sorted(
        {(ORDER.index(one.assertion), graph.concept(one.concept).label) for one in text.statements}
    )
    return {
        "id": text.id,
        "stated": [(label, ORDER[place]) for place, label in stated],
        "index": [
            label if ORDER[place] == "present" else f"{label} ({ORDER[place]})"
            for place, label in stated
            if ORDER[place] != "absent"
        ],
        "passages": [
            (passage.name, list(_pieces(passage.text, _of(text, place))))
            for place, passage in enumerate(text.passages)
        ],
        "statements": [_said(statement, text, graph) for statement in text.statements],
    }


def _of(text: LabelledText, place: int) -> list[Statement]:
    return [statement for statement in text.statements if statement.passage == place]


def _pieces(text: str, statements: Sequence[Statement]) -> Iterator[_Piece]:
    """Text cut at the beginnings and ends of statements; several on one span share a mark."""
    spans: dict[tuple[int, int], str] = {}
    for statement in statements:
        spans.setdefault((statement.start, statement.end), statement.assertion)
    at = 0
    for (start, end), assertion in sorted(spans.items()):
        if start < at:
            continue
        if start > at:
            yield _Piece(text[at:start])
        yield _Piece(text[start:end], assertion)
        at = end
    if at < len(text):
        yield _Piece(text[at:])


def _said(statement: Statement, text: LabelledText, graph: KnowledgeGraph) -> str:
    """Line of a statement: its words, concept, assertion and rule, then what else it says."""
    facts = (statement.severity, statement.change, statement.side)
    sites = [graph.concept(site).label for site in statement.sites]
    more = ", ".join(fact for fact in (*facts, *sites) if fact)
    words = text.passages[statement.passage].text[statement.start : statement.end]
    label = graph.concept(statement.concept).label
    said = f"“{words}”: {label}, {statement.assertion} ({statement.rule})"
    return said + (f"; {more}" if more else "")
