"""`kgdx graph`: builds, validates, queries and exports the clinical knowledge graph."""

from __future__ import annotations

import click

from experiments.cli.lazy import LazyGroup

__all__ = ["graph"]

_HERE = "experiments.cli"

COMMANDS = {
    "build": (f"{_HERE}.graph_build:build", "Build a graph from a recipe of sources."),
    "validate": (f"{_HERE}.graph_validate:validate", "List faults of a graph and their fixes."),
    "stats": (f"{_HERE}.graph_show:stats", "Count concepts, relations, sources and label sets."),
    "show": (f"{_HERE}.graph_show:show_concept", "Show a concept and its neighbourhood as a tree."),
    "path": (f"{_HERE}.graph_trace:path", "Find the shortest paths between two concepts."),
    "explain": (f"{_HERE}.graph_trace:explain", "List the evidence of an edge."),
    "diff": (f"{_HERE}.graph_trace:diff", "Compare two graphs."),
    "query": (f"{_HERE}.graph_query:query", "Run SPARQL on a graph, an RDF file or an endpoint."),
    "export": (
        f"{_HERE}.graph_export:export",
        "Write the graph or a neighbourhood in another format.",
    ),
    "embed": (f"{_HERE}.graph_embed:embed", "Train and test link prediction (MRR, Hits@k)."),
}


@click.group(cls=LazyGroup, lazy=COMMANDS)
def graph() -> None:
    """Clinical knowledge graph, with the evidence of every edge.

    Commands read the shipped graph unless `-g FILE` names another. A concept is named by its id,
    its label or a synonym.
    """
