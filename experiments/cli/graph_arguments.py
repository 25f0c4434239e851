"""Arguments that the commands of `kgdx graph` share: which graph, which concept."""

from __future__ import annotations

from pathlib import Path

import click

from kg.model.graph import KnowledgeGraph

__all__ = ["graph_option", "opened", "relation_option"]

graph_option = click.option(
    "-g",
    "--graph",
    "file",
    type=click.Path(path_type=Path),
    help="Graph file (.jsonl, .ttl, .trig); the shipped graph where not given.",
)


def opened(file: Path | None) -> KnowledgeGraph:
    """The graph a command is about."""
    from kg.files.store import load, load_shipped

    return load_shipped() if file is None else load(file)


def _known_relations(
    ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    from kg.model.edges import known_relation

    return tuple(known_relation(name) for name in given)


relation_option = click.option(
    "--relation",
    "relations",
    multiple=True,
    callback=_known_relations,
    help="Follow this relation alone; may be given several times.",
)
