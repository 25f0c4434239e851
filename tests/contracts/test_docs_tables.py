"""Tables of parts in docs are what the catalogs say; what to write is in the failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.datasets import DATASETS
from experiments.datasets._layout import Layout
from experiments.systems import SYSTEMS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def datasets() -> list[str]:
    rows = ["| data set | what it is | labels | official split |", "|---|---|---|---|"]
    for name in DATASETS.names():
        part = DATASETS.load(name)
        labels = ", ".join(f"`{choice.name}`" for choice in part.label_choices)
        official = "yes" if part.official_split is not Layout.official_split else ""
        rows.append(f"| `{name}` | {about(DATASETS.describe(name))} | {labels} | {official} |")
    return rows


def systems() -> list[str]:
    rows = [f"| `{name}` | {about(SYSTEMS.describe(name))} |" for name in SYSTEMS.names()]
    return ["| system | what it is |", "|---|---|", *rows]


def about(line: str) -> str:
    """What stands behind the name in the first line of a part."""
    said = line.partition(": ")[2].rstrip(".")
    return f"{said[0].upper()}{said[1:]}"


@pytest.mark.parametrize(
    ("page", "wanted"), [("data-sets.md", datasets()), ("systems.md", systems())]
)
def test_a_page_lists_every_part(page: str, wanted: list[str]) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert "\n".join(["", *wanted, ""]) in text, f"write into docs/{page}:\n" + "\n".join(wanted)
