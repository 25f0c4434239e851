"""Rare and common findings on the page of a comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.compare.records import Comparison, RareFindings
from experiments.compare.wording import rare_findings_sentence, verdict_word
from experiments.reports.comparing import forest, judged, macro_differences, short
from experiments.reports.document import Block, Bullets, Paragraph, Row, Table

__all__ = ["rare_findings_blocks"]


def rare_findings_blocks(
    comparison: Comparison, rare_findings: RareFindings, drawn: str
) -> Iterator[Block]:
    """List of rare and common findings, and each pair's differences over them.

    Args:
        comparison: The comparison.
        rare_findings: Its rare and common findings.
        drawn: Prefix of the names of drawings.
    """
    labels = {one.finding: one.label for one in comparison.entries[0].findings}
    macros = macro_differences(comparison)
    shown = [one for one in macros if one.family == "primary"] or macros[:5]
    yield Bullets(
        tuple(rare_findings_sentence(rare_findings, one.first, one.second) for one in shown)
    )
    groups = {
        "rare": rare_findings.rare,
        "common": rare_findings.common,
        "too few to average": rare_findings.too_few,
    }
    rows = (
        Row(
            (
                name,
                _share_of(rare_findings, members),
                ", ".join(labels.get(one, one) for one in members),
            )
        )
        for name, members in groups.items()
        if members
    )
    yield Table(("Findings", "Share in training", "Which"), tuple(rows), frozenset({2}))
    separate = [one for one in rare_findings.differences if one.over != "rare minus common"]
    named = [f"{short(one.first, 24)} − {short(one.second, 24)}, {one.over}" for one in separate]
    yield from forest(separate, named, f"{drawn}rare and common findings")
    lines = (
        Row(
            (f"{one.first} − {one.second}", one.over, *judged(one), verdict_word(one)),
            faint=one.verdict == "too few",
        )
        for one in rare_findings.differences
    )
    heads = ("First minus second", "Over", "Difference", "p", "p after Holm", "Verdict")
    yield Table(heads, tuple(lines), frozenset({1, 5}))
    yield Paragraph(
        f"Findings with at least {comparison.at_least} positives at test; rare: present in fewer "
        f"than {rare_findings.below:.0%} of the training studies. Last row of a pair: its "
        "difference over the rare minus that over the common findings; higher means a larger gain "
        "on findings with few training studies. "
        "Holm over the three rows of a pair.",
        "note",
    )


def _share_of(rare_findings: RareFindings, findings: Sequence[str]) -> str:
    """`0.9% to 2.8%` of the training studies."""
    shares = [rare_findings.shares[finding] for finding in findings]
    ends = [f"{share:.1%}" for share in (min(shares), max(shares))]
    return " to ".join(dict.fromkeys(ends))
