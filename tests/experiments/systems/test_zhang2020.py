"""Zhang 2020: its graph, its layer, the arms of its graph, and the node a finding is read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv
from torch_geometric.utils import dense_to_sparse

from encoders.batch import StudyBatch
from experiments.systems._abnormality_graph import (
    FINDINGS,
    FIRST,
    NODES,
    ORGANS,
    Arm,
    adjacency,
    node_of,
    normalised,
)
from experiments.systems.zhang2020 import GraphLayer, Zhang2020
from fusion.stage import Stage
from fusion.system import Setting, System
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph

Build = Callable[..., tuple[System, StudyBatch]]

SAID = (Evidence("a book", "curated", "asserted"),)
ASKED = ("ckg:cardiomegaly", "ckg:pleural_effusion", "ckg:effusion_of_a_kind", "ckg:unheard_of")
ARMS = get_args(Arm)


def small_graph() -> KnowledgeGraph:
    return KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in ASKED),
        (Edge("ckg:effusion_of_a_kind", "is_a", "ckg:pleural_effusion", SAID),),
    )


def studies(number: int = 4) -> StudyBatch:
    generator = torch.Generator().manual_seed(3)
    kinds = torch.zeros(number, 2, dtype=torch.long)
    return StudyBatch(
        ids=tuple(map(str, range(number))),
        pixels=None,
        image_tokens=torch.randn(number, 2, 16, 6, generator=generator),
        image_mask=torch.tensor([[True, True], [True, False]]).repeat(number // 2, 1),
        view=kinds,
        modality=kinds,
        text=None,
        evidence=None,
        targets=(torch.rand(number, 4, generator=generator) > 0.5).float(),
    )


def build(**options: Any) -> Zhang2020:
    torch.manual_seed(0)
    setting = Setting(small_graph(), torch.zeros(4, 2), ASKED, image_width=6, image_tokens=16)
    return Zhang2020(Zhang2020.Options(width=12, state=5, **options), setting)


def draw(arm: Arm, seed: int = 0) -> torch.Tensor:
    return adjacency(arm, np.random.default_rng(seed))


def test_there_are_twenty_findings_seven_organs_and_a_root() -> None:
    assert (len(FINDINGS), len(ORGANS), NODES) == (20, 7, 28)
    graph = load_shipped()
    concepts = {concept for node in FINDINGS for concept in node}
    assert concepts <= set(graph.index)
    assert set(graph.label_set("zhang2020").findings) <= concepts


def test_edges_lead_from_root_to_all_from_organ_to_findings_and_between_these() -> None:
    edges = draw("organs")
    place = {node[0] if node else "other": at for at, node in enumerate(FINDINGS, FIRST)}
    assert edges[0].tolist() == [0.0] + [1.0] * 27
    heart, pleura = 1, 3
    assert edges[heart].nonzero().flatten().tolist() == [place["ckg:cardiomegaly"]]
    effusion, air = place["ckg:pleural_effusion"], place["ckg:pneumothorax"]
    assert edges[pleura, effusion] == edges[effusion, air] == edges[air, effusion] == 1
    assert not edges[effusion, pleura]
    assert not edges[place["other"]].any()
    assert edges.sum() == 27 + 17 + 2 * (3 + 21 + 1 + 1)
    assert not edges.diagonal().any()


def test_what_is_shuffled_keeps_every_degree() -> None:
    edges, other = draw("organs"), draw("shuffled")
    assert torch.equal(edges.sum(0), other.sum(0))
    assert torch.equal(edges.sum(1), other.sum(1))
    assert not other.diagonal().any()
    assert (edges != other).sum() > 20
    assert not torch.equal(other, draw("shuffled", seed=1))


def test_a_random_order_is_the_same_graph_with_findings_renamed() -> None:
    edges, other = draw("organs"), draw("random_order")
    assert not torch.equal(edges, other)
    assert torch.equal(edges[:FIRST, :FIRST], other[:FIRST, :FIRST])
    for matrix in (edges, edges.T):
        turned = other if matrix is edges else other.T
        assert matrix.sum(1).sort().values.equal(turned.sum(1).sort().values)
    eigen, of_other = (torch.linalg.eigvals(each).abs().sort().values for each in (edges, other))
    torch.testing.assert_close(eigen, of_other, atol=1e-3, rtol=1e-3)


def test_every_arm_has_the_same_parameters_and_starts_the_same() -> None:
    arms = {arm: build(graph=arm) for arm in ARMS}
    first = dict(arms["organs"].named_parameters())
    for system in arms.values():
        assert dict(system.named_parameters()).keys() == first.keys()
        assert all(torch.equal(one, first[name]) for name, one in system.named_parameters())
    answers = {arm: system.eval().logits(studies()) for arm, system in arms.items()}
    for arm in ARMS[1:]:
        assert not torch.allclose(answers["organs"], answers[arm]), arm


@pytest.mark.parametrize("arm", ARMS)
def test_every_parameter_of_an_arm_learns(arm: Arm) -> None:
    system = build(graph=arm, dropout=0.0)
    system.losses(studies(), system.stages[0])["classification"].backward()
    for name, one in system.named_parameters():
        if one.requires_grad:
            assert one.grad is not None, name
            assert one.grad.abs().sum() > 0, name


def test_a_message_is_that_of_a_graph_convolution() -> None:
    edges = draw("organs")
    edges = ((edges + edges.T) > 0).float()  # that of the oracle has one degree a node
    nodes = torch.randn(NODES, 7)
    oracle = GCNConv(7, 5, add_self_loops=False, bias=False)
    index, weight = dense_to_sparse(edges)
    expected = oracle(nodes, index, weight)
    torch.testing.assert_close(normalised(edges).T @ oracle.lin(nodes), expected)


def test_degrees_by_hand() -> None:
    edges = torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    half = 1 / 2**0.5
    ends = torch.tensor([[0.0, half, 0.5], [0.0, 0.0, half], [0.0, 0.0, 0.0]])
    rows = torch.tensor([[0.0, half, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(normalised(edges), ends)
    torch.testing.assert_close(normalised(edges, "rows"), rows)


@torch.no_grad()
def test_a_layer_by_hand() -> None:
    layer = GraphLayer(1, 1, 0.0).eval()
    for line in (layer.own, layer.forth, layer.back):
        line.weight.fill_(1.0)
    layer.join.weight.copy_(torch.tensor([[1.0, 10.0, 100.0]]))
    along = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    made = layer(torch.tensor([[[1.0], [2.0]]]), along, along.T)
    # node 0: itself 1, along nothing, against 2; node 1: itself 2, along 1, against nothing
    expected = torch.tensor([[[1 + 1 + 200.0], [2 + 2 + 10.0]]])
    torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3)


def test_its_gradient_is_right() -> None:
    layer = GraphLayer(3, 2, 0.0).double().eval()
    along = normalised(torch.rand(4, 4).double())
    nodes = torch.rand(2, 4, 3, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, along, along.T), (nodes,))


def test_a_finding_is_read_from_its_node_or_the_nearest_wider_one() -> None:
    places = [node_of(small_graph(), finding) for finding in ASKED]
    known = {node: at for at, node in enumerate(FINDINGS, FIRST)}
    effusion = known["ckg:pleural_effusion",]
    assert places == [known["ckg:cardiomegaly",], effusion, effusion, known[()]]
    shipped = load_shipped()
    for finding, node in {
        "ckg:lung_nodule": ("ckg:lung_lesion",),
        "ckg:consolidation": ("ckg:pneumonia", "ckg:infiltrate", "ckg:consolidation"),
        "ckg:pulmonary_fibrosis": (),
    }.items():
        assert node_of(shipped, finding) == known[node], finding


@torch.no_grad()
def test_a_picture_is_averaged_whatever_its_place_and_padding_changes_nothing() -> None:
    system, batch = build().eval(), studies()
    answers = system.logits(batch)
    assert batch.image_tokens is not None
    turned = replace(
        batch,
        image_tokens=batch.image_tokens.flip(1),
        image_mask=batch.image_mask.flip(1),
    )
    torch.testing.assert_close(system.logits(turned), answers)
    noise = torch.where(batch.image_mask[..., None, None], batch.image_tokens, 9.0)
    torch.testing.assert_close(system.logits(replace(batch, image_tokens=noise)), answers)


@torch.no_grad()
def test_a_node_looks_where_its_tokens_are() -> None:
    system, batch = build().eval(), studies()
    maps = system.localise(batch, ("ckg:cardiomegaly", "ckg:nowhere"))
    assert maps.shape == (4, 2, 2, 4, 4)
    assert maps[:, 1].isnan().all()
    there = maps[:, 0][batch.image_mask]
    torch.testing.assert_close(there.sum((1, 2)), torch.ones(6))
    assert maps[:, 0][~batch.image_mask].isnan().all()


@torch.no_grad()
def test_read_from_the_mean_the_order_of_nodes_means_nothing() -> None:
    own, mean = build().eval(), build(read="mean").eval()
    other = build(read="mean", graph="random_order").eval()
    assert not torch.allclose(own.logits(studies()), mean.logits(studies()))
    # the nodes change places: with their attention, the answers are the same
    order = np.arange(NODES)
    order[FIRST:] = FIRST + np.random.default_rng(0).permutation(NODES - FIRST)
    other.look.weight.copy_(mean.look.weight[torch.as_tensor(order[1:] - 1)])
    torch.testing.assert_close(other.logits(studies()), mean.logits(studies()))


def test_it_writes_the_reports_it_has_learnt_over_its_nodes(build: Build) -> None:
    system, batch = build("zhang2020, writing", options={"dropout": 0.0, "token_dropout": 0.0})
    assert isinstance(system, Zhang2020)
    assert batch.paired_text is not None
    optimiser = torch.optim.Adam(system.parameters(), 3e-3)
    for _ in range(120):
        optimiser.zero_grad()
        system.losses(batch, Stage(objectives={"report": 1.0}))["report"].backward()
        optimiser.step()
    book = system.setting.vocabulary
    assert book is not None
    truth = [book.decode(words) for words in book.framed(batch.paired_text).tolist()]
    assert system.generate(batch) == truth
    nodes, mask = system.nodes_of_studies(batch)
    one = system.nodes(batch)
    assert mask.sum(1).tolist() == [2 * one.shape[1], one.shape[1]] * 2
    torch.testing.assert_close(nodes[mask], one.flatten(0, 1))


def test_a_run_that_does_not_write_says_so(build: Build) -> None:
    system, batch = build("zhang2020")
    assert isinstance(system, Zhang2020)
    with pytest.raises(InputError, match="no words") as caught:
        system.generate(batch)
    assert caught.value.hint
