"""`kgdx graph`: the clinical knowledge graph, built, validated and inspected."""

from __future__ import annotations

import click

from experiments.cli.lazy import LazyGroup

__all__ = ["graph"]

_HERE = "experiments.cli"

COMMANDS = {
    "build": (f"{_HERE}.graph_build:build", "Build a graph from a recipe of sources."),
    "validate": (f"{_HERE}.graph_validate:validate", "Faults of a graph and how to mend them."),
    "stats": (f"{_HERE}.graph_show:stats", "Counts by kind, relation and source; label sets."),
    "show": (f"{_HERE}.graph_show:show_concept", "A concept and its neighbourhood as a tree."),
    "path": (f"{_HERE}.graph_trace:path", "How two concepts are connected, step by step."),
    "explain": (f"{_HERE}.graph_trace:explain", "Why an edge is in the graph."),
    "diff": (f"{_HERE}.graph_trace:diff", "What differs between two graphs."),
    "query": (f"{_HERE}.graph_query:query", "SPARQL on a graph, an RDF file or an endpoint."),
    "export": (f"{_HERE}.graph_export:export", "The graph, or a part of it, in another format."),
    "embed": (f"{_HERE}.graph_embed:embed", "Link prediction: MRR, Hits@k, vectors to keep."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def graph() -> None:
    """The clinical knowledge graph: every edge with the evidence it rests on.

    Commands read the shipped graph unless `-g FILE` names another. A concept is named by its id,
    its label or a synonym.
    """
