"""What tests of sources share: the real ontologies' place, a few known concepts, a short reader."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import LabelSet
from kg.sources import SOURCES, Facts

SAID = (Evidence("a book", "curated", "asserted"),)


@pytest.fixture
def data() -> Path:
    place = Path(os.environ.get("KGDX_DATA", "../shared/data"))
    if not place.is_dir():
        pytest.skip("no real data: set KGDX_DATA")
    return place


@pytest.fixture
def known() -> Facts:
    concepts = [
        Concept("ckg:effusion", "Pleural Effusion", "finding", ("Effusion",)),
        Concept("ckg:cardiomegaly", "Cardiomegaly", "finding"),
        Concept("ckg:opacity", "Lung Opacity", "finding"),
        Concept("ckg:consolidation", "Consolidation", "finding"),
        Concept("ckg:pneumonia", "Pneumonia", "disease"),
        Concept("ckg:right_lower", "right lower lung", "anatomy"),
        Concept("ckg:left_upper", "left upper lung", "anatomy"),
        Concept("ckg:right", "right", "distribution"),
        Concept("ckg:lung", "lung", "anatomy"),
        Concept("ckg:xray", "chest radiograph", "modality"),
    ]
    edges = [Edge("ckg:consolidation", "is_a", "ckg:opacity", SAID)]
    pair = LabelSet("pair", "ckg:x", ("ckg:effusion", "ckg:cardiomegaly"), ("Effusion", "Heart"))
    return Facts(concepts, edges, [pair])


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Facts]:
    """Read a source of the catalog; files are relative to the test's folder."""

    def reading(name: str, known: Facts | None = None, **options: Any) -> Facts:
        part = SOURCES.load(name)
        folder = options.pop("root", tmp_path)
        return part(part.Options(**options)).read(folder, known or Facts())

    return reading
