"""KGX: concepts and edges from the tab-separated tables of Biolink knowledge graphs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from kg.errors import InputError
from kg.files.shown import of_cell
from kg.files.tables import Row, cells_of, opened
from kg.model import biolink
from kg.model.concepts import ANY_KIND, Concept, Phrase
from kg.model.edges import RELATIONS, Edge, Evidence, Status, is_curie
from kg.options import Options as BaseOptions
from kg.sources import Facts

__all__ = ["Kgx"]

_KINDS = {category: kind for kind, category in reversed(biolink.CATEGORIES.items())}
_RELATIONS = {predicate: name for name, predicate in reversed(biolink.PREDICATES.items())}
_SOURCES = ("primary_knowledge_source", "knowledge_source", "provided_by")
_DERIVED = ("logical_entailment", "prediction")


class Kgx:
    """Reads the two tables; the first Biolink word that the graph has one for is taken.

    Args:
        options: The tables, and the source of what states none.
    """

    class Options(BaseOptions):
        """The tables, relative to the recipe, and the source of what states none.

        Args:
            nodes: Table of nodes, also as `.gz`.
            edges: Table of edges, also as `.gz`; without it the nodes alone are read.
            source: Source of nodes and edges that state none.
            licence: Terms of edges that state none.
        """

        nodes: str
        edges: str | None = None
        source: str
        licence: str = ""

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the tables.

        Args:
            folder: Folder the files are relative to.
            known: Facts of earlier sources; edges may lead to their concepts.

        Raises:
            InputError: If a table is missing or malformed; names file and line.
        """
        concepts = {
            row["id"]: self._concept(row)
            for row in _rows(folder / self.options.nodes, ("id", "category"))
        }
        there = {*concepts, *(concept.id for concept in known.concepts)}
        edges: dict[tuple[str, str, str, str], set[Evidence]] = {}
        dropped = Counter[str]()
        if self.options.edges:
            needed = ("subject", "predicate", "object")
            for row in _rows(folder / self.options.edges, needed):
                key = (row["subject"], _relation(row), row["object"], _read(row, "label_set"))
                if not {key[0], key[2]} <= there:
                    dropped["edge with an end that is no node"] += 1
                elif key[0] == key[2]:
                    dropped["edge whose ends are one concept"] += 1
                else:
                    edges.setdefault(key, set()).add(self._evidence(row))
        found = [
            Edge(subject, relation, target, tuple(sorted(items, key=str)), label_set or None)
            for (subject, relation, target, label_set), items in edges.items()
        ]
        return Facts(list(concepts.values()), found, dropped=dropped)

    def _concept(self, row: Row) -> Concept:
        label = _read(row, "name") or row["id"]
        source = " || ".join(_listed(row, "provided_by")) or self.options.source
        categories = [_KINDS[name] for name in _listed(row, "category") if name in _KINDS]
        synonyms = tuple(word for word in _listed(row, "synonym") if word != label)
        dataset = _read(row, "dataset") or None
        return Concept(
            id=row["id"],
            label=label,
            kind=_read(row, "kind") or (categories[0] if categories else ANY_KIND),
            synonyms=synonyms,
            xrefs=_listed(row, "xref"),
            phrases=tuple(
                Phrase(word.lower(), kind, source, dataset=dataset)
                for kind, words in (("label", (label,)), ("synonym", synonyms))
                for word in words
            ),
            definition=_read(row, "description"),
            source=source,
            dataset=dataset,
        )

    def _evidence(self, row: Row) -> Evidence:
        stated = next((_read(row, name) for name in _SOURCES if _read(row, name)), "")
        source = " || ".join((stated or self.options.source, *_listed(row, "publications")))
        dataset, count = _read(row, "dataset"), _number(row, "count")
        return Evidence(
            source=source,
            tag=_read(row, "tag") or "kgx",
            status=_status(row, dataset),
            dataset=dataset or None,
            licence=_read(row, "licence") or self.options.licence,
            weight=_number(row, "weight"),
            count=None if count is None else int(count),
            detail=_read(row, "detail"),
        )


def _number(row: Row, column: str) -> float | None:
    """A number from 0, or None where the cell is empty.

    Raises:
        InputError: If it is none.
    """
    text = _read(row, column)
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not 0 <= number < math.inf:
        raise InputError(f"{row.where}: {column} {text!r} is no number from 0", "correct it")
    return number


def _status(row: Row, dataset: str) -> Status:
    if dataset:
        return "mined"
    level = _read(row, "knowledge_level")
    return "derived" if level in _DERIVED else "asserted"


def _relation(row: Row) -> str:
    """The graph's relation: the original one if it is known, else the one of the predicate.

    Raises:
        InputError: If the predicate is no CURIE.
    """
    original, predicate = _read(row, "original_predicate"), row["predicate"]
    if original in RELATIONS or is_curie(original):
        return original
    if predicate in _RELATIONS:
        return _RELATIONS[predicate]
    if not is_curie(predicate):
        raise InputError(f"{row.where}: predicate {predicate!r}", "write biolink:...")
    return predicate


def _rows(path: Path, needed: Sequence[str]) -> Iterator[Row]:
    """Rows of a table without quotes; cells that must be filled are."""
    with opened(path) as handle:
        rows = cells_of(handle, path.name, delimiter="\t", quoted=False)
        _, header = next(rows, (1, []))
        missing = [column for column in needed if column not in header]
        if missing:
            raise InputError(f"{path.name}, line 1: no column {', '.join(missing)}", "see KGX")
        for line, cells in rows:
            where = f"{path.name}, line {line}"
            if len(cells) != len(header):
                hint = "separate cells by one tab"
                raise InputError(f"{where}: {len(cells)} cells, not {len(header)}", hint)
            row = Row(dict(zip(header, cells, strict=True)), where)
            if empty := [column for column in needed if not row[column]]:
                raise InputError(f"{where}: an empty {empty[0]}", "fill it")
            yield row


def _read(row: Row, column: str) -> str:
    """A cell, empty where there is no such column."""
    return of_cell(row.cells.get(column, "").strip())


def _listed(row: Row, column: str) -> tuple[str, ...]:
    items = row.cells.get(column, "").split("|")
    return tuple(dict.fromkeys(of_cell(item.strip()) for item in items if item.strip()))
