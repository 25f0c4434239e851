"""README's table of data sets is what the catalog says; what to write is in the failure."""

from __future__ import annotations

from pathlib import Path

from experiments.datasets import DATASETS
from experiments.datasets._layout import Layout

README = Path(__file__).resolve().parents[3] / "README.md"
HEAD = ("| data set | what it is | labels | official split |", "|---|---|---|---|")


def table() -> list[str]:
    rows = list(HEAD)
    for name in DATASETS.names():
        part = DATASETS.load(name)
        about = DATASETS.describe(name).partition(": ")[2].rstrip(".")
        labels = ", ".join(f"`{choice.name}`" for choice in part.label_choices)
        official = "yes" if part.official_split is not Layout.official_split else ""
        rows.append(f"| `{name}` | {about[0].upper()}{about[1:]} | {labels} | {official} |")
    return rows


def test_readme_lists_every_data_set() -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    start = lines.index(HEAD[0])
    written = [line for line in lines[start:] if line.startswith("| `") or line in HEAD]
    wanted = table()
    assert written[: len(wanted)] == wanted, "write into README:\n" + "\n".join(wanted)
