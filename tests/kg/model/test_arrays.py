"""Clinical edges as arrays: no bookkeeping, weights in (0, 1], a fixed order."""

from __future__ import annotations

import numpy as np
import pytest

from kg.ask.stats import statistics
from kg.errors import InputError
from kg.model.arrays import Neighbour, clinical_edges, neighbourhood, strength, weight
from kg.model.edges import RELATIONS, Edge, Evidence


def item(number: float | None = None, detail: str = "") -> Evidence:
    return Evidence("a book", "curated", "asserted", weight=number, detail=detail)


@pytest.mark.parametrize(
    ("evidence", "relation", "value"),
    [
        (item(), "is_a", None),
        (item(0.25), "has_distribution", 0.25),
        (item(1.056), "located_in", 1.0),
        (item(0.0), "observed_with", 0.01),
        (item(0.459, "lift=8.24;npmi=0.459"), "co_occurs_with", 0.459),
        (item(3.0, "OR=3"), "suggestive_of", 0.75),
        (item(None, "Very frequent"), "has_phenotype", 0.9),
        (item(None, "low"), "suggestive_of", 0.25),
        (item(None, "low"), "evidence_against", 0.75),
        (item(None, "no such word"), "suggestive_of", None),
    ],
)
def test_strength_of_evidence(evidence, relation, value):
    assert strength(evidence, relation) == pytest.approx(value)


def test_weight_is_the_mean_of_what_is_said():
    edge = Edge("a", "located_in", "b", (item(), item(0.2), item(0.6)))
    assert weight(edge) == pytest.approx(0.4)
    assert weight(Edge("a", "located_in", "b", (item(),))) == 1.0


def test_arrays_of_the_shipped_graph(shipped):
    edges = clinical_edges(shipped)
    assert len(edges.subjects) == len(edges.objects) == len(edges.weights) == 3434
    assert not [kind for kind in edges.kinds if RELATIONS[kind].bookkeeping]
    assert edges.weights.min() > 0
    assert edges.weights.max() <= 1
    assert edges.weights.dtype == np.float32
    assert edges.subjects.dtype == edges.relations.dtype == np.int64
    triples = np.stack([edges.subjects, edges.relations, edges.objects])
    assert np.unique(triples, axis=1).shape[1] == 3434
    first = [edge for edge in shipped.edges if not RELATIONS[edge.relation].bookkeeping][0]
    assert shipped.concepts[edges.subjects[0]].id == first.subject
    assert edges.kinds[edges.relations[0]] == first.relation


def test_neighbourhood(tiny, shipped):
    assert neighbourhood(tiny, "ckg:consolidation", 3) == [
        Neighbour("ckg:opacity", "is_a", True, 1.0),
        Neighbour("other vocabulary/7", "co_occurs_with", True, pytest.approx((1 / 3 + 0.1) / 2)),
        Neighbour("ckg:lung", "located_in", True, 0.1),
    ]
    assert neighbourhood(tiny, "ckg:lung", 1) == [
        Neighbour("ckg:opacity", "grouped_under", True, 1.0)
    ]
    assert neighbourhood(tiny, "ckg:set", 5) == []
    found = neighbourhood(shipped, "ckg:pneumonia", 32)
    assert len(found) == 32
    assert found == neighbourhood(shipped, "ckg:pneumonia", 400)[:32]
    with pytest.raises(InputError, match="no concept"):
        neighbourhood(shipped, "ckg:pneumonai", 3)


def test_statistics(shipped, tiny):
    counts = statistics(shipped)
    assert (counts.concepts, counts.edges, counts.clinical_edges) == (987, 4633, 3434)
    assert counts.from_memory == 28
    assert counts.kinds["finding"] == 396
    assert next(iter(counts.relations)) == "member_of"
    assert counts.datasets == {
        "PadChest": 670, "OpenI-MeSH": 214, "OpenI": 106, "VinBigData": 81, "NIH": 45,
        "POCUS": 33, "COVID-Dialogue": 27, "CheXpert": 23,
    }  # fmt: skip
    assert sum(counts.statuses.values()) == counts.evidence
    small = statistics(tiny)
    assert small.label_sets == {"small": 2, "excl": 2}
    assert small.isolated == 1
