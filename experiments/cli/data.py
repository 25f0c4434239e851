"""`kgdx data`: which data sets there are, whether a copy is right, what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from experiments.cli import show
from experiments.cli.arguments import root_option, talking
from experiments.cli.parts import CATALOGS

__all__ = ["data"]

_name = click.argument("name")


@click.group()
def data() -> None:
    """Data sets: their layouts, and the copies on this machine."""


@data.command("list")
@talking
@root_option
def list_datasets(as_json: bool, root: Path | None) -> None:
    """List the data sets kgdx can read, and which of them are under --root."""
    catalog = CATALOGS["datasets"][0]
    rows = [
        {
            "name": name,
            "here": root is not None and (root / name).is_dir(),
            "about": catalog.describe(name),
        }
        for name in catalog.names()
    ]
    if as_json:
        show.json_result(rows)
    else:
        show.table(("name", "here", "about"), [tuple(row.values()) for row in rows])


def _describe(name: str) -> dict[str, Any]:
    """What the catalog says of a data set, without looking at any copy."""
    from experiments.datasets import DATASETS

    part = DATASETS.load(name)
    return {
        "name": name,
        "licence": part.licence,
        "citation": part.citation,
        "homepage": part.homepage,
        "modalities": list(part.modalities),
        "labels": {choice.name: list(choice.source) for choice in part.label_choices},
        "files": [
            {"path": file.path, "what": file.what, "giver": file.giver, "optional": file.optional}
            for file in part.files
        ],
        "expected": dict(part.expected),
    }
