"""Plain triples: subject, relation, object in a tab-separated table or one JSON object a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from kg.build.align import normal_name
from kg.errors import InputError, did_you_mean
from kg.files.tables import cells_of, opened, parsed_json
from kg.model.concepts import ANY_KIND, Concept
from kg.model.edges import RELATIONS, Edge, Evidence, Status, is_curie, known_relation
from kg.options import Options as BaseOptions
from kg.options import parse_options
from kg.sources import Facts
from kg.sources._names import Names

__all__ = ["Triples"]

_SHORT = {"s": "subject", "p": "relation", "o": "object", "h": "subject", "r": "relation",
          "t": "object", "head": "subject", "tail": "object", "predicate": "relation"}  # fmt: skip
_NEEDED = ("subject", "relation", "object")


class Stated(BaseOptions):
    """One triple as written; the options fill in evidence that it does not state."""

    subject: str
    relation: str
    object: str
    source: str = ""
    licence: str = ""
    dataset: str | None = None
    weight: float | None = None
    count: int | None = None
    detail: str = ""
    label_set: str | None = None


class Triples:
    """Reads triples; an end without a concept of its id or name becomes one.

    Args:
        options: The file, and the meaning of its words.
    """

    class Options(BaseOptions):
        """The file, relative to the recipe, and the meaning of its words.

        Args:
            file: `.tsv` (with a header, or three bare columns) or `.jsonl`; also as `.gz`.
            source: Source of triples that state none.
            licence: Its terms.
            status: Status of its triples: asserted, derived or mined.
            dataset: Data set they were mined from.
            relations: For a word of the file, a relation of the graph or a CURIE, or `drop`.
            prefix: Prefix of new concepts and of relations the graph has no name for.
            kind: Kind of new concepts.
            subject_kinds: For a relation, the kind of new subjects.
            object_kinds: For a relation, the kind of new objects.
            new_concepts: True if unknown ends become concepts, False if they are dropped.
        """

        file: str
        source: str
        licence: str = ""
        status: Status = "asserted"
        dataset: str | None = None
        relations: Mapping[str, str] = {}
        prefix: str = "x"
        kind: str = ANY_KIND
        subject_kinds: Mapping[str, str] = {}
        object_kinds: Mapping[str, str] = {}
        new_concepts: bool = True

    def __init__(self, options: Options) -> None:
        self.options = options
        if (options.status == "mined") != (options.dataset is not None):
            raise InputError(
                f"triples: {options.file}: status {options.status} with data set {options.dataset}",
                "mined triples, and no others, name a data set",
            )

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the triples.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources; ends are looked up in them.

        Raises:
            InputError: If the file is missing, or a line is no triple; names the line.
        """
        names, dropped = Names(known.concepts), Counter[str]()
        made: dict[str, Concept] = {}
        edges: dict[tuple[str, str, str, str], set[Evidence]] = {}
        for where, triple in _triples(folder / self.options.file):
            relation = self._relation(triple.relation, where)
            ends = [
                self._end(triple.subject, relation, self.options.subject_kinds, names, made),
                self._end(triple.object, relation, self.options.object_kinds, names, made),
            ]
            if relation == "drop":
                dropped["triple of a relation that is not selected"] += 1
            elif ends[0] is None or ends[1] is None:
                dropped["triple with an end that the graph does not know"] += 1
            elif ends[0] == ends[1]:
                dropped["triple whose ends are one concept"] += 1
            else:
                key = (ends[0], relation, ends[1], triple.label_set or "")
                items = edges.setdefault(key, set())
                dropped["triple stated twice"] += self._evidence(triple) in items
                items.add(self._evidence(triple))
        found = [
            Edge(s, r, o, tuple(sorted(items, key=str)), label_set or None)
            for (s, r, o, label_set), items in edges.items()
        ]
        used = {end for edge in found for end in (edge.subject, edge.object)}
        return Facts([c for c in made.values() if c.id in used], found, dropped=dropped)

    def _relation(self, word: str, where: str) -> str:
        chosen = self.options.relations.get(word, word)
        if chosen == "drop" or chosen in RELATIONS or is_curie(chosen):
            return chosen if chosen == "drop" else known_relation(chosen)
        if word in self.options.relations:
            raise InputError(f"{where}: no relation {chosen!r}", did_you_mean(chosen, RELATIONS))
        return f"{self.options.prefix}:{_slug(word)}"

    def _end(
        self, name: str, relation: str, kinds: Mapping[str, str], names: Names,
        made: dict[str, Concept],
    ) -> str | None:  # fmt: skip
        found = names.find(name)
        if found is not None or not self.options.new_concepts:
            return found
        chosen = self.options
        own = name if is_curie(name) else f"{chosen.prefix}:{_slug(name)}"
        kind = kinds.get(relation, chosen.kind)
        before = made.get(own)
        if before is None or (before.kind == chosen.kind and kind != chosen.kind):
            made[own] = Concept(own, name, kind, source=chosen.source, dataset=chosen.dataset)
        return own

    def _evidence(self, triple: Stated) -> Evidence:
        chosen = self.options
        dataset = triple.dataset or chosen.dataset
        return Evidence(
            source=triple.source or chosen.source,
            tag=f"data:{dataset}" if dataset else "triple",
            status="mined" if dataset else chosen.status,
            dataset=dataset,
            licence=triple.licence or chosen.licence,
            weight=triple.weight,
            count=triple.count,
            detail=triple.detail,
        )


def _triples(path: Path) -> Iterator[tuple[str, Stated]]:
    lines = ".jsonl" in path.suffixes
    with opened(path) as handle:
        rows = _json_lines(handle, path) if lines else _table(handle, path)
        for where, row in rows:
            known = {_SHORT.get(key, key): value for key, value in row.items()}
            triple = parse_options(Stated, known, where=where)
            if not (triple.subject and triple.relation and triple.object):
                raise InputError(f"{where}: an empty subject, relation or object", "fill it")
            yield where, triple


def _json_lines(handle: Iterator[str], path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    for number, line in enumerate(handle, start=1):
        where = f"{path.name}, line {number}"
        if line.strip():
            row = parsed_json(line, where)
            if not isinstance(row, dict):
                raise InputError(f"{where}: is no object", "write subject, relation and object")
            yield where, row


def _table(handle: Iterator[str], path: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    columns: list[str] = []
    for line, cells in cells_of(handle, path.name, delimiter="\t", quoted=False):
        where = f"{path.name}, line {line}"
        if not columns:
            named = [_SHORT.get(cell.casefold(), cell.casefold()) for cell in cells]
            columns = named if set(_NEEDED) <= set(named) else list(_NEEDED)
            if columns is named:
                continue
        if len(cells) != len(columns):
            raise InputError(f"{where}: {len(cells)} cells, not {len(columns)}", "separate by tabs")
        # An empty cell says nothing; the subject, relation and object must say something.
        yield where, {k: v for k, v in zip(columns, cells, strict=True) if v or k in _NEEDED}


def _slug(word: str) -> str:
    return re.sub(r"\s+", "_", normal_name(word)) or "unnamed"
