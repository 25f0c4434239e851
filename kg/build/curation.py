"""Curation: verdicts on stated facts (entailment, convention of a label set), fixes to concepts."""

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
    """A decision about one stated fact.

    Args:
        relation: The relation it is kept under, or `drop`.
        object: Its object, which may be another one than stated.
        label_set: For `grouped_under`, the label set whose convention it is.
        why: The reason, with figures where a label table was counted.
    """

    relation: str
    object: str
    label_set: str | None
    why: str


class Curation:
    """Verdicts on single facts; a fact without one keeps its relation, `skos:broader` as `is_a`."""

    def __init__(self, verdicts: dict[Triple, Verdict] | None = None) -> None:
        self.verdicts = verdicts or {}
        self._used: set[Triple] = set()

    @classmethod
    def read(cls, path: Path) -> Curation:
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
                raise InputError(f"{row.where}: {' '.join(key)} has two verdicts", "keep one")
            verdicts[key] = Verdict(
                row["verdict"], row["new_object"] or key[2], row["label_set"] or None, row["why"]
            )
        return cls(verdicts)

    def verdict(self, subject: str, relation: str, obj: str, *, where: str) -> Verdict:
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
class Fix:
    """A correction of one concept: another `kind`, or a name it is `not_called`."""

    concept: str
    field: str
    value: str
    where: str


def read_fixes(path: Path) -> list[Fix]:
    """Read the table of fixes to concepts.

    Raises:
        InputError: If a fix changes something other than `kind` or `not_called`.
    """
    fixes = []
    for row in read_rows(path, ("concept", "field", "value", "why")):
        if row["field"] not in ("kind", "not_called"):
            hint = did_you_mean(row["field"], ("kind", "not_called"))
            raise InputError(f"{row.where}: no field {row['field']!r}", hint)
        fixes.append(Fix(row["concept"], row["field"], row["value"], row.where))
    return fixes


def apply_fixes(concepts: Iterable[Concept], fixes: Iterable[Fix]) -> list[Concept]:
    """Concepts after the fixes.

    Raises:
        InputError: If a fix changes nothing (no such concept, or it has no such name).
    """
    fixed = {concept.id: concept for concept in concepts}
    for fix in fixes:
        before = fixed.get(fix.concept)
        if before is None:
            hint = did_you_mean(fix.concept, fixed)
            raise InputError(f"{fix.where}: no concept {fix.concept}", hint)
        if fix.field == "kind":
            after = replace(before, kind=fix.value)
        else:
            name = fix.value.casefold()
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
            raise InputError(f"{fix.where}: changes nothing", "remove the row")
        fixed[fix.concept] = after
    return list(fixed.values())
