"""The losses of labels against numbers worked out by hand, and what must never count."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from fusion.losses.balanced_bce import balanced_bce
from fusion.losses.reliable_hard_bce import reliable_hard_bce
from fusion.losses.stated_bce import stated_bce
from fusion.losses.triplet_by_similarity import triplet_by_similarity

Draw = Callable[..., Tensor]
NAN = float("nan")


def test_balance_by_shares_of_the_training_studies() -> None:
    """log 2 each: positives weigh 1 / (2 * 0.1) = 5 and 1, negatives 1 / (2 * 0.9) and 1."""
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [NAN, NAN]])
    loss = balanced_bce(torch.zeros(3, 2), targets, torch.tensor([0.1, 0.5]))
    assert float(loss) == pytest.approx(math.log(2) * (5 + 1 + 1 / 1.8 + 1) / 4, abs=1e-6)


def test_balance_by_the_batch() -> None:
    """One positive among four answers: it weighs 2, the three negatives 2 / 3 each."""
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0], [NAN, NAN]])
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0], [9.0, -9.0]])
    expected = (2 * math.log(4 / 3) + 3 * (2 / 3) * math.log(2)) / 4
    assert float(balanced_bce(logits, targets)) == pytest.approx(expected, abs=1e-6)


def test_half_and_half_is_plain_cross_entropy(draw: Draw) -> None:
    logits, targets = draw(4, 3), (draw(4, 3) > 0).double()
    plain = F.binary_cross_entropy_with_logits(logits, targets)
    half = balanced_bce(logits, targets, torch.full((3,), 0.5))
    assert float(half) == pytest.approx(float(plain), abs=1e-9)


@pytest.mark.parametrize(("limit", "weight"), [(300.0, 50.0), (7.0, 7.0)])
def test_no_label_weighs_more_than_the_limit(limit: float, weight: float) -> None:
    loss = balanced_bce(torch.zeros(1, 1), torch.ones(1, 1), torch.tensor([0.01]), limit=limit)
    assert float(loss) == pytest.approx(weight * math.log(2), rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_batch_of_one_kind_is_finite(value: float) -> None:
    loss = balanced_bce(torch.zeros(2, 2), torch.full((2, 2), value))
    assert float(loss) == pytest.approx(math.log(2) / 2, abs=1e-6)


@pytest.mark.parametrize("share", [None, torch.tensor([0.2, 0.4, 0.5])])
def test_what_is_not_stated_never_counts(draw: Draw, share: Tensor | None) -> None:
    logits = draw(4, 3)
    targets = torch.tensor([[1, 0, NAN], [0, 0, 1], [NAN, NAN, NAN], [1, 1, 0]]).double()
    loss = balanced_bce(logits, targets, share)
    loss.backward()
    assert logits.grad is not None
    assert not logits.grad[targets.isnan()].any()
    stated = [0, 1, 3]
    assert float(balanced_bce(logits[stated], targets[stated], share)) == pytest.approx(float(loss))
    assert float(balanced_bce(logits, targets * NAN, share)) == 0.0


@pytest.mark.parametrize("share", [None, torch.tensor([0.2, 0.4]).double()])
def test_gradients_of_balance(draw: Draw, share: Tensor | None) -> None:
    targets = torch.tensor([[1.0, 0.0], [NAN, 1.0], [0.0, 0.3]]).double()
    assert gradcheck(lambda logits: balanced_bce(logits, targets, share), draw(3, 2))


EXCLUSIVE = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
"""Labels 0 and 1 cannot hold together; 2 stands alone."""


def test_only_positives_and_what_they_exclude_are_sure() -> None:
    """Sure: label 0 positive (p = .5), label 1 denied (p = .75), label 2 of the second study."""
    logits = torch.tensor([[0.0, math.log(3), 5.0], [5.0, 5.0, -math.log(3)]])
    targets = torch.tensor([[1.0, 0.0, 0.0], [0.0, NAN, 1.0]])
    losses = [math.log(2), math.log(4), math.log(4)]
    weights = [0.25, 0.75**2, 0.75**2]
    expected = sum(w * x for w, x in zip(weights, losses, strict=True)) / sum(weights)
    assert float(reliable_hard_bce(logits, targets, EXCLUSIVE)) == pytest.approx(expected, abs=1e-6)


def test_two_positives_that_exclude_each_other_stay_positive() -> None:
    both = torch.tensor([[1.0, 1.0, 0.0]])
    sure = torch.tensor([[30.0, 30.0, 0.0]])
    assert float(reliable_hard_bce(sure, both, EXCLUSIVE)) < 1e-9
    assert float(reliable_hard_bce(-sure, both, EXCLUSIVE)) == pytest.approx(30.0, abs=1e-4)


def test_it_is_what_draws_of_hard_answers_come_to(draw: Draw) -> None:
    logits, targets = draw(6, 3).detach(), (draw(6, 3) > 0).double()
    wrong = (logits.sigmoid() - targets) ** 2
    sure = (targets == 1) | ((targets @ EXCLUSIVE.double()) > 0)
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    drawn = torch.multinomial(
        (wrong * sure).flatten(), 200_000, True, generator=torch.Generator().manual_seed(0)
    )
    loss = reliable_hard_bce(logits, targets, EXCLUSIVE)
    assert float(loss) == pytest.approx(float(each.flatten()[drawn].mean()), rel=0.01)


def test_gradients_of_hard_answers_hold_their_weights(draw: Draw) -> None:
    logits = draw(4, 3)
    targets = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, NAN], [0, 0, 1]]).double()
    reliable_hard_bce(logits, targets, EXCLUSIVE).backward()
    chance = logits.detach().sigmoid()
    truth = targets.nan_to_num(0.0)
    sure = (truth == 1) | ((truth @ EXCLUSIVE.double()) > 0)
    weight = (chance - truth) ** 2 * sure
    torch.testing.assert_close(logits.grad, weight * (chance - truth) / weight.sum())
    assert logits.grad is not None
    assert not logits.grad[2].any()


def test_a_study_without_a_positive_is_not_asked(draw: Draw) -> None:
    logits = draw(3, 3)
    targets = torch.tensor([[1, 0, 0], [0, 0, 0], [NAN, NAN, NAN]]).double()
    loss = reliable_hard_bce(logits, targets, EXCLUSIVE)
    assert float(loss) == pytest.approx(
        float(reliable_hard_bce(logits[:1], targets[:1], EXCLUSIVE)), abs=1e-12
    )
    assert float(reliable_hard_bce(logits[1:], targets[1:], EXCLUSIVE)) == 0.0


def test_triplets_by_hand() -> None:
    """Studies 0 and 1 share two of two labels (similarity 2); 2 shares one of three (1 / 3)."""
    labels = torch.tensor([[1.0, 1, 0], [1, 1, 0], [1, 0, 1]])
    places = torch.tensor([[0.0], [3.0], [1.0]])
    # anchors 0 and 1, each with the other and study 2: 3 - 1 + .1 and 3 - 2 + .1
    loss = triplet_by_similarity(places, labels, margin=0.1)
    assert float(loss) == pytest.approx((2.1 + 1.1) / 2, abs=1e-6)
    # once a third of a label is enough, 2 is a partner too, but it has no less similar study
    more = triplet_by_similarity(places, labels, margin=0.1, positive_at=0.3)
    assert float(more) == pytest.approx((2.1 + 1.1) / 2, abs=1e-6)
    far = triplet_by_similarity(torch.tensor([[0.0], [0.1], [9.0]]), labels)
    assert float(far) == 0.0


def test_triplets_of_every_anchor_written_out(draw: Draw) -> None:
    places, labels = draw(7, 2), (draw(7, 4) > 0).double()
    rows = [set(row.nonzero().flatten().tolist()) for row in labels]

    def similar(i: int, j: int) -> float:
        shared = len(rows[i] & rows[j])
        return shared * shared / max(len(rows[i] | rows[j]), 1)

    found = [
        max(float((places[i] - places[j]).norm() - (places[i] - places[k]).norm()) + 0.2, 0.0)
        for i in range(7)
        for j in range(7)
        for k in range(7)
        if len({i, j, k}) == 3 and similar(i, j) >= 0.5 and similar(i, k) < similar(i, j)
    ]
    assert len(found) > 5
    loss = triplet_by_similarity(places, labels, margin=0.2, positive_at=0.5)
    assert float(loss) == pytest.approx(sum(found) / len(found), abs=1e-9)


def test_unlabelled_studies_are_negatives_and_nothing_else(draw: Draw) -> None:
    places = draw(3, 2)
    nothing = torch.tensor([[NAN, NAN], [0, 0], [0, NAN]]).double()
    assert float(triplet_by_similarity(places, nothing)) == 0.0
    order = torch.tensor([2, 0, 3, 1])
    places, labels = draw(4, 2), torch.tensor([[1, 1], [1, 1], [1, 0], [0, 0]]).double()
    one = triplet_by_similarity(places, labels)
    assert float(triplet_by_similarity(places[order], labels[order])) == pytest.approx(float(one))


def test_gradients_of_triplets(draw: Draw) -> None:
    labels = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1]]).double()
    assert gradcheck(lambda places: triplet_by_similarity(places, labels, margin=1.0), draw(4, 2))


def test_copies_have_a_gradient(draw: Draw) -> None:
    places = torch.ones(3, 2, requires_grad=True)
    labels = torch.tensor([[1, 1], [1, 1], [0, 1]])
    triplet_by_similarity(places, labels).backward()
    assert places.grad is not None
    assert places.grad.isfinite().all()


def test_every_statement_counts_alike() -> None:
    """log(4/3) and log 2 by hand, over two statements; what is not stated is left out."""
    logits = torch.tensor([[math.log(3), 0.0, 7.0]])
    loss = stated_bce(logits, torch.tensor([[1.0, 0.0, NAN]]))
    assert float(loss) == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, abs=1e-6)
    assert float(stated_bce(logits, torch.full_like(logits, NAN))) == 0.0


def test_two_logits_with_a_softmax_are_their_difference(draw: Draw) -> None:
    two, targets = draw(5, 2), torch.tensor([1, 0, 0, 1, 1])
    both = F.cross_entropy(two, targets)
    torch.testing.assert_close(stated_bce(two[:, 1] - two[:, 0], targets.double()), both)
