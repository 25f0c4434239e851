"""`kgdx graph query`: SPARQL on a graph, any RDF file or a remote endpoint; saved queries."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import talking
from experiments.cli.graph_arguments import edited_allowed, edited_option
from kg.errors import InputError, did_you_mean
from kg.files.shown import table_text

if TYPE_CHECKING:
    from kg.ask.query import Answer

__all__ = ["query"]


@click.command()
@talking
@click.argument("text", metavar="QUERY", required=False)
@click.option("-g", "--graph", "file", type=click.Path(path_type=Path),
              help="Graph file, or any RDF file (.owl, .rdf, .nt, .nq, ...).")  # fmt: skip
@edited_option
@click.option("--endpoint", metavar="URL", help="Ask a remote SPARQL endpoint instead.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=60.0,
              show_default=True, help="Seconds it may take, loading included.")  # fmt: skip
@click.option("--memory", type=click.FloatRange(0, min_open=True), metavar="GIB",
              help="Memory it may take.  [default: 1, and 60 times the file]")  # fmt: skip
@click.option("--bind", "bound", multiple=True, metavar="NAME=VALUE",
              help="What $NAME is: a text or IRI, of $concept... a concept.")  # fmt: skip
@click.option("--save", metavar="NAME", help="Save the query by name.")
@click.option("--queries", "folder", type=click.Path(file_okay=False, path_type=Path),
              default=Path("queries"), show_default=True, help="Folder of queries.")  # fmt: skip
@click.option("--list", "listing", is_flag=True, help="List the saved queries.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path),
              help="File to write: .csv or .tsv for a table, .ttl for a graph.")  # fmt: skip
def query(**given: Any) -> None:
    r"""Answer QUERY: SPARQL, the name of a saved query, `@FILE`, or `-` for stdin.

    \b
    kgdx graph query 'SELECT ?l { ?s rdfs:subClassOf ckg:pneumonia ; rdfs:label ?l }'
    kgdx graph query differential --bind concept=consolidation
    kgdx graph query --list

    Edges are plain triples, those of a symmetric relation in both directions; each has one
    rdf:Statement, where its evidence stands (kgdx:evidence).
    The prefixes rdf rdfs owl skos xsd ckg kgdx RO BFO are known.
    """
    from kg.ask import query as asking

    if given["listing"]:
        rows = [
            (name, asking.describe(path)) for name, path in asking.names(given["folder"]).items()
        ]
        if given["as_json"]:
            show.json_result([{"name": name, "about": about} for name, about in rows])
        else:
            show.table(("name", "asks"), rows)
        return
    text = _text(given["text"], given["folder"])
    if given["save"]:
        show.note(f"saved as {asking.save_query(given['save'], text, given['folder'])}")
        return
    values = _values(given["bound"], given["file"], remote=bool(given["endpoint"]))
    answer = _answer(asking.filled(text, values), given)
    if given["output"]:
        _write(answer, given["output"])
    elif given["as_json"]:
        show.json_result(_as_record(answer))
    else:
        _print(answer)


def _text(given: str | None, folder: Path) -> str:
    """The query itself, wherever it is."""
    from kg.ask import query as asking
    from kg.files.tables import opened

    if not given:
        raise click.UsageError("Missing argument 'QUERY'.")
    if given == "-":
        return sys.stdin.read()
    if given.startswith("@"):
        return opened(Path(given[1:])).read()
    return given if any(mark in given for mark in " {\n") else asking.saved(given, folder)


def _values(bound: tuple[str, ...], file: Path | None, *, remote: bool) -> Mapping[str, str]:
    """What each `--bind` stands for, as SPARQL writes it."""
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


def _answer(text: str, given: Mapping[str, Any]) -> Answer:
    from kg.ask.query import query_file
    from kg.files.store import SHIPPED

    if given["endpoint"]:
        from kg.ask.endpoint import query_endpoint

        return query_endpoint(given["endpoint"], text, seconds=given["timeout"])
    memory = int((given["memory"] or 0) * (1 << 30))
    return query_file(
        given["file"] or SHIPPED,
        text,
        seconds=given["timeout"],
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
        if path.suffix != ".ttl":
            raise InputError(f"{path}: a graph is written as .ttl", f"-o {path.stem}.ttl")
        show.to_file(path, answer.turtle)
        return
    delimiters = {".csv": ",", ".tsv": "\t"}
    if path.suffix not in delimiters:
        raise InputError(
            f"{path}: a table is not written so", did_you_mean(path.suffix, delimiters)
        )
    rows = [answer.columns or ("answer",), *_cells(answer)]
    show.to_file(path, table_text(rows, delimiters[path.suffix]))
