"""Leaving something out takes its evidence, and an edge only with its last evidence."""

from __future__ import annotations

import pytest

from kg.controls.leave_out import leave_out, mined_from
from kg.errors import InputError


def test_a_data_set_goes_under_every_name_it_has(shipped):
    graph, (gone,) = leave_out(shipped, ["OpenI"])
    assert gone.what == "OpenI, OpenI-MeSH"
    assert gone.evidence == 320
    assert {"OpenI", "OpenI-MeSH"}.isdisjoint(mined_from(graph))
    assert len(shipped.edges) - len(graph.edges) == gone.edges
    assert 0 < gone.edges < gone.evidence
    assert leave_out(shipped, ["OpenI-MeSH"])[0].fingerprint == graph.fingerprint


def test_an_edge_with_other_evidence_stays(shipped):
    def together(graph):
        (edge,) = [e for e in graph.edges_of("ckg:atelectasis", "co_occurs_with")
                   if "ckg:pleural_effusion" in e.key]  # fmt: skip
        return {item.dataset for item in edge.evidence}

    graph, _ = leave_out(shipped, ["NIH", "CheXpert"])
    assert together(shipped) - together(graph) == {"NIH", "CheXpert"}
    assert "PadChest" in together(graph)


def test_a_source_goes_by_a_part_of_its_text(tiny):
    graph, (gone,) = leave_out(tiny, sources=["a textbook"])
    assert (gone.concepts, gone.edges, gone.evidence) == (0, 6, 7)
    assert {edge.relation for edge in graph.edges} == {"located_in", "co_occurs_with"}


def test_what_is_not_there_cannot_be_left_out(shipped):
    with pytest.raises(InputError, match="data set 'PadChes'") as caught:
        leave_out(shipped, ["PadChes"])
    assert caught.value.hint == "did you mean 'PadChest'?"
    with pytest.raises(InputError, match="no source is called 'nobody'"):
        leave_out(shipped, sources=["nobody"])
