"""The plain linker against the gold labels of the development studies, as aggregate counts only."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders.study import Passage
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker

DATA = Path(os.environ.get("KGDX_DATA", "../shared/data")) / "openi"


def development(name: str, key: str) -> Iterator[dict[str, str]]:
    """Rows of a table whose studies are not in the locked quarter."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if int(hashlib.sha256(row[key].encode()).hexdigest()[:8], 16) / 2**32 >= 0.25:
                yield row


@pytest.mark.skipif(not DATA.is_dir(), reason="the published tables are not here")
def test_agreement_with_gold_labels() -> None:
    graph = load_shipped()
    linker, nih = MentionLinker(graph), labeler(graph, "nih14")
    gold = {row["filename"]: row for row in development("openi_gld_std14.csv", "filename")}
    counts = dict.fromkeys(("hit", "extra", "missed"), 0)
    for row in development("openi_reports.csv", "uid"):
        if row["uid"] not in gold:
            continue
        parts = [Passage(name, row[name]) for name in ("findings", "impression") if row[name]]
        values = nih.label(linker.link(parts))
        # of a hernia there is no gold positive, and `normal` is no finding
        for column in set(nih.columns) - {"Hernia", "normal"}:
            labelled = gold[row["uid"]][column] == "1"
            counts["hit"] += values[column] == 1 and labelled
            counts["extra"] += values[column] == 1 and not labelled
            counts["missed"] += labelled and values[column] == 0
    assert counts["hit"] + counts["missed"] == 824
    assert counts["hit"] / (counts["hit"] + counts["extra"]) > 0.93
    assert counts["hit"] / (counts["hit"] + counts["missed"]) > 0.95
