"""Neighbour sampling: real edges only, all of them where there are few, never more than asked."""

from __future__ import annotations

import torch

from encoders.neighbours import NeighbourSampler

CONCEPTS, EDGES = 60, 900


def graph():
    generator = torch.Generator().manual_seed(3)
    # half the edges lead into two hubs
    objects = torch.randint(CONCEPTS, (EDGES,), generator=generator)
    objects[::2] = torch.randint(2, (EDGES // 2,), generator=generator)
    return torch.stack((torch.randint(CONCEPTS, (EDGES,), generator=generator), objects))


def draw(seeds, sizes, seed=0):
    ends = graph()
    part = NeighbourSampler(ends, CONCEPTS).sample(
        torch.tensor(seeds), sizes, torch.Generator().manual_seed(seed)
    )
    # every edge is one of the graph's, and its ends are where it says
    assert torch.equal(part.concepts[part.ends], ends[:, part.places])
    assert part.concepts.unique().numel() == part.concepts.numel()
    assert part.places.unique().numel() == part.places.numel()
    assert part.concepts[: len(seeds)].tolist() == seeds
    return ends, part


def test_large_sizes_take_every_edge_within_reach():
    ends, part = draw([7, 30], (EDGES, EDGES))
    near = torch.isin(ends[1], torch.tensor([7, 30]))
    first = torch.cat((torch.tensor([7, 30]), ends[0, near])).unique()
    second = torch.isin(ends[1], first)
    assert set(part.places.tolist()) == set(second.nonzero().flatten().tolist())
    assert set(part.concepts.tolist()) == set(torch.cat((first, ends[0, second])).tolist())


def test_hops_count_what_is_how_far_away_and_edges_left_out_are_not_counted():
    ends, part = draw([7, 30], (EDGES, EDGES))
    near = set(ends[0, torch.isin(ends[1], torch.tensor([7, 30]))].tolist()) | {7, 30}
    first = len(near)
    assert part.hops.concepts == (2, first, len(part.concepts))
    assert set(part.concepts[:first].tolist()) == near
    into = part.concepts[part.ends[1, : part.hops.edges[0]]]
    assert set(into.tolist()) <= {7, 30}
    assert part.hops.edges[1] == len(part.places)
    assert list(part.hops.layers(3)) == [
        (len(part.concepts), len(part.places)), (first, len(part.places)), (2, len(into)),
    ]  # fmt: skip
    hidden = torch.zeros(EDGES, dtype=torch.bool)
    hidden[part.places[:3]] = hidden[part.places[-1]] = True
    less = part.without(hidden)
    assert less.hops.edges == (len(into) - 3, len(part.places) - 4)
    assert torch.equal(less.places, part.places[3:-1])


def test_sizes_bound_what_is_drawn_into_a_concept():
    ends, part = draw([0, 1, 9], (4, 2))
    into = torch.bincount(ends[1, part.places], minlength=CONCEPTS)
    assert into[[0, 1, 9]].tolist() == [
        min(4, n) if n <= 4 else into[place]
        for place, n in zip((0, 1, 9), torch.bincount(ends[1])[[0, 1, 9]].tolist(), strict=True)
    ]
    assert into.max() <= 4
    assert draw([0, 1, 9], (4, 2))[1].places.equal(part.places)
    assert not draw([0, 1, 9], (4, 2), seed=1)[1].places.equal(part.places)


def test_every_edge_into_a_hub_is_drawn_as_often():
    ends = graph()
    sampler = NeighbourSampler(ends, CONCEPTS)
    generator = torch.Generator().manual_seed(0)
    counts = torch.zeros(EDGES)
    for _ in range(2000):
        counts[sampler.sample(torch.tensor([0]), (5,), generator).places] += 1
    hub = (ends[1] == 0).nonzero().flatten()
    expected = 2000 * (1 - (1 - 1 / len(hub)) ** 5)
    assert counts.sum() == counts[hub].sum()
    assert (counts[hub] - expected).abs().max() < 5 * expected**0.5


def test_a_concept_without_edges_is_alone():
    sampler = NeighbourSampler(torch.zeros(2, 0, dtype=torch.int64), 3)
    part = sampler.sample(torch.tensor([2]), (5, 5), torch.Generator())
    assert part.concepts.tolist() == [2]
    assert part.ends.shape == (2, 0)
