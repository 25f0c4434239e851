"""`kgdx graph query`: SPARQL on a graph, any RDF file or a remote endpoint; saved queries."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.graph_arguments import edited_allowed, edited_option
from kg.errors import InputError, check_format
from kg.files.shown import table_text

if TYPE_CHECKING:
    from kg.ask.query import Answer

__all__ = ["query"]


@click.command()
@output_options
@click.argument("text", metavar="QUERY", required=False)
@click.option("-g", "--graph", "file", type=click.Path(path_type=Path),
              help="Graph file, or any RDF file (.owl, .rdf, .nt, .nq, ...).")  # fmt: skip
@edited_option
@click.option("--endpoint", metavar="URL", help="Remote SPARQL endpoint to query instead.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=60.0,
              show_default=True, help="Time limit in seconds, loading included.")  # fmt: skip
@click.option("--memory", type=click.FloatRange(0, min_open=True), metavar="GIB",
              help="Memory limit.  [default: 1, plus 60 times the file]")  # fmt: skip
@click.option("--bind", "bound", multiple=True, metavar="NAME=VALUE",
              help="Value of $NAME: text, IRI, or a concept for $concept...")  # fmt: skip
@click.option("--save", metavar="NAME", help="Name under which to save the query.")
@click.option("--queries", "folder", type=click.Path(file_okay=False, path_type=Path),
              default=Path("queries"), show_default=True, help="Saved queries.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the saved queries.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .csv or .tsv for a table, .ttl for a graph.")  # fmt: skip
def query(**arguments: Any) -> None:
    r"""Run QUERY: SPARQL, the name of a saved query, `@FILE`, or `-` for stdin.

    \b
    kgdx graph query 'SELECT ?l { ?s rdfs:subClassOf ckg:pneumonia ; rdfs:label ?l }'
    kgdx graph query differential --bind concept=consolidation
    kgdx graph query --list

    Edges are plain triples, symmetric relations in both directions. Each edge has one
    rdf:Statement with its evidence (kgdx:evidence).
    Predefined prefixes: rdf rdfs owl skos xsd ckg kgdx RO BFO.
    """
    from kg.ask import query as asking

    if arguments["listing"]:
        rows = [
            (name, asking.describe(path))
            for name, path in asking.names(arguments["folder"]).items()
        ]
        if arguments["as_json"]:
            show.json_result([{"name": name, "about": about} for name, about in rows])
        else:
            show.table(("name", "about"), rows)
        return
    text = _text(arguments["text"], arguments["folder"])
    if arguments["save"]:
        show.note(f"saved as {asking.save_query(arguments['save'], text, arguments['folder'])}")
        return
    values = _values(arguments["bound"], arguments["file"], remote=bool(arguments["endpoint"]))
    answer = _answer(asking.filled(text, values), arguments)
    if arguments["output"]:
        _write(answer, arguments["output"])
    elif arguments["as_json"]:
        show.json_result(_as_record(answer))
    else:
        _print(answer)


def _text(query: str | None, folder: Path) -> str:
    """Text of a query written out, read from stdin or a file, or saved by name."""
    from kg.ask import query as asking
    from kg.files.tables import opened

    if not query:
        raise click.UsageError("Missing argument 'QUERY'.")
    if query == "-":
        return sys.stdin.read()
    if query.startswith("@"):
        return opened(Path(query[1:])).read()
    return query if any(mark in query for mark in " {\n") else asking.saved(query, folder)


def _values(bound: tuple[str, ...], file: Path | None, *, remote: bool) -> Mapping[str, str]:
    """SPARQL term of each `--bind`."""
    import pyoxigraph as ox

    from experiments.cli.graph_arguments import opened
    from kg.files.native import native
    from kg.files.rdf import iri
    from kg.files.store import ENDINGS

    graph = None
    values = {}
    for pair in bound:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--bind {pair}: has no value", "write NAME=VALUE")
        if value.startswith(("http://", "https://", "urn:")):
            with native(f"--bind {name}", "an IRI"):
                values[name] = str(ox.NamedNode(value))
            continue
        if not name.startswith("concept"):
            values[name] = str(ox.Literal(value))
            continue
        if graph is None and not remote and (file is None or file.suffix in ENDINGS):
            graph = opened(file)
        if graph is not None:
            values[name] = str(iri(graph.resolve(value).id))
        else:
            values[name] = str(iri(value))
    return values


def _answer(text: str, arguments: Mapping[str, Any]) -> Answer:
    from kg.ask.query import query_file
    from kg.files.store import SHIPPED

    if arguments["endpoint"]:
        from kg.ask.endpoint import query_endpoint

        return query_endpoint(arguments["endpoint"], text, seconds=arguments["timeout"])
    memory = int((arguments["memory"] or 0) * (1 << 30))
    return query_file(
        arguments["file"] or SHIPPED,
        text,
        seconds=arguments["timeout"],
        memory=memory,
        allow_edited=edited_allowed(),
    )


def _as_record(answer: Answer) -> Any:
    if answer.yes is not None:
        return {"answer": answer.yes}
    if answer.turtle is not None:
        return {"turtle": answer.turtle}
    rows = [
        {name: value["value"] for name, value in zip(answer.columns, row, strict=True) if value}
        for row in answer.rows
    ]
    return {"columns": answer.columns, "rows": rows}


def _cells(answer: Answer) -> list[tuple[str, ...]]:
    from kg.ask.query import term

    if answer.yes is not None:
        return [("yes" if answer.yes else "no",)]
    return [tuple(term(value) for value in row) for row in answer.rows]


def _print(answer: Answer) -> None:
    if answer.turtle is not None:
        show.result(answer.turtle.rstrip())
        return
    show.table(answer.columns or ("answer",), _cells(answer))


def _write(answer: Answer, path: Path) -> None:
    if answer.turtle is not None:
        check_format("a graph", path.suffix, (".ttl",))
        show.to_file(path, answer.turtle)
        return
    delimiters = {".csv": ",", ".tsv": "\t"}
    check_format("a table", path.suffix, delimiters)
    rows = [answer.columns or ("answer",), *_cells(answer)]
    show.to_file(path, table_text(rows, delimiters[path.suffix]))
