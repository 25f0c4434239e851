"""Every loss of the catalog: named after its file, described, a function to a finite scalar."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from fusion.losses import LOSSES
from kg.errors import InputError

Arguments = Callable[[torch.dtype], tuple[Any, ...]]


def rows(dtype: torch.dtype, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()


LABELS = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1], [float("nan"), 1, 0]])
EXCLUSIVE = torch.tensor([[0, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()
WORDS = torch.tensor([[1, 2, 0], [2, 0, 0]])

PLACES = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]]).bool()

GIVEN: dict[str, Arguments] = {
    "token_alignment": lambda d: (rows(d, 4, 3, 5), rows(d, 4, 3, 5, seed=1), (PLACES, PLACES)),
    "swapped_prediction": lambda d: (rows(d, 4, 6), rows(d, 4, 6, seed=1)),
    "pair_cross_entropy": lambda d: (rows(d, 4, 4),),
    "word_region_contrast": lambda d: (
        rows(d, 4, 3, 5),
        rows(d, 4, 3, 5, seed=1),
        (PLACES, PLACES),
    ),
    "pair_ranking": lambda d: (rows(d, 4, 4), 0.5),
    "donsker_varadhan": lambda d: (rows(d, 4, 4),),
    "info_nce": lambda d: (rows(d, 4, 3), rows(d, 4, 3, seed=1)),
    "soft_info_nce": lambda d: (rows(d, 4, 3), rows(d, 4, 3, seed=1), torch.eye(4) + 0.1),
    "stated_bce": lambda d: (rows(d, 4, 3), LABELS),
    "balanced_bce": lambda d: (rows(d, 4, 3), LABELS),
    "reliable_hard_bce": lambda d: (rows(d, 4, 3), LABELS, EXCLUSIVE),
    "triplet_by_similarity": lambda d: (rows(d, 4, 3), LABELS),
    "sequence_cross_entropy": lambda d: (rows(d, 2, 3, 5), WORDS, WORDS > 0),
}

each_loss = pytest.mark.parametrize("name", LOSSES.names())


def test_every_loss_is_tried() -> None:
    assert sorted(GIVEN) == LOSSES.names()


@each_loss
def test_it_is_a_described_function_named_after_its_file(name: str) -> None:
    loss = LOSSES.load(name)
    assert inspect.isfunction(loss)
    assert loss.__name__ == name
    assert len(LOSSES.describe(name).split()) >= 3
    assert LOSSES.describe(name).endswith(".")
    assert "Returns:" in (inspect.getdoc(loss) or "")


@each_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_is_a_finite_scalar_with_a_gradient(name: str, dtype: torch.dtype) -> None:
    given = GIVEN[name](dtype)
    loss = LOSSES.load(name)(*given)
    assert loss.shape == ()
    assert loss.isfinite()
    loss.backward()
    assert given[0].grad.isfinite().all()
    assert given[0].grad.any()


def test_an_unknown_loss_is_refused_with_the_closest() -> None:
    with pytest.raises(InputError) as caught:
        LOSSES.load("infonce")
    assert "info_nce" in caught.value.hint
