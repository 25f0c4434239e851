"""Mismatched pairs: never a text of the same labels, and never one that is not there."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fusion.layers.mismatched import mismatch

NOT_STATED = float("nan")
LABELS = torch.tensor(
    [[1.0, 0], [1, 0], [0, 1], [1, NOT_STATED], [1, NOT_STATED], [0, 0], [1, 1], [0, 1]]
)
THERE = torch.tensor([1, 1, 1, 1, 1, 1, 0, 1]).bool()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(share: float, times: int = 300) -> list[tuple[Tensor, Tensor]]:
    return [mismatch(LABELS, THERE, share=share, generator=seeded(at)) for at in range(times)]


def test_a_wrong_text_has_other_labels_and_is_there() -> None:
    for at, own in drawn(0.7):
        assert torch.equal(own, at == torch.arange(8))
        for row in (~own).nonzero().flatten().tolist():
            other = int(at[row])
            assert THERE[other]
            assert LABELS[row].nan_to_num(-1).tolist() != LABELS[other].nan_to_num(-1).tolist()


def test_every_text_that_fits_is_drawn_and_no_other() -> None:
    seen = {int(at[0]) for at, _ in drawn(1.0)}
    assert seen == {2, 3, 4, 5, 7}


def test_the_share_is_that_asked_for() -> None:
    own = torch.stack([own for _, own in drawn(0.3)]).float().mean(0)
    assert own[THERE].tolist() == pytest.approx([0.7] * 7, abs=0.09)
    assert own[6] == 1.0
    assert all(own.all() for _, own in drawn(0.0, 5))


def test_where_all_are_alike_every_text_is_its_own() -> None:
    alike = torch.tensor([[1.0, NOT_STATED]] * 3)
    at, own = mismatch(alike, torch.ones(3).bool(), share=1.0)
    assert at.tolist() == [0, 1, 2]
    assert own.all()
