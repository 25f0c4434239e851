"""Contracts of every graph encoder of the catalog, and each one against a loop by hand."""

from __future__ import annotations

import pytest
import torch

from encoders.graph import GRAPH_ENCODERS, GraphEncoder
from encoders.neighbours import NeighbourSampler
from kg.errors import InputError
from kg.options import parse_options

WIDTH, KINDS, CONCEPTS = 8, 3, 4
EDGES = torch.tensor([[0, 1, 2, 2, 3, 0], [1, 2, 0, 1, 1, 1]])
OF_KIND = torch.tensor([0, 1, 2, 0, 0, 2])
WEIGHTS = torch.tensor([1.0, 0.5, 0.25, 0.8, 0.1, 1.0])


def build(name, seed=0, **options):
    part = GRAPH_ENCODERS.load(name)
    torch.manual_seed(seed)
    chosen = parse_options(part.Options, options, where=name)
    return part(chosen, width=WIDTH, relations=KINDS, concepts=CONCEPTS).eval()


def nodes():
    return torch.randn(CONCEPTS, WIDTH, generator=torch.Generator().manual_seed(5))


NAMES = GRAPH_ENCODERS.names()
MESSAGES = [name for name in NAMES if name not in ("identity", "random_vectors")]


@pytest.mark.parametrize("name", NAMES)
def test_shape_seed_and_gradient(name):
    part = build(name)
    assert isinstance(part, GraphEncoder)
    out = part(nodes(), EDGES, OF_KIND, WEIGHTS)
    assert out.shape == (CONCEPTS, WIDTH)
    assert torch.equal(build(name)(nodes(), EDGES, OF_KIND, WEIGHTS), out)
    if any(True for _ in part.parameters()):
        part.train()
        part(nodes(), EDGES, OF_KIND, WEIGHTS).square().sum().backward()
        assert all(torch.isfinite(p.grad).all() for p in part.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_without_edges(name):
    part = build(name)
    none = torch.zeros(2, 0, dtype=torch.int64)
    out = part(nodes(), none, none[0], torch.zeros(0))
    assert out.shape == (CONCEPTS, WIDTH)
    assert torch.isfinite(out).all()


@pytest.mark.parametrize("name", NAMES)
def test_order_of_concepts_and_edges_does_not_matter(name):
    part = build(name)
    before = part(nodes(), EDGES, OF_KIND, WEIGHTS)
    shuffled = torch.tensor([5, 0, 3, 2, 4, 1])
    again = part(nodes(), EDGES[:, shuffled], OF_KIND[shuffled], WEIGHTS[shuffled])
    torch.testing.assert_close(again, before)
    if not part.inductive:
        with pytest.raises(InputError, match="4 concepts"):
            part(torch.zeros(5, WIDTH), EDGES, OF_KIND, WEIGHTS)
        return
    order = torch.tensor([2, 0, 3, 1])
    place = torch.argsort(order)
    moved = part(nodes()[order], place[EDGES], OF_KIND, WEIGHTS)
    torch.testing.assert_close(moved, before[order])


@pytest.mark.parametrize("name", MESSAGES)
def test_relations_and_weights_are_heard(name):
    part = build(name)
    before = part(nodes(), EDGES, OF_KIND, WEIGHTS)
    weaker = WEIGHTS.clone()
    weaker[0] = 0.01
    other = OF_KIND.clone()
    other[0] = 1
    assert not torch.allclose(part(nodes(), EDGES, OF_KIND, weaker)[1], before[1], atol=1e-4)
    assert not torch.allclose(part(nodes(), EDGES, other, WEIGHTS)[1], before[1], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_one_step_compiles_whole(name):
    part = build(name)
    compiled = torch.compile(part, fullgraph=True, backend="eager")
    out = compiled(nodes(), EDGES, OF_KIND, WEIGHTS)
    torch.testing.assert_close(out, part(nodes(), EDGES, OF_KIND, WEIGHTS))


@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "random_vectors"])
def test_a_part_drawn_by_neighbours_says_of_its_seeds_what_all_of_it_would(name, steps, hidden):
    generator = torch.Generator().manual_seed(2)
    ends = torch.randint(30, (2, 90), generator=generator)
    sampler = NeighbourSampler(ends, 30)
    asked = torch.zeros(90, dtype=torch.bool)
    drawn = sampler.sample(torch.tensor([4, 11]), (3,) * steps, generator)
    asked[drawn.places[::2][:hidden]] = True
    part = drawn.without(asked)
    x = torch.randn(len(part.concepts), WIDTH, generator=generator)
    told = part.ends, part.places % KINDS, torch.rand(len(part.places), generator=generator)
    encoder = build(name)
    near = encoder(x, *told, part.hops)
    torch.testing.assert_close(near[:2], encoder(x, *told)[:2])
    assert len(near) < len(x) or name == "identity"


