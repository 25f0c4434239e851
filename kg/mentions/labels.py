"""Labelers: values of the statements of a report in the columns of a published label set.

A statement counts for the column of its concept or, where its concept has none, for the nearest
columns wider than it by `is_a`, so that an atelectasis is not a Lung Opacity beside Atelectasis.
What a set files elsewhere by convention alone (heart failure under Edema in CheXpert), or nowhere
(`-`), stands in `conventions.tsv` with its source. In a column present beats uncertain, and
uncertain beats absent.

Each set has its own values. CheXpert's are 1, 0, -1 and blank (not mentioned); a silhouette that is
normal denies cardiomegaly, clear lungs deny nothing. NegBio's are the same, but absent beats
uncertain. NIH's are 1 and 0: one of two readings, and what is held for likely, count as there, as
in the gold labels of Open-i's development part. PadChest's are 1 and 0 too: its physicians labelled
whatever is named and not denied.
`No Finding` holds where nothing abnormal is there or possible; NIH's `normal` wants nothing else at
all, be it a scar or a catheter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from kg.errors import InputError, did_you_mean
from kg.mentions.own_tables import table_rows
from kg.mentions.statement import Assertion, Statement
from kg.model.graph import KnowledgeGraph, LabelSet

Value = int | None
"""1 present, 0 absent, -1 uncertain, None not stated."""

LIKELY_RULES = ("probable_", "alternative_")
"""Prefixes of the rules that make a mention probable."""

ABNORMAL_KINDS = frozenset({"finding", "disease", "complication"})
PLACED_KINDS = frozenset({"device", "procedure"})

_STRENGTH: dict[Assertion, int] = {"absent": 0, "uncertain": 1, "present": 2}
_DENIAL_FIRST: dict[Assertion, int] = {"uncertain": 0, "absent": 1, "present": 2}
_VALUES: dict[Assertion, int] = {"absent": 0, "uncertain": -1, "present": 1}


@dataclass(frozen=True)
class Style:
    """Conventions of a label set.

    Args:
        two_valued: Whether its values are 1 and 0 alone.
        denied_by_phrase: Columns that words without the finding's name may deny (`heart size is
            normal`); None = every column.
        normal_without_devices: Whether its column for a normal study is spoilt by devices and
            operations too.
        harmless: Concepts that do not spoil it.
        doubt_counts: Whether whatever is doubtful counts as present, not only what is likely.
        denial_beats_doubt: Whether absent beats uncertain where one column is said to be both.
        columns_of: The label set whose columns it has, where it has another's.
    """

    two_valued: bool = False
    denied_by_phrase: frozenset[str] | None = None
    normal_without_devices: bool = False
    harmless: frozenset[str] = frozenset()
    doubt_counts: bool = False
    denial_beats_doubt: bool = False
    columns_of: str = ""


CHEXPERT = Style(
    denied_by_phrase=frozenset({"Cardiomegaly", "Enlarged Cardiomediastinum"}),
    harmless=frozenset({"ckg:hypoinflation", "ckg:bronchovascular_crowding"}),
)
STYLES: Mapping[str, Style] = {
    "chexpert14": CHEXPERT,
    "chexpert14_negbio": replace(CHEXPERT, denial_beats_doubt=True, columns_of="chexpert14"),
    "nih14": Style(two_valued=True, normal_without_devices=True),
    "covid": Style(),
    "padchest": Style(two_valued=True, doubt_counts=True),
    "padchest_differential": Style(two_valued=True, doubt_counts=True),
}
"""The label sets there are labelers for."""


@dataclass(frozen=True)
class Labeler:
    """Turns statements into the values of one label set.

    Args:
        graph: Whose hierarchy is used.
        label_set: Columns and the concept of each.
        style: How values are written.
    """

    graph: KnowledgeGraph
    label_set: LabelSet
    style: Style

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the published order."""
        return self.label_set.columns

    def label(self, statements: Iterable[Statement]) -> dict[str, Value]:
        """The value of each column."""
        known = [one for one in statements if one.concept in self.graph.index]
        strength = _DENIAL_FIRST if self.style.denial_beats_doubt else _STRENGTH
        best: dict[str, Assertion] = {}
        for statement in known:
            for column, said in self._claims(statement):
                if column not in best or strength[said] > strength[best[column]]:
                    best[column] = said
        values = {column: self._value(best.get(column)) for column in self.columns}
        if self.label_set.no_finding is not None:
            place = self.label_set.findings.index(self.label_set.no_finding)
            empty = 0 if self.style.two_valued else None
            values[self.columns[place]] = 1 if self._is_normal(known, values) else empty
        return values

    def _claims(self, statement: Statement) -> Iterable[tuple[str, Assertion]]:
        """Columns of a statement, with its value."""
        said = statement.assertion
        likely = self.style.doubt_counts or statement.rule.startswith(LIKELY_RULES)
        if self.style.two_valued and likely and said == "uncertain":
            said = "present"
        for column, fixed in self._columns_of.get(statement.concept, ()):
            named = statement.rule != "phrase" or said != "absent"
            if named or self._may_deny(column):
                yield column, fixed if fixed and said == "present" else said

    def _may_deny(self, column: str) -> bool:
        allowed = self.style.denied_by_phrase
        return allowed is None or column in allowed

    def _value(self, said: Assertion | None) -> Value:
        if self.style.two_valued:
            return int(said == "present")
        return None if said is None else _VALUES[said]

    def _is_normal(self, statements: Iterable[Statement], values: Mapping[str, Value]) -> bool:
        """True if nothing abnormal is present or possible."""
        beside = {self.label_set.findings.index(c) for c in self.label_set.with_no_finding}
        if any(values[c] for place, c in enumerate(self.columns) if place not in beside):
            return False
        kinds = ABNORMAL_KINDS | (PLACED_KINDS if self.style.normal_without_devices else set())
        return not any(
            statement.assertion != "absent"
            and statement.concept not in self.style.harmless
            and self.graph.concept(statement.concept).kind in kinds
            for statement in statements
        )

    @cached_property
    def _columns_of(self) -> Mapping[str, tuple[tuple[str, Assertion | None], ...]]:
        """Columns each concept counts for, with what they make of a present one where not that."""
        own = dict(zip(self.label_set.findings, self.columns, strict=True))
        own.pop(self.label_set.no_finding or "", None)
        placed: dict[str, tuple[tuple[str, Assertion | None], ...]] = {
            concept: ((own[concept], None),) if concept in own else ()
            for concept in self.graph.index
        }
        for row in table_rows("conventions.tsv"):
            if row["label_set"] == self.label_set.name and row["concept"] in placed:
                said: Assertion | None = row["asserts"] or None  # type: ignore[assignment]
                placed[row["concept"]] += ((row["column"], said),)
        return {concept: placed[concept] or self._nearest(concept, placed) for concept in placed}

    def _nearest(
        self, concept: str, placed: Mapping[str, tuple[tuple[str, Assertion | None], ...]]
    ) -> tuple[tuple[str, Assertion | None], ...]:
        """Columns of the wider concepts that have one with none nearer to this concept between."""
        wider = [above for above in self.graph.ancestors(concept) if placed[above]]
        hidden = {far for near in wider for far in self.graph.ancestors(near)}
        found = [claim for above in wider if above not in hidden for claim in placed[above]]
        return tuple(dict.fromkeys(found))


def labeler(graph: KnowledgeGraph, name: str) -> Labeler:
    """The labeler of a label set.

    Raises:
        InputError: If there is none for it.
    """
    if name not in STYLES:
        raise InputError(f"no labeler for the label set {name!r}", did_you_mean(name, STYLES))
    style = STYLES[name]
    return Labeler(graph, graph.label_set(style.columns_of or name), style)
