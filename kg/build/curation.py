"""Judgements: what is entailment, what a label set's convention, and what is mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kg.errors import InputError, did_you_mean
from kg.files.tables import read_rows
from kg.model.concepts import Concept
from kg.model.edges import GROUPED_UNDER, IS_A, RELATIONS

BROADER = "skos:broader"
DROP = "drop"

Triple = tuple[str, str, str]

_NAMES = {relation.iri: name for name, relation in RELATIONS.items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one stated fact.

    Args:
        relation: The relation it is kept under, or `drop`.
        object: Its object, which may be another one than stated.
        label_set: For `grouped_under`, the label set whose convention it is.
        why: The reason, with figures where a label table was asked.
    """

    relation: str
    object: str
    label_set: str | None
    why: str


class Judgements:
    """Verdicts on single facts; what has none keeps its relation, `skos:broader` being `is_a`."""

    def __init__(self, verdicts: dict[Triple, Verdict] | None = None) -> None:
        self.verdicts = verdicts or {}
        self._used: set[Triple] = set()

    @classmethod
    def read(cls, path: Path) -> Judgements:
        """Read a table of verdicts.

        Raises:
            InputError: If a verdict is no relation, or a grouping names no label set.
        """
        columns = ("subject", "relation", "object", "verdict", "new_object", "label_set", "why")
        verdicts: dict[Triple, Verdict] = {}
        for row in read_rows(path, columns):
            key = (row["subject"], row["relation"], row["object"])
            if row["verdict"] not in (*RELATIONS, DROP):
                hint = did_you_mean(row["verdict"], (*RELATIONS, DROP))
                raise InputError(f"{row.where}: no verdict {row['verdict']!r}", hint)
            if (row["verdict"] == GROUPED_UNDER) != bool(row["label_set"]):
                raise InputError(
                    f"{row.where}: grouped_under, and nothing else, names a label set",
                    "fill or empty label_set",
                )
            if key in verdicts:
                raise InputError(f"{row.where}: {' '.join(key)} is judged twice", "keep one")
            verdicts[key] = Verdict(
                row["verdict"], row["new_object"] or key[2], row["label_set"] or None, row["why"]
            )
        return cls(verdicts)

    def judge(self, subject: str, relation: str, obj: str, *, where: str) -> Verdict:
        """The verdict on a fact as stated, its relation given as a CURIE.

        Raises:
            InputError: If the relation is unknown.
        """
        key = (subject, relation, obj)
        if key in self.verdicts:
            self._used.add(key)
            return self.verdicts[key]
        if relation == BROADER:
            return Verdict(IS_A, obj, None, "")
        if relation not in _NAMES:
            raise InputError(f"{where}: no relation {relation}", did_you_mean(relation, _NAMES))
        return Verdict(_NAMES[relation], obj, None, "")

    def unused(self) -> list[Triple]:
        """Verdicts on facts that were never stated."""
        return sorted(set(self.verdicts) - self._used)


@dataclass(frozen=True, slots=True)
class Mend:
    """A change to one concept: another `kind`, or a name it is `not_called`."""

    concept: str
    field: str
    value: str
    where: str


def read_mends(path: Path) -> list[Mend]:
    """Read the table of mends to concepts.

    Raises:
        InputError: If a mend changes something other than `kind` or `not_called`.
    """
    mends = []
    for row in read_rows(path, ("concept", "field", "value", "why")):
        if row["field"] not in ("kind", "not_called"):
            hint = did_you_mean(row["field"], ("kind", "not_called"))
            raise InputError(f"{row.where}: no field {row['field']!r}", hint)
        mends.append(Mend(row["concept"], row["field"], row["value"], row.where))
    return mends


def apply_mends(concepts: Iterable[Concept], mends: Iterable[Mend]) -> list[Concept]:
    """Concepts after the mends.

    Raises:
        InputError: If a mend changes nothing (no such concept, or it has no such name).
    """
    mended = {concept.id: concept for concept in concepts}
    for mend in mends:
        before = mended.get(mend.concept)
        if before is None:
            hint = did_you_mean(mend.concept, mended)
            raise InputError(f"{mend.where}: no concept {mend.concept}", hint)
        if mend.field == "kind":
            after = replace(before, kind=mend.value)
        else:
            name = mend.value.casefold()
            after = replace(
                before,
                synonyms=tuple(word for word in before.synonyms if word.casefold() != name),
                phrases=tuple(
                    phrase
                    for phrase in before.phrases
                    if phrase.kind != "synonym" or phrase.text.casefold() != name
                ),
            )
        if after == before:
            raise InputError(f"{mend.where}: changes nothing", "take the row out")
        mended[mend.concept] = after
    return list(mended.values())
