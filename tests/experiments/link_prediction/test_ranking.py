"""Ranks by hand: filtered, realistic, both sides, whatever fits in memory; inverse leaks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from experiments.link_prediction.leaks import leaking, leaks
from experiments.link_prediction.measure import WHAT, chance, measure, nearest, over_seeds
from experiments.link_prediction.ranking import LinkMetrics, known_answers, measured, ranks
from experiments.link_prediction.triples import from_rows
from kg.errors import InputError, RunStopped

ROWS = [
    [("a", "r", "b"), ("a", "r", "c"), ("d", "r", "b")],
    [("a", "r", "d")],
    [("a", "r", "e")],
]


def random_rows(concepts, count, seed=0):
    draw = np.random.default_rng(seed)
    pick = draw.integers((concepts, 3, concepts), size=(count, 3)).tolist()
    rows = [(f"c{s}", f"r{r}", f"c{o}") for s, r, o in pick]
    return from_rows([rows[: count // 2], rows[count // 2 : -40], rows[-40:]])


def test_by_hand():
    made = from_rows(ROWS)
    #                        a    b    c    d    e
    table = {0: torch.tensor([0.1, 0.9, 0.8, 0.7, 0.1]), 1: torch.tensor([0.3, 0.2, 0.9, 0.3, 0.3])}

    def score(subjects, kinds):
        return torch.stack([table[kind] for kind in kinds.tolist()])

    found = ranks(score, made.directed("test"), known_answers(made), concepts=5)
    # object of (a, r, ?): b, c and d are known, and e ties with a: between ranks 1 and 2
    # subject of (?, r, e): one is better than a, and two tie with it
    assert found.tolist() == [1.5, 3.0]
    assert measured(found) == LinkMetrics(pytest.approx((1 / 1.5 + 1 / 3) / 2), 0.0, 1.0, 1.0, 2)
    rows = measure(found, made).rows
    assert [rows[what].mrr for what in WHAT[1:3]] == pytest.approx([1 / 1.5, 1 / 3])
    with pytest.raises(RunStopped, match="not finite"):
        ranks(lambda s, k: score(s, k) * torch.nan, made.directed("test"), known_answers(made),
              concepts=5)  # fmt: skip


def test_a_scorer_that_says_the_same_of_everything_is_at_chance():
    made = random_rows(50, 400)
    found = chance(made, known_answers(made))
    # at least 50 - 20 concepts are left, so every rank is at least 15
    assert found.mrr < 1 / 15
    assert found.hits_10 == 0.0


@pytest.mark.parametrize("budget", [1, 4000, 10**9])
def test_ranks_by_a_plain_loop_whatever_the_memory(budget):
    made = random_rows(30, 300)
    table = torch.randint(9, (30, made.kinds, 30), generator=torch.Generator().manual_seed(1))
    table = table.float()
    known = {tuple(e) for p in ("train", "valid", "test") for e in made.directed(p).tolist()}
    expected = []
    for s, k, o in made.directed("test").tolist():
        own = table[s, k, o]
        others = [table[s, k, x] for x in range(30) if (s, k, x) not in known]
        expected.append(1 + sum(x > own for x in others) + sum(x == own for x in others) / 2)
    found = ranks(lambda s, k: table[s, k], made.directed("test"), known_answers(made),
                  concepts=30, budget=budget)  # fmt: skip
    assert found.tolist() == expected


def test_inverse_leaks_are_found_and_measured_apart():
    pairs = [(f"a{n}", f"b{n}") for n in range(12)]
    learned = [row for a, b in pairs[:10] for row in ((a, "part_of", b), (b, "has_part", a))]
    learned += [(pairs[10][0], "part_of", pairs[10][1]), (pairs[11][0], "near", pairs[11][1])]
    test = [(pairs[10][1], "has_part", pairs[10][0]), (pairs[11][1], "has_part", pairs[11][0])]
    made = from_rows([learned, [], test])
    found = leaks(made)
    assert [(leak.known, leak.implied, leak.reversed, leak.pairs) for leak in found] == [
        ("has_part", "part_of", True, 10), ("part_of", "has_part", True, 10),
    ]  # fmt: skip
    assert found[0].share == 1.0
    assert found[1].share == pytest.approx(10 / 11)
    assert leaking(made, made.test).tolist() == [True, False]
    first = pairs[10][1] == made.concepts[made.test[0, 0]]
    rows = measure(np.array([1.0, 4.0, 1.0, 2.0]), made)
    assert first
    assert rows.leaks == 0.5
    assert rows.rows["both sides"].mrr == pytest.approx((1 + 1 / 4 + 1 + 1 / 2) / 4)
    assert rows.rows["without inverse leaks"].mrr == pytest.approx((1 / 4 + 1 / 2) / 2)
    assert rows.relations["has_part"].count == 4


def test_a_symmetric_relation_leaks_into_itself():
    ends = [(f"a{n}", f"b{n}") for n in range(6)]
    both = [row for a, b in ends for row in ((a, "near", b), (b, "near", a))]
    made = from_rows([[*both, ("x", "near", "y")], [], [("y", "near", "x")]])
    assert leaking(made, made.test).tolist() == [True]


def test_nearest_and_spread():
    nodes = torch.tensor([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [-1.0, 0.0]])
    found = list(nearest(nodes, "abcd", "a", 9))
    assert [concept for concept, _ in found] == ["b", "c", "d"]
    assert found[2][1] == pytest.approx(-1)
    with pytest.raises(InputError, match="no concept e"):
        list(nearest(nodes, "abcd", "e", 1))
    figures = over_seeds([LinkMetrics(0.5, 0, 0, 0, 2), LinkMetrics(0.7, 0, 0, 0, 2)])
    assert figures["mrr"].mean == pytest.approx(0.6)
    assert figures["mrr"].deviation == pytest.approx(0.02**0.5)
