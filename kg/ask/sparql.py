"""Runs one SPARQL query on one file, as a process of its own that can be ended in time.

Called by `kg.ask.query`, with the query on stdin and its result, in the form that fits it, on
stdout.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyoxigraph as ox

from kg.errors import InputError
from kg.files.child import confine, refuse
from kg.files.native import native
from kg.files.rdf import PREFIXES, SYMMETRIC, A, iri, quads
from kg.files.rdf_files import fill
from kg.files.store import ENDINGS, load
from kg.model.edges import RELATIONS, SYMMETRIC_ELSEWHERE

LARGEST = 256 << 20
"""Bytes of the largest answer."""

TABLE, GRAPH = "table", "graph"


def store_of(path: Path, *, allow_edited: bool = False) -> ox.Store:
    """A store with a graph file, or any RDF file.

    A graph's edges are plain triples in the default graph and, once more, in one named graph for
    each data set or source. Symmetric relations are stated in both directions, in graphs and in
    other files that declare them.

    Raises:
        InputError: If the file is missing or malformed.
    """
    store = ox.Store()
    if path.suffix == ".jsonl":
        store.bulk_extend(quads(load(path, allow_edited=allow_edited), plain=True, named=True))
    else:
        fill(store, path)
    _turn_symmetric(store)
    return store


def _turn_symmetric(store: ox.Store) -> None:
    """Add the other direction of every statement of a symmetric relation."""
    known = [name.iri for name in RELATIONS.values() if name.symmetric]
    predicates = {iri(name) for name in (*known, *SYMMETRIC_ELSEWHERE)}
    declared = (quad.subject for quad in store.quads_for_pattern(None, A, SYMMETRIC))
    for predicate in predicates.union(one for one in declared if isinstance(one, ox.NamedNode)):
        stated = list(store.quads_for_pattern(None, predicate, None))
        store.extend(
            ox.Quad(quad.object, predicate, quad.subject, quad.graph_name)
            for quad in stated
            if isinstance(quad.object, ox.NamedNode | ox.BlankNode)
        )


def run(path: Path, query: str, *, allow_edited: bool = False) -> tuple[str, bytes]:
    """The kind of a query's result and its content.

    Raises:
        InputError: If the file or the query is malformed.
    """
    store = store_of(path, allow_edited=allow_edited)
    union = path.suffix != ENDINGS[0]
    with native("query", "SPARQL", hint="see the SPARQL 1.1 query language"):
        result = store.query(query, prefixes=PREFIXES, use_default_graph_as_union=union)
        if isinstance(result, ox.QueryTriples):
            content = ox.serialize(result, format=ox.RdfFormat.TURTLE, prefixes=PREFIXES)
            return GRAPH, bytes(content or b"")
        return TABLE, bytes(result.serialize(format=ox.QueryResultsFormat.JSON) or b"")


def main() -> int:
    """Read the query, write the result."""
    path, *more = confine()
    try:
        kind, content = run(Path(path), sys.stdin.read(), allow_edited=bool(more))
        if len(content) > LARGEST:
            raise InputError(f"the answer is larger than {LARGEST >> 20} MiB", "add LIMIT")
    except InputError as error:
        return refuse(error)
    sys.stdout.buffer.write(f"{kind}\n".encode() + content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
