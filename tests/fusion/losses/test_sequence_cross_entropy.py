"""The word loss: by hand, against torch, and without padding."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional as F

from fusion.losses.sequence_cross_entropy import sequence_cross_entropy

Draw = Callable[..., Tensor]


def test_two_texts_by_hand() -> None:
    """Of three words, log 3, log(4 / 2) and log 3; one place is padding."""
    logits = torch.zeros(2, 2, 3)
    logits[0, 1, 2] = math.log(2)
    words = torch.tensor([[0, 2], [1, 0]])
    mask = torch.tensor([[True, True], [True, False]])
    expected = (math.log(3) + math.log(2) + math.log(3)) / 3
    assert float(sequence_cross_entropy(logits, words, mask)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_torch_with_an_ignored_word(draw: Draw, smoothing: float) -> None:
    logits, words = draw(3, 4, 6), torch.tensor([[1, 2, 3, 4], [5, 0, -7, -7], [3, -7, -7, -7]])
    expected = F.cross_entropy(
        logits.flatten(0, 1), words.flatten(), ignore_index=-7, label_smoothing=smoothing
    )
    loss = sequence_cross_entropy(logits, words, words >= 0, smoothing=smoothing)
    assert float(loss) == pytest.approx(float(expected), abs=1e-9)


def test_padding_and_empty_texts_change_nothing(draw: Draw) -> None:
    logits, words = draw(2, 3, 5), torch.tensor([[1, 2, 3], [4, 1, 0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]]).bool()
    short = sequence_cross_entropy(logits, words, mask)
    longer = F.pad(logits, (0, 0, 0, 2, 0, 1), value=3.0)
    wide = sequence_cross_entropy(longer, F.pad(words, (0, 2, 0, 1)), F.pad(mask, (0, 2, 0, 1)))
    assert float(wide) == pytest.approx(float(short), abs=1e-12)
    wide.backward()
    assert logits.grad is not None
    assert not logits.grad[1, 2].any()
    order = torch.tensor([1, 0])
    swapped = sequence_cross_entropy(logits[order], words[order], mask[order])
    assert float(swapped) == pytest.approx(float(short), abs=1e-12)
    assert float(sequence_cross_entropy(logits, words, mask & False)) == 0.0


def test_gradients_of_words(draw: Draw) -> None:
    words, mask = torch.tensor([[1, 2], [0, 0]]), torch.tensor([[1, 1], [1, 0]]).bool()
    assert gradcheck(lambda logits: sequence_cross_entropy(logits, words, mask), draw(2, 2, 3))
