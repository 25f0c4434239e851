"""Token alignment and swapped prediction: by hand, against POT, and blind to padding and order."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import ot
import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from fusion.losses.swapped_prediction import sinkhorn, swapped_prediction
from fusion.losses.token_alignment import token_alignment

Draw = Callable[..., Tensor]

WORDS = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0]]).bool()
REGIONS = torch.tensor([[1, 1], [1, 1], [0, 1]]).bool()


def unit(rows: Tensor) -> Tensor:
    return F.normalize(rows, dim=-1)


def one_side_by_hand(tokens: Tensor, others: Tensor, temperature: float) -> float:
    """Loss of one study: rows and columns of tokens against what they attend to."""
    attended = []
    for token in tokens:
        shares = torch.stack([(token @ other) / temperature for other in others]).softmax(0)
        mean = sum(share * other for share, other in zip(shares, others, strict=True))
        attended.append(unit(mean))
    near = [[float(token @ other) / temperature for other in attended] for token in tokens]
    found = 0.0
    for place in range(len(tokens)):
        row, column = near[place], [each[place] for each in near]
        found += math.log(sum(map(math.exp, row))) - near[place][place]
        found += math.log(sum(map(math.exp, column))) - near[place][place]
    return found / 2 / len(tokens)


def test_tokens_are_found_by_what_they_attend_to(draw: Draw) -> None:
    words, regions = unit(draw(3, 3, 4)), unit(draw(3, 2, 4))
    expected = 0.0
    for word, region, of_word, of_region in zip(words, regions, WORDS, REGIONS, strict=True):
        w, r = word[of_word], region[of_region]
        expected += one_side_by_hand(w, r, 0.3) / 2 + one_side_by_hand(r, w, 0.3) / 2
    loss = token_alignment(words, regions, (WORDS, REGIONS), temperature=0.3)
    assert float(loss) == pytest.approx(expected / 3, abs=1e-9)


def test_words_that_are_regions_cost_little_and_equal_words_a_logarithm() -> None:
    eye, all_there = torch.eye(3)[None], torch.ones(1, 3).bool()
    assert float(token_alignment(eye, eye, (all_there, all_there))) == pytest.approx(0, abs=1e-3)
    alike = unit(torch.ones(1, 3, 3))
    loss = token_alignment(alike, alike, (all_there, all_there))
    assert float(loss) == pytest.approx(math.log(3), abs=1e-6)


def test_padding_and_order_change_no_alignment(draw: Draw) -> None:
    words, regions = unit(draw(3, 3, 4)), unit(draw(3, 2, 4))
    loss = token_alignment(words, regions, (WORDS, REGIONS))
    wide = F.pad(words, (0, 0, 0, 2), value=5.0), F.pad(regions, (0, 0, 1, 0), value=-5.0)
    spread = F.pad(WORDS, (0, 2)), F.pad(REGIONS, (1, 0))
    assert float(token_alignment(*wide, spread)) == pytest.approx(float(loss), abs=1e-9)
    rows, places = torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0])
    turned = token_alignment(
        words[rows][:, places], regions[rows], (WORDS[rows][:, places], REGIONS[rows])
    )
    assert float(turned) == pytest.approx(float(loss), abs=1e-9)


@pytest.mark.parametrize("lacks", [0, 1])
def test_a_row_with_one_side_alone_changes_nothing(draw: Draw, lacks: int) -> None:
    words, regions, masks = draw(3, 3, 4), draw(3, 2, 4), (WORDS.clone(), REGIONS.clone())
    masks[lacks][1] = False
    loss = token_alignment(words, regions, masks)
    left = [0, 2]
    alone = token_alignment(words[left], regions[left], (WORDS[left], REGIONS[left]))
    assert float(loss) == pytest.approx(float(alone), abs=1e-9)
    loss.backward()
    for side in (words, regions):
        assert side.grad is not None
        assert not side.grad[1].any()
    assert float(token_alignment(words, regions, (masks[0] & False, masks[1]))) == 0.0


def test_gradients_of_alignment(draw: Draw) -> None:
    assert gradcheck(
        lambda words, regions: token_alignment(words, regions, (WORDS, REGIONS), temperature=0.5),
        (draw(3, 3, 2), draw(3, 2, 2)),
    )


@pytest.mark.parametrize("epsilon", [0.05, 0.3])
@pytest.mark.parametrize("shape", [(6, 4), (4, 9)])
def test_the_assignment_is_that_of_pot(draw: Draw, epsilon: float, shape: tuple[int, int]) -> None:
    scores = draw(*shape).detach().tanh()
    rows, columns = (np.full(n, 1 / n) for n in shape)
    plan = ot.sinkhorn(rows, columns, -scores.numpy(), epsilon, numItermax=20_000, stopThr=1e-12)
    shares = sinkhorn(scores, torch.ones(shape[0]).bool(), epsilon=epsilon, iterations=5_000)
    np.testing.assert_allclose(shares.numpy() / shape[0], plan, atol=1e-5)


def test_one_iteration_written_out() -> None:
    """Exponentials 1, 3 / 1, 1 over their columns, then over their rows."""
    scores = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]])
    shares = sinkhorn(scores, torch.ones(2).bool(), epsilon=1.0, iterations=1)
    expected = torch.tensor([[0.5 / 1.25, 0.75 / 1.25], [0.5 / 0.75, 0.25 / 0.75]])
    torch.testing.assert_close(shares, expected)


def test_a_row_that_does_not_count_is_not_assigned(draw: Draw) -> None:
    scores, mask = draw(5, 3).detach(), torch.tensor([1, 0, 1, 1, 0]).bool()
    shares = sinkhorn(scores, mask, epsilon=0.1, iterations=3)
    assert not shares[~mask].any()
    alone = sinkhorn(scores[mask], torch.ones(3).bool(), epsilon=0.1, iterations=3)
    torch.testing.assert_close(shares[mask], alone)
    assert not sinkhorn(scores, mask & False, epsilon=0.1, iterations=3).any()


def test_each_side_predicts_the_assignment_of_the_other(draw: Draw) -> None:
    a, b, everyone = draw(4, 3), draw(4, 3), torch.ones(4).bool()
    of_a, of_b = (sinkhorn(x.detach(), everyone, epsilon=0.1, iterations=2) for x in (a, b))
    expected = (F.cross_entropy(a / 0.2, of_b) + F.cross_entropy(b / 0.2, of_a)) / 2
    loss = swapped_prediction(a, b, epsilon=0.1, iterations=2)
    assert float(loss) == pytest.approx(float(expected), abs=1e-9)
    order = torch.tensor([3, 1, 0, 2])
    turned = swapped_prediction(a[order], b[order], epsilon=0.1, iterations=2)
    assert float(turned) == pytest.approx(float(loss), abs=1e-9)


def test_masked_rows_change_no_prediction(draw: Draw) -> None:
    a, b, mask = draw(5, 3), draw(5, 3), torch.tensor([1, 0, 1, 1, 0]).bool()
    loss = swapped_prediction(a, b, mask=mask)
    assert float(loss) == pytest.approx(float(swapped_prediction(a[mask], b[mask])), abs=1e-9)
    loss.backward()
    assert a.grad is not None
    assert not a.grad[~mask].any()
    assert float(swapped_prediction(a, b, mask=mask & False)) == 0.0


def test_gradients_of_predictions_hold_the_assignments(draw: Draw) -> None:
    a, b = draw(3, 4), draw(3, 4)
    swapped_prediction(a, b, temperature=0.5).backward()
    of_b = sinkhorn(b.detach(), torch.ones(3).bool(), epsilon=0.05, iterations=3)
    expected = ((a.detach() / 0.5).softmax(1) - of_b) / 0.5 / 3 / 2
    torch.testing.assert_close(a.grad, expected)
