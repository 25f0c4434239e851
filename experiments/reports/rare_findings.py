"""Rare and common findings on the page of a comparison: does a system gain where few teach it?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from experiments.compare.records import Comparison, RareFindings
from experiments.compare.wording import rare_findings_sentence, verdict_word
from experiments.reports.comparing import forest, judged, macro_differences, short
from experiments.reports.document import Block, Bullets, Row, Table, Words

__all__ = ["rarity_blocks"]


def rarity_blocks(comparison: Comparison, rarity: RareFindings, drawn: str) -> Iterator[Block]:
    """Which findings are rare, and each pair over the rare and over the common ones.

    Args:
        comparison: The comparison.
        rarity: Its findings parted by how common they are.
        drawn: What the names of its drawings begin with.
    """
    labels = {one.finding: one.label for one in comparison.entries[0].findings}
    macros = macro_differences(comparison)
    told = [one for one in macros if one.family == "primary"] or macros[:5]
    yield Bullets(tuple(rare_findings_sentence(rarity, one.first, one.second) for one in told))
    groups = {"rare": rarity.rare, "common": rarity.common, "too few to average": rarity.too_few}
    rows = (
        Row((name, _share_of(rarity, found), ", ".join(labels.get(one, one) for one in found)))
        for name, found in groups.items()
        if found
    )
    yield Table(("Findings", "Share in training", "Which"), tuple(rows), frozenset({2}))
    found = [one for one in rarity.differences if one.over != "rare minus common"]
    named = [f"{short(one.first, 24)} − {short(one.second, 24)}, {one.over}" for one in found]
    yield from forest(found, named, f"{drawn}rare and common findings")
    lines = (
        Row(
            (f"{one.first} − {one.second}", one.over, *judged(one), verdict_word(one)),
            faint=one.verdict == "too few",
        )
        for one in rarity.differences
    )
    heads = ("First minus second", "Over", "Difference", "p", "p after Holm", "The first is")
    yield Table(heads, tuple(lines), frozenset({1, 5}))
    yield Words(
        f"Findings with at least {comparison.at_least} positives at test, halved by their share of "
        "positives in training. Last row of a pair: its difference over the rare minus that over "
        "the common findings, so that higher means a larger gain where few studies teach. Holm "
        "over the three rows of a pair.",
        "note",
    )


def _share_of(rarity: RareFindings, findings: Sequence[str]) -> str:
    """`0.9% to 2.8%` of the training studies."""
    shares = [rarity.shares[finding] for finding in findings]
    ends = [f"{share:.1%}" for share in (min(shares), max(shares))]
    return " to ".join(dict.fromkeys(ends))
