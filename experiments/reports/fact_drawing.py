"""Drawing of facts: ways over the graph from concepts of a study to a finding, as SVG."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup, escape

from experiments.explanation.answer import EdgeShare, FactPath, FindingAnswer
from experiments.reports.drawings import BLUE, VERMILION
from experiments.reports.pages import without_control

__all__ = ["draw_facts"]

WIDE, HIGH, GAP, ROW = 150, 40, 115, 62
"""Width and height of a concept, and space between two of them, across and down, in pixels."""
MOST = 5
"""Facts that are drawn."""
LETTERS = 22
COLUMNS = tuple(place * (WIDE + GAP) for place in range(3))
FILL = {"present": "#fdf0e8", "uncertain": "#fdf6e6", "absent": "#eef7f4", "": "#f6f7f8"}


def draw_facts(finding: FindingAnswer, names: Mapping[str, str]) -> Markup:
    """The strongest facts of a finding that have a way; empty where none has.

    Args:
        finding: The answer.
        names: Preferred name of each concept.
    """
    facts = [fact for fact in finding.facts if fact.edges][:MOST]
    if not facts:
        return Markup()
    high, wide = ROW * len(facts), COLUMNS[2] + WIDE
    middle = (high - HIGH) / 2
    body = Markup("").join(
        [
            *(piece for row, fact in enumerate(facts) for piece in _fact(fact, row, middle, names)),
            _concept(finding.label, COLUMNS[2], middle, "#e8f1f8"),
        ]
    )
    said = f"{len(facts)} ways over the graph to {finding.label}"
    return Markup(
        '<svg class="facts" viewBox="-2 -2 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(wide + 4, high + 4, without_control(said), body)


def _fact(fact: FactPath, row: int, middle: float, names: Mapping[str, str]) -> Iterator[Markup]:
    """One way: its lines first, so that concepts lie above them."""
    top = row * ROW + (ROW - HIGH) / 2
    between = _between(fact.concept, fact.edges)
    places = [(COLUMNS[0], top), *((COLUMNS[1], top) for _ in between), (COLUMNS[2], middle)]
    for (left, start), (right, end), share in zip(places, places[1:], fact.edges, strict=False):
        yield _line((left + WIDE, start + HIGH / 2), (right, end + HIGH / 2), share)
    said = f"{fact.assertion} {fact.share:+.2f}" if fact.assertion else ""
    yield _concept(names[fact.concept], COLUMNS[0], top, FILL[fact.assertion], said)
    for concept in between:
        yield _concept(names[concept], COLUMNS[1], top, FILL[""])


def _between(start: str, edges: Sequence[EdgeShare]) -> list[str]:
    """Concepts between the ends of a way."""
    here, passed = start, []
    for one in edges[:-1]:
        here = one.edge.object if one.edge.subject == here else one.edge.subject
        passed.append(here)
    return passed


def _line(start: tuple[float, float], end: tuple[float, float], share: EdgeShare) -> Markup:
    """An edge with its relation and share, vermilion for the finding and blue against it."""
    colour = VERMILION if share.share > 0 else BLUE
    strength = 1 + min(abs(share.share), 1.0) * 3
    across, down = (
        start[0] + GAP / 2,
        start[1] + (end[1] - start[1]) * GAP / 2 / (end[0] - start[0]),
    )
    line = Markup(
        '<line x1="{:g}" y1="{:g}" x2="{:g}" y2="{:g}" stroke="{}" stroke-width="{:.1f}"/>'
    ).format(*start, *end, colour, strength)
    relation = share.edge.relation.replace("_", " ")
    words = Markup(
        '<text x="{:g}" y="{:.0f}" class="relation">{}</text>'
        '<text x="{:g}" y="{:.0f}" class="share" fill="{}">{:+.2f}</text>'
    ).format(across, down - 5, relation, across, down + 14, colour, share.share)
    return line + words


def _concept(name: str, left: float, top: float, fill: str, said: str = "") -> Markup:
    """A concept as a box with its name, and what is stated of it with its share."""
    lines = textwrap.wrap(without_control(name), LETTERS)[:2] or [""]
    if said:
        lines = [textwrap.shorten(" ".join(lines), LETTERS, placeholder="…"), said]
    first = top + HIGH / 2 + (5 if len(lines) == 1 else -3)
    texts = Markup("").join(
        Markup('<text x="{:g}" y="{:g}">{}</text>').format(
            left + WIDE / 2, first + 15 * place, escape(line)
        )
        for place, line in enumerate(lines)
    )
    box = Markup(
        '<rect x="{:g}" y="{:g}" width="{}" height="{}" rx="7" fill="{}" stroke="#c5c9ce"/>'
    ).format(left, top, WIDE, HIGH, fill)
    return box + texts
