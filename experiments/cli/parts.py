"""`kgdx list`: available parts by kind, read from the folders without importing them."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import output_options
from kg.catalog import Catalog
from kg.errors import InputError, did_you_mean

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

METRICS = "metrics"
_NOT_MEASURED = ("finding", "n", "positives", "too_few", "threshold")


@click.group(name="list")
def list_parts() -> None:
    """List the available parts of one kind.

    A part is one file of the repository, or comes from an installed package.
    """


def _add(kind: str, rows: Callable[[], Iterator[tuple[str, str, str]]]) -> None:
    """Add the command that lists the parts of one kind."""
    about = f"List {kind}, or describe the one called NAME with its options."

    @list_parts.command(kind, help=about, short_help=f"List {kind}.")
    @output_options
    @click.argument("name", required=False)
    def command(as_json: bool, name: str | None) -> None:
        found = list(rows())
        if name is not None:
            found = [row for row in found if row[0] == name]
            if not found:
                known = [known for known, _, _ in rows()]
                raise InputError(f"{kind} has no {name!r}", did_you_mean(name, known))
            if kind != METRICS:
                _describe(kind, name, as_json=as_json)
                return
        if as_json:
            show.json_result([{"name": n, "kind": k, "about": a} for n, k, a in found])
        elif len({kind for _, kind, _ in found}) > 1:
            show.table(("name", "kind", "about"), found)
        else:
            show.table(("name", "about"), [(name, about) for name, _, about in found])


def _describe(kind: str, name: str, *, as_json: bool) -> None:
    """Print what a part is, and each of its options with type, default and meaning."""
    catalogs = (*CATALOGS.get(kind, ()), *WITHOUT_OPTIONS.get(kind, ()))
    about = [_described_part(one, name) for one in catalogs if name in one.names()]
    if as_json:
        show.json_result(about)
        return
    for part in about:
        show.result(f"{part['name']} ({part['kind']})\n\n{part['about']}\n")
        rows = [(o["name"], o["kind"], _default(o), o["meaning"]) for o in part["options"]]
        if rows:
            show.table(("option", "type", "default", "meaning"), rows)


def _described_part(catalog: Catalog[Any], name: str) -> dict[str, Any]:
    from kg.described import described

    part = catalog.load(name)
    kind = getattr(part, "Options", None)
    options = [asdict(option) for option in described(kind)] if kind is not None else []
    # a loss has no options: what it is called with is the next best to know
    call = "" if kind is not None else f"\n\n{inspect.getdoc(part)}"
    about = f"{catalog.docstring(name)}{call}"
    return {"name": name, "kind": catalog.noun, "about": about, "options": options}


def _default(option: Mapping[str, Any]) -> str:
    return "required" if option["required"] else json.dumps(option["default"], ensure_ascii=False)


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
_add(METRICS, _metric_rows)
