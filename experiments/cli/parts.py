"""`kgdx list`: available parts by kind, read from the folders without importing them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from kg.catalog import Catalog

__all__ = ["CATALOGS", "list_parts"]

# Named here by package, since importing some of these packages imports torch, which takes seconds.
CATALOGS: dict[str, tuple[Catalog[Any], ...]] = {
    "systems": (Catalog("experiments.systems", "system"),),
    "encoders": (
        Catalog("encoders.image", "image encoder"),
        Catalog("encoders.text", "text encoder"),
        Catalog("encoders.graph", "graph encoder"),
        Catalog("encoders.decoders", "decoder"),
    ),
    "joins": (Catalog("fusion.joins", "join"),),
    "heads": (Catalog("fusion.heads", "head"),),
    "objectives": (Catalog("fusion.objectives", "objective"),),
    "datasets": (Catalog("experiments.datasets", "data set"),),
    "sources": (Catalog("kg.sources", "source"),),
    "formats": (Catalog("kg.render", "export format"),),
}


WITHOUT_OPTIONS: dict[str, tuple[Catalog[Any], ...]] = {
    "tasks": (Catalog("experiments.tasks", "task"),),
    "losses": (Catalog("fusion.losses", "loss"),),
}
"""Catalogs whose parts have no options: a stage or a configuration names them alone."""

_NOT_MEASURED = ("finding", "n", "positives", "too_few", "threshold")


@click.group(name="list")
def list_parts() -> None:
    """List the available parts of one kind.

    A part is one file of the repository, or comes from an installed package.
    """


def _add(kind: str, rows: Callable[[], Iterator[tuple[str, str, str]]]) -> None:
    """Add the command that lists the parts of one kind."""

    @list_parts.command(kind, help=f"List {kind}.", short_help=f"List {kind}.")
    @output_options
    def command(as_json: bool) -> None:
        found = list(rows())
        if as_json:
            show.json_result([{"name": n, "kind": k, "about": a} for n, k, a in found])
        elif len({kind for _, kind, _ in found}) > 1:
            show.table(("name", "kind", "about"), found)
        else:
            show.table(("name", "about"), [(name, about) for name, _, about in found])


def _catalog_rows(kind: str) -> Iterator[tuple[str, str, str]]:
    for catalog in (*CATALOGS.get(kind, ()), *WITHOUT_OPTIONS.get(kind, ())):
        for name in catalog.names():
            yield name, catalog.noun, catalog.describe(name)


def _metric_rows() -> Iterator[tuple[str, str, str]]:
    """Metrics of a finding: the fields of `Row` with the lines of its docstring."""
    path = Catalog[Any]("experiments.metrics", "metric").folder / "table.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rows = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Row")
    for row in rows:
        for line in (ast.get_docstring(row) or "").partition("Args:")[2].splitlines():
            name, colon, about = line.strip().partition(": ")
            if colon and name not in _NOT_MEASURED and not name.endswith(("_low", "_high")):
                yield name, "metric", about


for _kind in (*CATALOGS, *WITHOUT_OPTIONS):
    _add(_kind, lambda kind=_kind: _catalog_rows(kind))  # type: ignore[misc]
_add("metrics", _metric_rows)
