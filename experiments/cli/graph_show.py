"""`kgdx graph stats` and `kgdx graph show`: counts of a graph, neighbourhood of a concept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from experiments.cli.completion import complete_concepts
from experiments.cli.graph_arguments import graph_option, opened, relation_option
from kg.ask.tree import Branch, Scope, hidden, tree
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

__all__ = ["figures", "show_concept", "stats"]

_FEW = 12


@click.command()
@output_options
@graph_option
@click.option(
    "--label-set", help="Label set of the graph whose coverage is shown, finding by finding."
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="File of label names, one per line, whose coverage is shown.",
)
@click.option("--all", "everything", is_flag=True, help="List every source.")
def stats(
    as_json: bool, file: Path | None, label_set: str | None, labels: Path | None, everything: bool
) -> None:
    """Count concepts, edges and evidence of a graph.

    Concepts are counted by kind, edges by relation, evidence by source and data set.
    """
    graph = opened(file)
    if label_set or labels:
        _print_coverage(graph, label_set, labels, as_json)
        return
    from kg.ask.stats import statistics

    counted = statistics(graph)
    known = {"name": graph.name, "fingerprint": graph.fingerprint, **asdict(counted)}
    if as_json:
        show.json_result(known)
        return
    plain = [
        (name.replace("_", " "), value)
        for name, value in known.items()
        if not isinstance(value, dict)
    ]
    show.table(("graph", ""), plain)
    titles = {"kinds": "kind", "relations": "relation", "statuses": "status",
              "datasets": "data set", "sources": "source", "label_sets": "label set"}  # fmt: skip
    counts = {"kinds": "concepts", "statuses": "items of evidence", "label_sets": "findings"}
    for field, title in titles.items():
        rows = list(known[field].items())
        show.result("")
        shown = rows if everything else rows[: max(_FEW, 2 * _FEW if field == "relations" else 0)]
        show.table((title, counts.get(field, "edges")), shown)
        if len(shown) < len(rows):
            show.note(f"and {len(rows) - len(shown)} more: --all")


def _print_coverage(
    graph: KnowledgeGraph, label_set: str | None, labels: Path | None, as_json: bool
) -> None:
    from kg.ask.coverage import coverage, coverage_of_names
    from kg.files.tables import read_lines

    if label_set:
        rows = coverage(graph, graph.label_set(label_set))
    else:
        rows = coverage_of_names(graph, read_lines(labels or Path()))
    covered = sum(row.concept is not None for row in rows)
    if as_json:
        listed = [asdict(row) for row in rows]
        show.json_result({"labels": len(rows), "covered": covered, "rows": listed})
        return
    columns = ("label", "concept", "clinical edges", "evidence", "names", "ids", "remark")
    show.table(columns, [tuple(asdict(row).values()) for row in rows])
    show.note(f"{covered} of {len(rows)} labels are concepts of the graph")


@click.command("show")
@output_options
@click.argument("concept", shell_complete=complete_concepts)
@graph_option
@click.option("--depth", type=click.IntRange(0, 6), default=1, show_default=True,
              help="Steps from the concept.")  # fmt: skip
@relation_option
@click.option("--limit", type=click.IntRange(0), default=_FEW, show_default=True,
              help="Most neighbours shown per relation (0: all).")  # fmt: skip
@click.option("--evidence", is_flag=True, help="Show every item of evidence under its edge.")
def show_concept(
    as_json: bool, concept: str, file: Path | None, depth: int, relations: tuple[str, ...],
    limit: int, evidence: bool,
) -> None:  # fmt: skip
    r"""Show CONCEPT and its neighbourhood as a tree.

    \b
    kgdx graph show atelectasis
    kgdx graph show HP:0002202 --depth 2 --relation is_a
    kgdx graph show "pleural effusion" --relation located_in --evidence
    """
    graph = opened(file)
    scope = Scope(depth, relations, limit)
    centre = graph.resolve(concept)
    branches = tree(graph, centre.id, scope)
    if as_json:
        listed = [_as_record(graph, branch) for branch in branches]
        known = {**asdict(centre), "definition_source": centre.definition_source}
        show.json_result({**known, "neighbours": listed})
        return
    for line in (*_head(graph, centre), *_drawn(graph, branches, "", evidence)):
        show.result(line)
    edges = [e for e in graph.edges_of(centre.id) if not relations or e.relation in relations]
    if unsourced := sum(edge.from_memory for edge in edges):
        show.note(f"{unsourced} of these {len(edges)} edges rest on memory alone")
    omitted = hidden(graph, centre.id, scope) if depth else 0
    if omitted:
        show.note(f"and {omitted} more neighbours: --limit 0")


def _head(graph: KnowledgeGraph, concept: Concept) -> Iterator[str]:
    yield f"{concept.label}  {concept.id}  {concept.kind}"
    if concept.definition:
        yield f"  {' '.join(concept.definition.split())}"
        yield f"  definition from: {concept.definition_source}"
    label_sets = [one.name for one in graph.label_sets if concept.id in one.findings]
    lines = {
        "also called": concept.synonyms,
        "identifiers": concept.xrefs,
        "label sets": label_sets,
    }
    for title, words in lines.items():
        if words:
            yield f"  {title}: {', '.join(words)}"


def _drawn(
    graph: KnowledgeGraph, branches: Sequence[Branch], indent: str, evidence: bool
) -> Iterator[str]:
    """Lines of a tree; branches of one relation and direction are grouped under one line."""
    groups: dict[tuple[str, bool], list[Branch]] = {}
    for branch in branches:
        groups.setdefault((branch.relation, branch.forward), []).append(branch)
    for place, ((relation, forward), group) in enumerate(groups.items()):
        last = place == len(groups) - 1
        yield f"{indent}{'└─' if last else '├─'} {_relation_name(relation, forward)}"
        inner = indent + ("   " if last else "│  ")
        for spot, branch in enumerate(group):
            end = spot == len(group) - 1
            label = graph.concept(branch.concept).label
            sources = _source_count(branch.edge)
            yield f"{inner}{'└─' if end else '├─'} {label}  {branch.concept}{sources}"
            deeper = inner + ("   " if end else "│  ")
            if evidence:
                for item in branch.edge.evidence:
                    yield f"{deeper}· {item.status}: {item.source}{figures(item)}"
            yield from _drawn(graph, branch.branches, deeper, evidence)


def _relation_name(relation: str, forward: bool) -> str:
    words = relation.replace("_", " ")
    return words if forward else f"← {words}"


def _source_count(edge: Edge) -> str:
    sets = f" of {edge.label_set}" if edge.label_set else ""
    sources = len({item.source for item in edge.evidence})
    if edge.from_memory:
        return f"{sets}  [from memory alone]"
    return f"{sets}  [{sources} {'source' if sources == 1 else 'sources'}]"


def figures(item: Evidence) -> str:
    """Data set, strength and count of an item of evidence, in brackets; empty without any."""
    known = []
    if item.dataset:
        known.append(item.dataset)
    if item.detail or item.weight is not None:
        known.append(item.detail or f"{item.weight:g}")
    if item.count is not None:
        known.append(f"n={item.count}")
    return f" ({', '.join(known)})" if known else ""


def _as_record(graph: KnowledgeGraph, branch: Branch) -> dict[str, Any]:
    return {
        "relation": branch.relation,
        "direction": "out" if branch.forward else "in",
        "concept": branch.concept,
        "label": graph.concept(branch.concept).label,
        "label_set": branch.edge.label_set,
        "from_memory": branch.edge.from_memory,
        "evidence": [asdict(item) for item in branch.edge.evidence],
        "neighbours": [_as_record(graph, inner) for inner in branch.branches],
    }
