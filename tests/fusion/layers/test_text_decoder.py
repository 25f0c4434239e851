"""Text decoder: no word sees later ones, padding counts nothing, and writing is what it learnt."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional as F

from encoders.text import Vocabulary
from fusion.layers.text_decoder import TextDecoder, written_words
from kg.errors import InputError

WORDS = ("<padding>", "<unknown>", "<mask>", "<start>", "<end>", "clear", "heart", "large")
START, END = 3, 4


def decode(ids: Sequence[int]) -> str:
    return " ".join(WORDS[each] for each in ids)


@pytest.fixture
def decoder() -> TextDecoder:
    torch.manual_seed(0)
    book = Vocabulary(len(WORDS), 0, 1, 2, START, END, decode)
    return TextDecoder(book, 4, width=8, layers=2, heads=2, limit=5).eval()


@pytest.fixture
def images() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(3, 3, 4), torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 0]]).bool()


FRAMED = torch.tensor([[START, 5, 6, END, 0], [START, 7, END, 0, 0], [START, 7, END, 0, 0]])


def test_no_word_sees_later_ones(
    decoder: TextDecoder, images: tuple[torch.Tensor, torch.Tensor]
) -> None:
    one = decoder(*images, FRAMED)
    changed = FRAMED.clone()
    changed[:, 3:] = 7
    torch.testing.assert_close(decoder(*images, changed)[:, :3], one[:, :3])
    assert not torch.allclose(decoder(*images, changed)[:2, 3], one[:2, 3])


def test_hidden_tokens_and_others_studies_count_nothing(
    decoder: TextDecoder, images: tuple[torch.Tensor, torch.Tensor]
) -> None:
    tokens, mask = images
    other = torch.where(mask[..., None], tokens, torch.full_like(tokens, 9.0))
    torch.testing.assert_close(decoder(other, mask, FRAMED)[:2], decoder(*images, FRAMED)[:2])
    assert decoder(*images, FRAMED).isfinite().all()
    torch.testing.assert_close(
        decoder(tokens[:1], mask[:1], FRAMED[:1])[0], decoder(*images, FRAMED)[0]
    )


def test_the_loss_by_hand(decoder: TextDecoder, images: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits = decoder(*images, FRAMED[:, :-1])
    rows, places = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([0, 1, 2, 0, 1])
    expected = F.cross_entropy(logits[rows, places], torch.tensor([5, 6, END, 7, END]))
    torch.testing.assert_close(decoder.loss(*images, FRAMED), expected)


@pytest.mark.parametrize(
    ("words", "real"),
    [
        ((START, 5, END, 0), (1, 1, 0)),
        ((START, END, 0, 0), (0, 0, 0)),
        ((START, 5, 6, 7), (1, 1, 1)),
    ],
)
def test_words_count_up_to_the_end(words: tuple[int, ...], real: tuple[int, ...]) -> None:
    made = written_words(torch.tensor([words]), END)
    assert made.long().tolist() == [list(real)]


@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_what_it_learnt(
    decoder: TextDecoder, images: tuple[torch.Tensor, torch.Tensor], beams: int
) -> None:
    optimiser = torch.optim.Adam(decoder.parameters(), 1e-2)
    for _ in range(100):
        optimiser.zero_grad()
        decoder.loss(*images, FRAMED).backward()
        optimiser.step()
    assert decoder.write(*images, beams=beams) == ["clear heart", "large", ""]


def test_no_more_words_than_the_limit_and_no_marks(
    decoder: TextDecoder, images: tuple[torch.Tensor, torch.Tensor]
) -> None:
    with torch.no_grad():
        decoder.output.weight.zero_()
        decoder.output.bias.copy_(torch.tensor([9.0, 9.0, 9.0, 9.0, 0.0, 1.0, 0.0, 0.0]))
    assert decoder.write(*images) == ["clear clear clear clear clear"] * 2 + [""]


def test_heads_must_divide_the_width() -> None:
    book = Vocabulary(len(WORDS), 0, 1, 2, START, END, decode)
    with pytest.raises(InputError, match="heads"):
        TextDecoder(book, 4, width=8, layers=1, heads=3, limit=5)
