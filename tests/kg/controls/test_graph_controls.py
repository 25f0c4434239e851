"""Controls: degrees are kept, data sets leave by evidence item, draws repeat by their generator."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from kg.check.validate import validate
from kg.controls.graph_controls import (
    emptied,
    labels_only,
    noise,
    shuffled,
    without_dataset,
    without_evidence,
    without_relation,
    without_source,
)
from kg.errors import InputError
from kg.model.arrays import weight
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

OPENI = ("OpenI", "OpenI-MeSH")


def degrees(graph: KnowledgeGraph) -> Counter[tuple[str, ...]]:
    count: Counter[tuple[str, ...]] = Counter()
    for edge in graph.edges:
        if RELATIONS[edge.relation].symmetric:
            count[edge.relation, "end", edge.subject] += 1
            count[edge.relation, "end", edge.object] += 1
        else:
            count[edge.relation, "out", edge.subject] += 1
            count[edge.relation, "in", edge.object] += 1
    return count


def triples(graph: KnowledgeGraph) -> set[tuple[str, ...]]:
    return {edge.key for edge in graph.edges}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_shuffle_keeps_every_degree_in_every_relation(shipped, seed):
    control, changed = shuffled(shipped, np.random.default_rng(seed))
    assert degrees(control) == degrees(shipped)
    assert control.concepts == shipped.concepts
    assert control.label_sets == shipped.label_sets
    assert not [e for e in control.edges if e.subject == e.object]
    both = {(*sorted((e.subject, e.object)), e.relation, e.label_set) for e in control.edges
            if RELATIONS[e.relation].symmetric}  # fmt: skip
    assert len(both) == sum(RELATIONS[e.relation].symmetric for e in control.edges)
    assert 0.6 < changed < 0.75
    clinical = sum(not RELATIONS[e.relation].bookkeeping for e in shipped.edges)
    assert changed == pytest.approx(len(triples(control) - triples(shipped)) / clinical)


def test_a_shuffle_keeps_evidence_and_bookkeeping(shipped):
    control, _ = shuffled(shipped, np.random.default_rng(0))
    for relation in shipped.relations:
        before = Counter(e.evidence for e in shipped.edges if e.relation == relation)
        after = Counter(e.evidence for e in control.edges if e.relation == relation)
        assert before == after
    members = {e.key for e in shipped.edges if RELATIONS[e.relation].bookkeeping}
    assert members <= triples(control)


def test_draws_repeat_by_their_generator(shipped):
    first, second, third = (
        shuffled(shipped, np.random.default_rng(seed)).graph.fingerprint for seed in (5, 5, 6)
    )
    assert first == second != third


def test_relations_that_cannot_change_stay(tiny):
    control, changed = shuffled(tiny, np.random.default_rng(0))
    assert control.edges == tiny.edges
    assert changed == 0.0


def test_emptied_keeps_label_sets_alone(shipped):
    control = emptied(shipped)
    assert set(control.relations) == {"actionability", "member_of", "mentioned_in"}
    assert control.concepts == shipped.concepts


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_noise_changes_its_share(shipped, share):
    noisy = noise(shipped, share, np.random.default_rng(0))
    clinical = sum(not RELATIONS[e.relation].bookkeeping for e in shipped.edges)
    assert len(noisy.edges) == len(shipped.edges)
    assert len(triples(noisy) - triples(shipped)) <= round(share * clinical)
    assert len(triples(noisy) - triples(shipped)) >= 0.9 * share * clinical
    out = Counter((e.relation, e.subject) for e in shipped.edges)
    assert Counter((e.relation, e.subject) for e in noisy.edges) == out


def test_noise_refuses_a_share_that_is_none(tiny):
    with pytest.raises(InputError, match="share of noise"):
        noise(tiny, 1.5, np.random.default_rng(0))


def test_figures_of_data_evidence(shipped):
    mined = [e for e in shipped.edges if any(item.dataset for item in e.evidence)]
    openi = [e for e in mined if any(item.dataset in OPENI for item in e.evidence)]
    shared = [e for e in openi if any(item.dataset not in OPENI for item in e.evidence)]
    assert (len(mined), len(openi), len(shared)) == (1095, 320, 80)

    left = without_dataset(shipped, OPENI)
    assert len(left.edges) == len(shipped.edges) - 240
    assert not [i for e in left.edges for i in e.evidence if i.dataset in OPENI]
    by_key = {edge.key: edge for edge in left.edges}
    for edge in shared:
        survivor = by_key[edge.key]
        assert survivor.evidence == tuple(i for i in edge.evidence if i.dataset not in OPENI)
    assert [fault for fault in validate(left) if fault.severity == "error"] == []


def test_an_edge_with_two_data_sets_survives_with_the_others_weight(shipped):
    def edge(graph: KnowledgeGraph):
        return next(
            e for e in graph.edges_of("ckg:calcified_granuloma", "has_distribution")
            if e.object == "ckg:right"
        )  # fmt: skip

    assert [(i.dataset, i.weight, i.count) for i in edge(shipped).evidence] == [
        ("OpenI-MeSH", 0.354, 97),
        ("PadChest", 0.302, 136),
    ]
    assert weight(edge(shipped)) == pytest.approx(0.328)
    assert weight(edge(without_dataset(shipped, OPENI))) == pytest.approx(0.302)
    assert weight(edge(without_dataset(shipped, ["PadChest"]))) == pytest.approx(0.354)


def test_leaving_a_data_set_out_takes_what_was_mined_from_it(shipped, tiny):
    left = without_dataset(tiny, ["OpenI"])
    assert "ckg:mined" not in left.index
    assert left.concept("ckg:opacity").synonyms == ('a "quoted"\tname',)
    assert [p.text for p in left.concept("ckg:opacity").phrases] == ["阴影"]
    assert ("ckg:consolidation", "located_in", "ckg:lung", "") not in triples(left)
    assert ("ckg:opacity", "located_in", "ckg:lung", "") in triples(left)

    left = without_dataset(shipped, ["PadChest"])
    gone = set(shipped.index) - set(left.index)
    assert len(gone) == 8
    assert "ckg:pleural_effusion_left_side" in gone
    assert [fault for fault in validate(left) if fault.severity == "error"] == []


@pytest.mark.parametrize(
    "name",
    ["OpenI", "PadChest", "NIH", "CheXpert", "VinBigData", "POCUS", "COVID-Dialogue"],
)
def test_any_data_set_can_be_left_out(shipped, name):
    left = without_dataset(shipped, [name])
    assert len(left.edges) < len(shipped.edges) or name in ("NIH", "CheXpert")
    assert name not in {item.dataset for edge in left.edges for item in edge.evidence}
    assert [fault for fault in validate(left) if fault.severity == "error"] == []


def test_leaving_out_what_is_not_there_changes_nothing(shipped):
    assert without_dataset(shipped, ["nothing"]).fingerprint == shipped.fingerprint
    assert without_dataset(shipped, []).fingerprint == shipped.fingerprint


def test_a_relation_or_a_source_is_left_out(shipped):
    left = without_relation(shipped, "co_occurs_with")
    assert "co_occurs_with" not in left.relations
    assert len(left.edges) == len(shipped.edges) - 539
    with pytest.raises(InputError, match="no relation 'cooccurs_with'") as error:
        without_relation(shipped, "cooccurs_with")
    assert "co_occurs_with" in error.value.hint

    left = without_source(shipped, "CIDO-ontology/cido")
    assert not [i for e in left.edges for i in e.evidence if "CIDO-ontology/cido" in i.source]
    with pytest.raises(InputError, match="no source is called"):
        without_source(shipped, "no such source")


def test_without_the_evidence_of_a_source_every_concept_stays(shipped):
    left = without_evidence(shipped, "CIDO-ontology/cido")
    assert [c.id for c in left.concepts] == [c.id for c in shipped.concepts]
    assert not [i for e in left.edges for i in e.evidence if "CIDO-ontology/cido" in i.source]
    only = [
        edge
        for edge in shipped.edges
        if all("CIDO-ontology/cido" in item.source for item in edge.evidence)
    ]
    assert len(left.edges) == len(shipped.edges) - len(only)
    with pytest.raises(InputError, match="no source is called"):
        without_evidence(shipped, "no such source")


def test_by_labels_alone_nothing_else_is_a_name(shipped):
    bare = labels_only(shipped)
    assert bare.edges == shipped.edges
    assert {(c.id, c.label) for c in bare.concepts} == {(c.id, c.label) for c in shipped.concepts}
    assert not any(c.synonyms or c.phrases for c in bare.concepts)