def test_rgcn_by_hand_and_as_in_torch_geometric():
    from torch_geometric.nn import RGCNConv

    layer = build("rgcn", bases=2).convolutions[0]
    x = nodes()
    expected = x @ layer.root + layer.bias
    for place in range(EDGES.shape[1]):
        subject, to, kind = EDGES[0, place], EDGES[1, place], OF_KIND[place]
        same = ((EDGES[1] == to) & (kind == OF_KIND)).sum()
        matrix = (layer.comp[kind].view(-1, 1, 1) * layer.weight).sum(0)
        expected[to] = expected[to] + WEIGHTS[place] / same * x[subject] @ matrix
    torch.testing.assert_close(layer(x, EDGES, OF_KIND, WEIGHTS, CONCEPTS), expected)
    theirs = RGCNConv(WIDTH, WIDTH, KINDS, num_bases=2)
    theirs.load_state_dict(layer.state_dict())
    ours = layer(x, EDGES, OF_KIND, torch.ones(6), CONCEPTS)
    torch.testing.assert_close(ours, theirs(x, EDGES, OF_KIND))


@pytest.mark.parametrize("composition", ["mult", "sub"])
def test_compgcn_by_hand(composition):
    part = build("compgcn", composition=composition)
    layer, x, z = part.convolutions[0], nodes(), part.relations
    share = WEIGHTS.clone()
    composed = []
    for place in range(EDGES.shape[1]):
        subject, to = EDGES[0, place], EDGES[1, place]
        share[place] /= ((EDGES[1] == to).sum() * (EDGES[0] == subject).sum()).sqrt()
        relation = z[OF_KIND[place]]
        composed.append(x[subject] * relation if composition == "mult" else x[subject] - relation)
    around = torch.zeros(CONCEPTS, WIDTH)
    for place, message in enumerate(composed):
        around[EDGES[1, place]] = around[EDGES[1, place]] + share[place] * message
    itself = x * z[-1] if composition == "mult" else x - z[-1]
    expected = around @ layer.around.weight.T + layer.around.bias + itself @ layer.itself.weight.T
    messages, relations = layer(z, x, EDGES, OF_KIND, share, CONCEPTS), layer.onward(z)
    torch.testing.assert_close(messages, expected)
    torch.testing.assert_close(relations, z @ layer.onward.weight.T)
    whole = part.norms[0](
        part.start(x)
        + torch.nn.functional.gelu(layer(z, part.start(x), EDGES, OF_KIND, share, CONCEPTS))
    )
    one = build("compgcn", composition=composition, layers=1)
    one.load_state_dict(part.state_dict(), strict=False)
    torch.testing.assert_close(one(x, EDGES, OF_KIND, WEIGHTS), whole)


