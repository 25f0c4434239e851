"""PadChest's published labels as concepts of the graph, and its label sets called by them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from kg.model.graph import LabelSet


@cache
def concepts() -> Mapping[str, str]:
    """Concept of each published label; empty for the one the graph has no concept for."""
    path = Path(__file__).with_name("padchest_labels.tsv")
    with path.open(encoding="utf-8", newline="") as lines:
        return {row["label"]: row["concept"] for row in csv.DictReader(lines, delimiter="\t")}


def named_as_published(label_set: LabelSet) -> LabelSet:
    """A label set of PadChest with its columns called as the published labels are."""
    names = {concept: label for label, concept in reversed(list(concepts().items()))}
    columns = zip(label_set.findings, label_set.columns, strict=True)
    return replace(label_set, columns=tuple(names.get(one, other) for one, other in columns))
