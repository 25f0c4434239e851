"""Words that turn a mention into its negation, a doubt or nothing at all; the table is `cues.tsv`.

A cue acts on the mentions that follow it (`before` the mention), precede it (`after`) or on both
sides, within its sentence and clause, as far as its reach in tokens; one that opens a `list` acts
on all that follows, across commas. The longest cue at a place wins, so that `no change in` is not
read as `no`. A cue listed both as `before` and `after` acts back only where it finds nothing ahead.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from kg.mentions.own_tables import table_rows

Effect = Literal[
    "absent", "uncertain", "probable", "alternative", "history", "nothing", "ends", "ignored"
]
Side = Literal["before", "after", "both", "list"]

FAR = 1000
"""Reach of a cue that acts up to the end of its clause."""


class Cue(NamedTuple):
    """What a cue does.

    Args:
        effect: `absent`, `uncertain`; `probable` (uncertain, but held for likely); `alternative`
            (uncertain: one of two readings); `history` (a past state: uncertain for what can pass);
            `nothing` (the mention states nothing, as in a condition); `ends` (no cue acts across
            it); `ignored` (hides a shorter cue inside it).
        side: Where it stands relative to the mentions it acts on.
        reach: How many tokens away a mention may be.
    """

    effect: Effect
    side: Side
    reach: int


def cue_phrases(name: str = "cues.tsv") -> list[tuple[str, Cue]]:
    """Every cue's words and what it does; words that act in two ways are there twice.

    Args:
        name: `cues.tsv`, or `spoken_cues.tsv` with what holds in dialogues alone.
    """
    return [
        (
            row["cue"],
            Cue(
                cast(Effect, row["effect"]),
                cast(Side, row["side"]),
                int(row["reach"] or FAR),
            ),
        )
        for row in table_rows(name)
    ]
