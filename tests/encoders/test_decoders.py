"""Contracts of every decoder of the catalog, and each one by hand."""

from __future__ import annotations

import math

import pytest
import torch

from encoders.decoders import DECODERS, Decoder
from kg.errors import InputError
from kg.options import parse_options

WIDTH, KINDS = 6, 5
NAMES = DECODERS.names()


def build(name, width=WIDTH, **options):
    part = DECODERS.load(name)
    torch.manual_seed(0)
    return part(parse_options(part.Options, options, where=name), width=width, relations=KINDS)


def vectors(count, seed):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", NAMES)
def test_kinds_are_scored_as_concepts_are(name):
    decoder = build(name)
    assert isinstance(decoder, Decoder)
    subjects, objects = vectors(3, 1), vectors(3, 2)
    by_kind = decoder.kind_scores(subjects, objects)
    assert by_kind.shape == (3, KINDS)
    for kind in range(KINDS):
        queries = decoder(subjects, torch.full((3,), kind))
        assert queries.shape == (3, WIDTH)
        scores = decoder.scores(queries, objects)
        assert scores.shape == (3, 3)
        torch.testing.assert_close(by_kind[:, kind], scores.diag(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_everything_learns_and_the_order_of_concepts_does_not_matter(name):
    decoder = build(name)
    subjects, nodes = vectors(4, 1).requires_grad_(), vectors(7, 2).requires_grad_()
    kinds = torch.tensor([0, 4, 2, 2])
    scores = decoder.scores(decoder(subjects, kinds), nodes)
    order = torch.tensor([3, 1, 6, 0, 2, 5, 4])
    again = decoder.scores(decoder(subjects, kinds), nodes[order])
    torch.testing.assert_close(again, scores[:, order])
    (scores.square().sum() + decoder.sizes(nodes).sum()).backward()
    for tensor in (subjects, nodes, *decoder.parameters()):
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().sum() > 0
    assert (decoder.sizes(nodes) >= 0).all()
    assert len(decoder.relation_sizes(kinds)) == 4


def complex_of(row):
    half = len(row) // 2
    return [complex(a, b) for a, b in zip(row[:half].tolist(), row[half:].tolist(), strict=True)]


def test_scores_by_hand():
    subject, obj, kind = vectors(1, 3), vectors(1, 4), torch.tensor([2])
    s, o = complex_of(subject[0]), complex_of(obj[0])

    def score(name, **options):
        decoder = build(name, **options)
        return decoder, decoder.scores(decoder(subject, kind), obj).item()

    decoder, found = score("complex")
    r = complex_of(decoder.relations[2])
    by_hand = sum(a * b * c.conjugate() for a, b, c in zip(s, r, o, strict=True))
    assert found == pytest.approx(by_hand.real, abs=1e-5)
    assert decoder.sizes(obj)[0].tolist() == pytest.approx([abs(c) for c in o], abs=1e-5)

    decoder, found = score("rotate")
    turns = [complex(math.cos(angle), math.sin(angle)) for angle in decoder.angles[2].tolist()]
    turned = [a * b for a, b in zip(s, turns, strict=True)]
    by_hand = -sum(abs(a - c) for a, c in zip(turned, o, strict=True))
    assert found == pytest.approx(by_hand, abs=1e-4)

    decoder, found = score("distmult")
    assert found == pytest.approx(float((subject * decoder.relations[2] * obj).sum()), abs=1e-5)

    decoder, found = score("transe")
    moved = (subject + decoder.relations[2] - obj)[0].tolist()
    assert found == pytest.approx(-math.dist(moved, [0] * WIDTH), abs=1e-4)
    _, found = score("transe", norm=1)
    assert found == pytest.approx(-sum(abs(x) for x in moved), abs=1e-4)


@pytest.mark.parametrize("name", ["complex", "rotate"])
def test_complex_numbers_need_an_even_width(name):
    with pytest.raises(InputError, match="width of 5"):
        build(name, width=5)