def test_gat_attention_by_hand():
    layer = build("gat", heads=2).convolutions[0]
    attention, x = layer.attention, nodes()
    left, right = attention.lin_l(x).view(4, 2, 4), attention.lin_r(x).view(4, 2, 4)
    features = layer.relations[OF_KIND] + WEIGHTS.unsqueeze(1) * layer.strength
    edge = attention.lin_edge(features).view(-1, 2, 4)
    expected = torch.zeros(4, 2, 4)
    for to in range(CONCEPTS):
        into = (EDGES[1] == to).nonzero().flatten()
        mixed = torch.nn.functional.leaky_relu(left[EDGES[0, into]] + right[to] + edge[into], 0.2)
        score = (mixed * attention.att[0]).sum(-1).softmax(0)
        expected[to] = (score.unsqueeze(-1) * left[EDGES[0, into]]).sum(0)
    out = layer(x, EDGES, OF_KIND, WEIGHTS, CONCEPTS)
    torch.testing.assert_close(out, expected.flatten(1) + attention.bias)


def test_hgt_by_hand_and_as_in_torch_geometric():
    from torch_geometric.nn import HGTConv

    layer, x = build("hgt", heads=2).convolutions[0], nodes()
    keys, queries, values = (
        part.view(4, 2, 4) for part in layer.keys_queries_values(x).chunk(3, dim=1)
    )
    heard = torch.zeros(4, 2, 4)
    for to in range(CONCEPTS):
        into = (EDGES[1] == to).nonzero().flatten().tolist()
        scores, said = [], []
        for place in into:
            subject, kind = EDGES[0, place], OF_KIND[place]
            key = torch.einsum("hd,hde->he", keys[subject], layer.key_relation[kind])
            scores.append((queries[to] * key).sum(-1) / 2 + WEIGHTS[place].log())
            said.append(torch.einsum("hd,hde->he", values[subject], layer.value_relation[kind]))
        if into:
            share = torch.stack(scores).softmax(0).unsqueeze(-1)
            heard[to] = (share * torch.stack(said)).sum(0)
    kept = layer.skip.sigmoid()
    gelu = torch.nn.functional.gelu
    expected = kept * layer.out(gelu(heard.flatten(1))) + (1 - kept) * x
    torch.testing.assert_close(layer(x, EDGES, OF_KIND, WEIGHTS, CONCEPTS), expected)

    names = [("concept", str(kind), "concept") for kind in range(KINDS)]
    theirs = HGTConv(WIDTH, WIDTH, (["concept"], names), heads=2)
    with torch.no_grad():
        theirs.kqv_lin.lins["concept"].weight.copy_(layer.keys_queries_values.weight)
        theirs.kqv_lin.lins["concept"].bias.copy_(layer.keys_queries_values.bias)
        theirs.out_lin.lins["concept"].weight.copy_(layer.out.weight)
        theirs.out_lin.lins["concept"].bias.copy_(layer.out.bias)
        for their, our in (
            (theirs.k_rel, layer.key_relation),
            (theirs.v_rel, layer.value_relation),
        ):
            their.weight.copy_(our.transpose(0, 1).reshape(-1, 4, 4))
    by_kind = {name: EDGES[:, kind == OF_KIND] for kind, name in enumerate(names)}
    out = theirs({"concept": x}, by_kind)["concept"]
    torch.testing.assert_close(layer(x, EDGES, OF_KIND, torch.ones(6), CONCEPTS), out)


def test_controls():
    x = nodes()
    assert build("identity")(x, EDGES, OF_KIND, WEIGHTS).mean(1).abs().max() < 1e-6
    random = build("random_vectors", seed=1)
    assert torch.equal(
        random(x, EDGES, OF_KIND, WEIGHTS), build("random_vectors")(x * 2, *[EDGES] * 3)
    )
    part = GRAPH_ENCODERS.load("random_vectors")
    other = part(part.Options(seed=1), width=WIDTH, relations=KINDS, concepts=CONCEPTS)
    assert not torch.equal(other.vectors, random.vectors)
    assert not list(random.parameters())
    with pytest.raises(InputError, match="3 heads"):
        build("gat", heads=3)
