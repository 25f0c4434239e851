"""The tables of this folder, row by row."""

from __future__ import annotations

import csv
from importlib.resources import files


def table_rows(name: str) -> list[dict[str, str]]:
    """Rows of a tab-separated table of this folder, each cell by its column's name."""
    text = (files("kg.mentions") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))
