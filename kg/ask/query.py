"""SPARQL on a graph file or a remote endpoint, with a time limit, and queries saved by name."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.errors import InputError, did_you_mean
from kg.files.atomic import write_whole
from kg.files.child import Child, Limits
from kg.files.json_text import json_of
from kg.files.regular import open_file, read_file

MEMORY, TIMES = 1 << 30, 60
"""Bytes a query may take, and how many times the size of its file more."""

SHIPPED_QUERIES = Path(__file__).parents[1] / "queries"

_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'(?:[^\\]|\\.)*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
    r"|<[^<>\"{}|^`\\\s]*>|#[^\n]*|(?<![\w?$:.-])(?P<service>service)(?![\w:-])",
    re.IGNORECASE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Answer:
    """The result of a query.

    Args:
        columns: Variables of a SELECT; empty for a graph.
        rows: Terms of each solution, None where unbound; a term as SPARQL JSON gives it.
        yes: The answer of an ASK, else None.
        turtle: The graph of a CONSTRUCT or DESCRIBE, else None.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Mapping[str, str] | None, ...], ...] = ()
    yes: bool | None = None
    turtle: str | None = None


class QueryTimeout(InputError):
    """A query exceeded its time limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the query was not done in {seconds:g} seconds",
            "narrow it, add LIMIT, or give it more with --timeout",
        )


def query_file(
    path: Path, query: str, *, seconds: float, memory: int = 0, allow_edited: bool = False
) -> Answer:
    """Answer a query on a graph file or any RDF file, in a process of its own.

    Nothing is fetched: SERVICE is refused, and the time covers loading too.

    Args:
        path: `.jsonl`, `.ttl`, `.trig`, `.owl`, `.rdf`, `.nt`, ...
        query: SPARQL 1.1; the project's prefixes need no declaration.
        seconds: Time limit.
        memory: Memory limit in bytes; 0 = `MEMORY`, and `TIMES` the file's size more.
        allow_edited: True if a graph may have been edited after its build.

    Raises:
        InputError: If the file or the query is malformed, or takes more time or memory.
    """
    refuse_service(query)
    with open_file(path) as file:
        memory = memory or MEMORY + TIMES * os.fstat(file.fileno()).st_size
    limits = Limits(memory, seconds + 1)
    given = (str(path.resolve()), *(["edited"] if allow_edited else []))
    with Child("kg.ask.sparql", *given, limits=limits) as child:
        try:
            content, _ = child.process.communicate(query.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            raise QueryTimeout(seconds) from None
        child.check("the query")
    kind, _, content = content.partition(b"\n")
    return Answer(turtle=content.decode()) if kind == b"graph" else table_of(content)


def table_of(content: bytes) -> Answer:
    """The table or truth value in SPARQL results as JSON.

    Raises:
        InputError: If it is none.
    """
    try:
        results = json_of(content)
        if "boolean" in results:
            return Answer(yes=bool(results["boolean"]))
        columns = tuple(results["head"]["vars"])
        rows = results["results"]["bindings"]
        return Answer(columns, tuple(tuple(row.get(name) for name in columns) for row in rows))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"the answer is no table of SPARQL results ({error})", "is it a SPARQL endpoint?"
        ) from None


def refuse_service(query: str) -> None:
    """Refuse a query that would ask another server.

    Raises:
        InputError: If it holds a SERVICE clause.
    """
    # A query may write any letter by its number, so also those of a keyword.
    plain = _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16) % 0x110000), query)
    if any(found["service"] for found in _TOKEN.finditer(plain)):
        raise InputError("query: SERVICE would ask another server", "query it with --endpoint URL")


def saved(name: str, folder: Path | None = None) -> str:
    """The text of a saved query; the user's folder comes first.

    Raises:
        InputError: If there is none.
    """
    found = names(folder)
    if name not in found:
        raise InputError(f"no query is called {name!r}", did_you_mean(name, found))
    return read_file(found[name]).decode(errors="replace")


def names(folder: Path | None = None) -> dict[str, Path]:
    """Paths of the saved queries, by name."""
    folders = (SHIPPED_QUERIES, *([folder] if folder else ()))
    files = [path for place in folders for path in sorted(place.glob("*.rq"))]
    return {path.stem: path for path in files}


def describe(path: Path) -> str:
    """Description of a saved query: its first line, a comment."""
    lines = read_file(path).decode(errors="replace").splitlines() or [""]
    return lines[0].removeprefix("#").strip()


def save_query(name: str, query: str, folder: Path) -> Path:
    """Save a query by name.

    Raises:
        InputError: If the name is none, or the folder cannot be written to.
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a query", "use small letters, digits and _")
    text = query if query.lstrip().startswith("#") else f"# {name}\n{query}"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{name}.rq", f"{text.rstrip()}\n".encode())
    return folder / f"{name}.rq"


def filled(query: str, values: Mapping[str, str]) -> str:
    """The query with each `$name` replaced by an IRI or quoted text.

    Args:
        query: A query with `$name` where a value belongs.
        values: Terms as SPARQL writes them.

    Raises:
        InputError: If a value is missing or none of the query's.
    """
    needed = set(re.findall(r"\$([a-z]\w*)", query))
    for name in sorted(values.keys() - needed):
        raise InputError(f"the query has no ${name}", did_you_mean(name, needed))
    for name in sorted(needed - values.keys()):
        raise InputError(f"the query needs ${name}", f"--bind {name}=VALUE")
    return re.sub(r"\$([a-z]\w*)", lambda found: values[found[1]], query)


def term(value: Mapping[str, str] | None) -> str:
    """A term as people read it: an IRI as CURIE, a text without its type."""
    if value is None:
        return ""
    if value.get("type") == "uri":
        from kg.files.rdf import curie

        return curie(value["value"])
    return str(value["value"]) if not isinstance(value.get("value"), dict) else _triple(value)


def _triple(value: Any) -> str:
    terms = (term(value["value"][key]) for key in ("subject", "predicate", "object"))
    return f"<< {' '.join(terms)} >>"
