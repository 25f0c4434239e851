"""Lossless storage of a graph in a file: JSON lines, Turtle or TriG."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from kg.errors import InputError, did_you_mean
from kg.files.atomic import write_whole
from kg.files.json_text import json_of
from kg.files.regular import read_file
from kg.files.typed import malformed
from kg.model.concepts import Concept, Phrase
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph, LabelSet
from kg.model.plain import as_plain
from kg.model.records import Malformed, Records

ENDINGS = (".jsonl", ".ttl", ".trig")
FORMAT = 1
SHIPPED = Path(__file__).parents[1] / "shipped" / "clinical.jsonl"


def save(graph: KnowledgeGraph, path: Path) -> None:
    """Write a graph; the ending chooses the format. The file is written whole or not at all.

    Args:
        graph: The graph.
        path: `.jsonl`, `.ttl` or `.trig` (edges also asserted in one named graph for each data
            set or source).

    Raises:
        InputError: On another ending, or if the folder cannot be written to.
    """
    write_whole(path, serialised(graph, check_ending(path)))


def serialised(graph: KnowledgeGraph, ending: str) -> bytes:
    """The content of a graph's file in the format of an ending."""
    if ending == ".jsonl":
        return "".join(f"{line}\n" for line in _lines(graph)).encode()
    from kg.files.rdf import to_rdf

    return to_rdf(graph, ending)


def load(path: Path, *, allow_edited: bool = False) -> KnowledgeGraph:
    """Read a graph that `save` wrote, or one written by hand in the same form.

    Args:
        path: The file.
        allow_edited: Whether it may be another graph than the one whose fingerprint it states.

    Raises:
        InputError: If the file is missing, truncated, malformed or edited; names file and line.
    """
    records = read_records(path)
    if records.malformed:
        listed = "; ".join(f"{about}: {message}" for about, message in records.malformed)
        raise InputError(f"{path.name}: {listed}", "correct it; `kgdx graph validate` lists all")
    if records.bare:
        raise InputError(
            f"{path.name}: {len(records.bare)} edges without evidence, first "
            f"{' '.join(min(records.bare))}",
            "add an rdf:Statement with kgdx:evidence for each",
        )
    for plural, found in (
        ("concepts", records.concepts),
        ("edges", records.edges),
        ("label_sets", records.label_sets),
    ):
        if records.counts.get(plural, len(found)) != len(found):
            raise InputError(
                f"{path.name}: {len(found)} {plural} where its first line says "
                f"{records.counts[plural]}",
                "the file is cut short or was edited; fix the first line or save it again",
            )
    graph = records.graph()
    if records.fingerprint not in ("", graph.fingerprint) and not allow_edited:
        raise InputError(
            f"{path.name}: was edited after its build: it is graph {graph.fingerprint[:12]}, and "
            f"says it is {records.fingerprint[:12]}",
            "build it again, or use it as it is with --allow-edited",
        )
    return graph


def read_records(path: Path) -> Records:
    """Read the records of a graph file, whether or not they make a graph.

    Raises:
        InputError: If the file is missing or is no file of records; names file and line.
    """
    ending = check_ending(path)
    if ending == ".jsonl":
        return _from_lines(path.name, read_file(path))
    from kg.files.rdf import from_rdf

    return from_rdf(path)


@cache
def load_shipped() -> KnowledgeGraph:
    """The clinical graph this project ships, read once in a process."""
    return load(SHIPPED)


def check_ending(path: Path) -> str:
    """The ending of a graph file.

    Raises:
        InputError: If graphs are not stored in that format.
    """
    if path.suffix not in ENDINGS:
        hint = did_you_mean(path.suffix, ENDINGS)
        raise InputError(f"{path}: a graph is not stored as {path.suffix or 'that'}", hint)
    return path.suffix


def _lines(graph: KnowledgeGraph) -> Iterator[str]:
    header = {
        "record": "graph",
        "format": FORMAT,
        "name": graph.name,
        "concepts": len(graph.concepts),
        "edges": len(graph.edges),
        "label_sets": len(graph.label_sets),
        "fingerprint": graph.fingerprint,
    }
    yield json.dumps(header)
    for kind, records in (
        ("concept", graph.concepts),
        ("edge", graph.edges),
        ("label_set", graph.label_sets),
    ):
        for record in records:
            yield json.dumps({"record": kind, **_lean(as_plain(record))}, ensure_ascii=False)


def _lean(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its empty fields; empty is the default of every optional field."""
    return {
        key: [_lean(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, tuple)
        else value
        for key, value in record.items()
        if value is not None and value not in ("", ())
    }


def _from_lines(name: str, content: bytes) -> Records:
    found: dict[str, list[Any]] = {"concept": [], "edge": [], "label_set": []}
    left_out: list[Malformed] = []
    header: dict[str, Any] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        where = f"{name}, line {number}"
        record = _parsed(line, where)
        kind = record.pop("record", None)
        if number == 1:
            header = _checked_header(kind, record, where)
        elif isinstance(kind, str) and kind in found:
            wrong = malformed(_KINDS[kind], record, f"line {number}")
            if wrong is None:
                found[kind].append(_made(_MAKERS[kind], record, where))
            else:
                left_out.append(wrong)
        else:
            raise InputError(f"{where}: no record {kind!r}", did_you_mean(str(kind), found))
    if not header:
        raise InputError(f"{name}, line 1: the file is empty", "save the graph again")
    return Records(
        name=str(header.get("name", "graph")),
        concepts=found["concept"],
        edges=found["edge"],
        label_sets=found["label_set"],
        fingerprint=str(header.get("fingerprint", "")),
        malformed=left_out,
        counts={key: header[key] for key in ("concepts", "edges", "label_sets") if key in header},
    )


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json_of(line)
    except ValueError as error:
        raise InputError(f"{where}: is not JSON ({error})", "save the graph again") from None
    if not isinstance(record, dict):
        raise InputError(f"{where}: is not a record", "each line is one JSON object")
    return record


def _checked_header(kind: object, record: dict[str, Any], where: str) -> dict[str, Any]:
    if kind != "graph" or record.get("format") != FORMAT:
        raise InputError(
            f"{where}: is not the head of a graph of format {FORMAT}", "save the graph again"
        )
    return record


def _made(maker: Callable[[dict[str, Any]], Any], record: dict[str, Any], where: str) -> Any:
    try:
        return maker(record)
    except (TypeError, AttributeError, KeyError) as error:
        known = {field.name for kind in (Concept, Edge, LabelSet) for field in fields(kind)}
        hint = f"fields are: {', '.join(sorted(known))}"
        raise InputError(f"{where}: {error}", hint) from None


def _concept(record: dict[str, Any]) -> Concept:
    phrases = tuple(Phrase(**phrase) for phrase in record.pop("phrases", ()))
    for field in ("synonyms", "xrefs"):
        record[field] = tuple(record.get(field, ()))
    return Concept(phrases=phrases, **record)


def _edge(record: dict[str, Any]) -> Edge:
    evidence = tuple(Evidence(**item) for item in record.pop("evidence", ()))
    return Edge(evidence=evidence, **record)


def _label_set(record: dict[str, Any]) -> LabelSet:
    for field in ("findings", "columns", "with_no_finding"):
        record[field] = tuple(record.get(field, ()))
    return LabelSet(**record)


_KINDS: dict[str, type] = {"concept": Concept, "edge": Edge, "label_set": LabelSet}
_MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "concept": _concept,
    "edge": _edge,
    "label_set": _label_set,
}
