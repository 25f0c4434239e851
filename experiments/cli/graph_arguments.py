"""Options shared by the commands of `kgdx graph`: graph file and relations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kg.model.graph import KnowledgeGraph

__all__ = ["edited_allowed", "edited_option", "graph_option", "opened", "relation_option"]

Command = TypeVar("Command", bound=Callable[..., Any])

_ALLOWED = f"{__name__}.allow_edited"

_file_option = click.option(
    "-g",
    "--graph",
    "file",
    type=click.Path(path_type=Path),
    help="Graph file: .jsonl, .ttl or .trig (default: the shipped graph).",
)


def _allow(ctx: click.Context, parameter: click.Parameter, given: bool) -> None:  # noqa: FBT001
    ctx.meta[_ALLOWED] = given


edited_option = click.option(
    "--allow-edited",
    is_flag=True,
    expose_value=False,
    callback=_allow,
    help="Use a graph that was edited after its build.",
)


def graph_option(command: Command) -> Command:
    """The options `--graph` and `--allow-edited`; the command is given `file`."""
    return _file_option(edited_option(command))


def edited_allowed() -> bool:
    """Whether the running command was given `--allow-edited`."""
    return bool(click.get_current_context().meta.get(_ALLOWED))


def opened(file: Path | None) -> KnowledgeGraph:
    """The graph in a file, or the shipped graph."""
    from kg.files.store import load, load_shipped

    return load_shipped() if file is None else load(file, allow_edited=edited_allowed())


def _known_relations(
    ctx: click.Context, parameter: click.Parameter, names: tuple[str, ...]
) -> tuple[str, ...]:
    from kg.model.edges import known_relation

    return tuple(known_relation(name) for name in names)


relation_option = click.option(
    "--relation",
    "relations",
    multiple=True,
    callback=_known_relations,
    help="Follow this relation only (repeatable).",
)
