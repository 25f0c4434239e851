"""`kgdx list`: the parts there are, read from the folders without importing any."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import talking
from kg.catalog import Catalog

__all__ = ["CATALOGS", "list_parts"]

# Named here by package, since importing some of these packages costs the seconds torch takes.
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


_NOT_MEASURED = ("finding", "n", "positives", "too_few", "threshold")


@click.group(name="list")
def list_parts() -> None:
    """List the parts of one kind; each is one file, or comes from an installed package."""


def _add(kind: str, rows: Callable[[], Iterator[tuple[str, str, str]]]) -> None:
    """Add the command that lists one kind."""

    @list_parts.command(kind, help=f"List {kind}.", short_help=f"List {kind}.")
    @talking
    def command(as_json: bool) -> None:
        found = list(rows())
        if as_json:
            show.json_result([{"name": n, "kind": k, "about": a} for n, k, a in found])
        elif len({kind for _, kind, _ in found}) > 1:
            show.table(("name", "kind", "about"), found)
        else:
            show.table(("name", "about"), [(name, about) for name, _, about in found])


def _catalog_rows(kind: str) -> Iterator[tuple[str, str, str]]:
    for catalog in CATALOGS[kind]:
        for name in catalog.names():
            yield name, catalog.noun, catalog.describe(name)


def _metric_rows() -> Iterator[tuple[str, str, str]]:
    """What is measured of each finding: the fields of `Row`, as its docstring explains them."""
    path = Catalog[Any]("experiments.metrics", "metric").folder / "table.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    rows = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Row")
    for row in rows:
        for line in (ast.get_docstring(row) or "").partition("Args:")[2].splitlines():
            name, colon, about = line.strip().partition(": ")
            if colon and name not in _NOT_MEASURED and not name.endswith(("_low", "_high")):
                yield name, "metric", about


for _kind in CATALOGS:
    _add(_kind, lambda kind=_kind: _catalog_rows(kind))  # type: ignore[misc]
_add("metrics", _metric_rows)
