"""Hidden words: how many, what becomes of them, and which are never touched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.text import Vocabulary
from fusion.layers.hidden_words import WordHead, hide_words

WORDS = Vocabulary(1000, 0, 1, 2, 3, 4, lambda ids: "")
ROWS, LENGTH = 200, 100


@pytest.fixture
def texts() -> tuple[Tensor, Tensor]:
    """Texts of many words, the last ten places of each being padding."""
    words = torch.randint(5, 1000, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(LENGTH).expand(ROWS, -1) < LENGTH - 10
    return words * mask, mask


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def test_fifteen_of_a_hundred_are_chosen_and_eight_of_ten_hidden(
    texts: tuple[Tensor, Tensor],
) -> None:
    words, mask = texts
    shown, chosen = hide_words(words, mask, WORDS, generator=seeded())
    assert float(chosen.sum() / mask.sum()) == pytest.approx(0.15, abs=0.01)
    hidden, kept = shown == WORDS.mask, shown == words
    assert float(hidden[chosen].float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float(kept[chosen].float().mean()) == pytest.approx(0.1, abs=0.02)
    assert float((~hidden & ~kept)[chosen].float().mean()) == pytest.approx(0.1, abs=0.02)


def test_only_chosen_words_change(texts: tuple[Tensor, Tensor]) -> None:
    words, mask = texts
    shown, chosen = hide_words(words, mask, WORDS, generator=seeded())
    assert torch.equal(shown[~chosen], words[~chosen])
    assert not chosen[~mask].any()


def test_shares_are_those_asked_for(texts: tuple[Tensor, Tensor]) -> None:
    words, mask = texts
    shown, chosen = hide_words(
        words, mask, WORDS, rate=1.0, masked=0.0, replaced=1.0, generator=seeded()
    )
    assert torch.equal(chosen, mask)
    drawn = shown[mask]
    assert 0 <= int(drawn.min()) <= int(drawn.max()) < WORDS.size
    assert float((drawn == words[mask]).float().mean()) < 0.01
    whole, _ = hide_words(words, mask, WORDS, rate=1.0, masked=1.0, replaced=0.0)
    assert (whole[mask] == WORDS.mask).all()
    none, chosen = hide_words(words, mask, WORDS, rate=0.0)
    assert torch.equal(none, words)
    assert not chosen.any()


def test_a_generator_decides(texts: tuple[Tensor, Tensor]) -> None:
    one, other = (hide_words(*texts, WORDS, generator=seeded())[0] for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one, hide_words(*texts, WORDS)[0])


def test_only_hidden_words_are_told() -> None:
    torch.manual_seed(0)
    head, states = WordHead(6, 9), torch.randn(2, 3, 6)
    words = torch.tensor([[5, 6, 7], [8, 4, 0]])
    hidden = torch.tensor([[True, False, True], [False, True, False]])
    expected = F.cross_entropy(head(states[hidden]), torch.tensor([5, 7, 4]))
    torch.testing.assert_close(head.loss(states, words, hidden), expected)
    assert float(head.loss(states, words, hidden & False)) == 0.0
