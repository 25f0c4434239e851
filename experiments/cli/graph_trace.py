"""`kgdx graph path`, `explain` and `diff`: paths, evidence of an edge, changes of a graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.completion import complete_concepts
from experiments.cli.graph_arguments import (
    edited_option,
    graph_option,
    opened,
    relation_option,
)
from experiments.cli.graph_show import figures
from kg.errors import CheckFailed
from kg.files.shown import exact, inline, plain
from kg.model.edges import RELATIONS, known_relation

if TYPE_CHECKING:
    from kg.ask.diff import Difference
    from kg.ask.paths import Path as Connection
    from kg.model.edges import Edge
    from kg.model.graph import KnowledgeGraph

__all__ = ["diff", "explain", "path"]


@click.command()
@output_options
@click.argument("start", shell_complete=complete_concepts)
@click.argument("end", shell_complete=complete_concepts)
@graph_option
@relation_option
@click.option("--longest", type=click.IntRange(1, 8), default=4, show_default=True,
              help="Most steps of a path.")  # fmt: skip
@click.option(
    "--limit", type=click.IntRange(1), default=5, show_default=True, help="Most paths shown."
)
@click.option("--directed", is_flag=True, help="Follow edges from subject to object only.")
@click.option("--evidence", is_flag=True, help="Show every item of evidence under its edge.")
def path(**arguments: Any) -> None:
    r"""Find the shortest paths between START and END.

    Paths of equal length are ordered by how specific their concepts are. Those with a step of
    "evidence against" or "disjoint with" come last.

    \b
    kgdx graph path covid_19 atelectasis
    kgdx graph path pneumonia lung --relation is_a --relation located_in --evidence

    Exit code 1 means that there is no path.
    """
    from kg.ask.paths import Route, paths

    graph = opened(arguments["file"])
    ends = graph.resolve(arguments["start"]), graph.resolve(arguments["end"])
    route = Route(
        arguments["relations"], arguments["longest"], arguments["limit"], arguments["directed"]
    )
    found = paths(graph, ends[0].id, ends[1].id, route)
    if arguments["as_json"]:
        show.json_result([_as_record(one) for one in found])
    else:
        for place, one in enumerate(found):
            if place:
                show.result("")
            for line in _drawn(graph, one, arguments["evidence"]):
                show.result(line)
    if not found:
        raise CheckFailed(
            f"nothing connects {ends[0].label} and {ends[1].label} in {arguments['longest']} steps",
            "allow more with --longest, or other relations",
        )


def _drawn(graph: KnowledgeGraph, found: Connection, evidence: bool) -> Iterator[str]:
    start = graph.concept(found.start)
    yield f"{start.label}  {start.id}"
    for step in found.steps:
        end = graph.concept(step.end)
        for place, edge in enumerate(step.edges):
            said = edge.relation.replace("_", " ")
            backward = edge.subject != step.start and not RELATIONS[edge.relation].symmetric
            arrow = f"<- {said} --" if backward else f"-- {said} ->"
            ended = f" {end.label}  {end.id}" if place == len(step.edges) - 1 else ""
            yield f"  {arrow}{ended}"
            if evidence:
                yield from (f"       {line}" for line in _items(edge))


def _items(edge: Edge) -> Iterator[str]:
    for item in edge.evidence:
        yield f"{item.status}: {item.source}{figures(item)}"


def _as_record(found: Connection) -> dict[str, Any]:
    return {
        "concepts": [found.start, *(step.end for step in found.steps)],
        "steps": [[asdict(edge) for edge in step.edges] for step in found.steps],
    }


@click.command()
@output_options
@click.argument("subject", shell_complete=complete_concepts)
@click.argument("relation")
@click.argument("object_", metavar="OBJECT", shell_complete=complete_concepts)
@graph_option
def explain(as_json: bool, subject: str, relation: str, object_: str, file: Path | None) -> None:
    r"""List the evidence of the edge SUBJECT RELATION OBJECT, as Markdown.

    \b
    kgdx graph explain atelectasis co_occurs_with "pleural effusion"
    kgdx graph explain "bacterial pneumonia" is_a pneumonia

    Exit code 1 means that the graph neither states nor entails the edge.
    """
    from kg.ask.explain import explain as explained

    graph = opened(file)
    one, two = graph.resolve(subject), graph.resolve(object_)
    found = explained(graph, one.id, known_relation(relation), two.id)
    if as_json:
        show.json_result({**asdict(found), "holds": found.holds})
    else:
        said = found.relation.replace("_", " ")
        show.result(f"**{plain(one.label)}** *{plain(said)}* **{plain(two.label)}**")
        show.result("")
        if found.follows:
            show.result("Not stated; it follows from:")
            show.result("")
        for edge in (*found.stated, *found.follows):
            for line in _markdown(graph, edge):
                show.result(line)
        if found.between:
            show.result("")
            show.result("Other edges between the two:")
            show.result("")
            for edge in found.between:
                show.result(f"- {_sentence(graph, edge)}")
    if not found.holds:
        raise CheckFailed(
            f"{graph.name} neither states nor entails that {one.label} {relation} {two.label}",
            f"see kgdx graph path {one.id} {two.id}",
        )


def _sentence(graph: KnowledgeGraph, edge: Edge) -> str:
    ends = graph.concept(edge.subject), graph.concept(edge.object)
    sets = f" (of {inline(edge.label_set)})" if edge.label_set else ""
    first, second = (f"{inline(end.label)} ({exact(end.id)})" for end in ends)
    return f"{first} *{inline(edge.relation.replace('_', ' '))}* {second}{sets}"


def _markdown(graph: KnowledgeGraph, edge: Edge) -> Iterator[str]:
    yield f"- {_sentence(graph, edge)}"
    for item in edge.evidence:
        licence = f"; {item.licence}" if item.licence else ""
        yield f"  - {inline(f'{item.status}: {item.source}{figures(item)}{licence}')}"


@click.command()
@output_options
@edited_option
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path), required=False)
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True,
              help="Most lines shown per kind of change (0: all).")  # fmt: skip
def diff(as_json: bool, before: Path, after: Path | None, limit: int) -> None:
    r"""Compare graph files BEFORE and AFTER (default: the shipped graph).

    \b
    kgdx graph build clinical -o without.jsonl --without-dataset NIH
    kgdx graph diff without.jsonl
    """
    from kg.ask.diff import difference

    found = difference(opened(before), opened(after))
    if as_json:
        show.json_result({**asdict(found), "same": found.is_empty})
        return
    groups = _groups(found)
    show.table(("change", "count"), [(name, len(rows)) for name, rows in groups.items()])
    for name, rows in groups.items():
        if rows:
            show.result("")
            show.table((name,), [(row,) for row in rows[: limit or None]])
            if limit and len(rows) > limit:
                show.note(f"and {len(rows) - limit} more: --limit 0")


def _groups(found: Difference) -> dict[str, list[str]]:
    def edge(key: tuple[str, ...]) -> str:
        return " ".join(name for name in key if name)

    return {
        "new concepts": list(found.new_concepts),
        "removed concepts": list(found.gone_concepts),
        "changed concepts": [
            f"{c.of} {c.field}: {c.before!r} became {c.after!r}" for c in found.changed_concepts
        ],
        "new edges": [edge(key) for key in found.new_edges],
        "removed edges": [edge(key) for key in found.gone_edges],
        "edges with changed evidence": [
            f"{edge(c.edge)}: {len(c.gone)} items removed, {len(c.new)} added"
            for c in found.changed_edges
        ],
        "label sets": [
            f"{c.of} {c.field}: {c.before!r} became {c.after!r}" for c in found.label_sets
        ],
    }
