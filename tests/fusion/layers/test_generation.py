"""Texts written word by word: the search against trying every text there is."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fusion.layers.captioning import AttentionDecoder
from fusion.layers.generation import State, generate
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy

START, END, WORDS = 1, 2, 5
ENDS = (START, END)


def chain(seed: int, texts: int = 3) -> Tensor:
    """Logits of the next word after each word, `[B, W, W]`."""
    return torch.randn(texts, WORDS, WORDS, generator=torch.Generator().manual_seed(seed)) * 2


def step(words: Tensor, state: State) -> tuple[Tensor, State]:
    (table,) = state
    return table[torch.arange(len(words)), words].clone(), state


def every_text(limit: int) -> list[tuple[int, ...]]:
    """Texts of at most `limit` words that end, and those cut at the limit."""
    open_words = [word for word in range(WORDS) if word != END]
    ended = [(*t, END) for n in range(limit) for t in product(open_words, repeat=n)]
    return ended + list(product(open_words, repeat=limit))


def score(table: Tensor, text: tuple[int, ...]) -> float:
    chance = table.log_softmax(-1)
    return sum(float(chance[a, b]) for a, b in zip((START, *text), text, strict=False))


def text_of(generated: object, row: int) -> list[int]:
    return generated.words[row][generated.mask[row]].tolist()  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("length", [0.0, 1.0])
def test_enough_beams_find_the_likeliest_text(seed: int, length: float) -> None:
    limit, tables = 3, chain(seed)
    found = generate(
        step, (tables,), ends=ENDS, limit=limit, beams=WORDS**limit, length_penalty=length
    )
    for row, table in enumerate(tables):
        best = max(every_text(limit), key=lambda text: score(table, text) / len(text) ** length)
        assert text_of(found, row) == [word for word in best if word != END]
        assert float(found.score[row]) == pytest.approx(score(table, best), abs=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_one_beam_takes_the_likeliest_word(seed: int) -> None:
    tables = chain(seed)
    found = generate(step, (tables,), ends=ENDS, limit=6)
    for row, table in enumerate(tables):
        word, text = START, []
        while len(text) < 6 and (word := int(table[word].argmax())) != END:
            text.append(word)
        assert text_of(found, row) == text


@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_never_depends_on_the_others(beams: int) -> None:
    tables = chain(7, texts=5)
    together = generate(step, (tables,), ends=ENDS, limit=5, beams=beams)
    for row in range(5):
        alone = generate(step, (tables[row : row + 1],), ends=ENDS, limit=5, beams=beams)
        assert text_of(alone, 0) == text_of(together, row)
        assert float(alone.score[0]) == pytest.approx(float(together.score[row]), abs=1e-5)


def test_more_beams_are_never_worse_where_they_hold_everything() -> None:
    tables = chain(3, texts=20)
    greedy = generate(step, (tables,), ends=ENDS, limit=3)
    whole = generate(step, (tables,), ends=ENDS, limit=3, beams=WORDS**3)
    assert (whole.score >= greedy.score - 1e-6).all()
    assert (whole.score > greedy.score + 1e-3).any()


@pytest.mark.parametrize("beams", [1, 4])
def test_what_is_never_written_is_not_written(beams: int) -> None:
    tables = chain(1)
    tables[:, :, 0] += 9
    found = generate(step, (tables,), ends=ENDS, limit=4, beams=beams, never=(0, START))
    assert not ((found.words == 0) & found.mask).any()
    assert not ((found.words == START) & found.mask).any()
    assert found.score.isfinite().all()


def test_a_text_may_be_empty() -> None:
    tables = torch.zeros(2, WORDS, WORDS)
    tables[:, START, END] = 50.0
    found = generate(step, (tables,), ends=ENDS, limit=4, beams=2)
    assert found.mask.sum() == 0
    assert found.words.shape == (2, 0)


def decoder(dropout: float = 0.0) -> AttentionDecoder:
    torch.manual_seed(0)
    return AttentionDecoder(7, 6, hidden=8, words=4, dropout=dropout)


def picture(studies: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0]]).bool()
    return torch.randn(3, 5, 6, generator=generator)[:studies], mask[:studies]


GIVEN = torch.tensor([[1, 4, 5, 6], [1, 3, 0, 0], [1, 6, 6, 0]])


def test_a_given_text_is_read_word_by_word() -> None:
    """What a text is given at once is what steps give one after the other."""
    model, (tokens, mask) = decoder(), picture()
    decoded = model(tokens, mask, GIVEN)
    state = model.start(tokens, mask)
    for place, words in enumerate(GIVEN.unbind(1)):
        logits, state = model.step(words, state)
        torch.testing.assert_close(logits, decoded.logits[:, place])
        torch.testing.assert_close(state[0], decoded.states[:, place])


def test_a_later_word_changes_nothing_before_it() -> None:
    model, (tokens, mask) = decoder(), picture()
    other = GIVEN.clone()
    other[:, 2] = 3
    one, two = model(tokens, mask, GIVEN), model(tokens, mask, other)
    torch.testing.assert_close(one.logits[:, :2], two.logits[:, :2])
    assert not torch.equal(one.logits[:, 2], two.logits[:, 2])


def test_it_looks_at_real_tokens_only() -> None:
    model, (tokens, mask) = decoder(), picture()
    decoded = model(tokens, mask, GIVEN)
    moved = model(tokens.masked_fill(~mask[..., None], 40.0), mask, GIVEN)
    torch.testing.assert_close(moved.logits, decoded.logits)
    assert not decoded.attention.masked_select(~mask[:, None].expand(3, 4, 5)).any()
    torch.testing.assert_close(decoded.attention[:2].sum(-1), torch.ones(2, 4))
    order = torch.tensor([4, 2, 0, 1, 3])
    turned = model(tokens[:, order], mask[:, order], GIVEN)
    torch.testing.assert_close(turned.logits, decoded.logits)
    torch.testing.assert_close(turned.attention, decoded.attention[..., order])


def test_every_weight_gets_a_gradient() -> None:
    model, (tokens, mask) = decoder(), picture(2)
    decoded = model(tokens, mask, GIVEN[:2, :-1])
    sequence_cross_entropy(decoded.logits, GIVEN[:2, 1:], GIVEN[:2, 1:] > 0).backward()
    assert all(each.grad is not None and each.grad.any() for each in model.parameters())


def test_it_learns_to_write_what_it_was_shown() -> None:
    model, (tokens, mask) = decoder(), picture(2)
    texts = torch.tensor([[1, 4, 5, 6, 2], [1, 3, 2, 0, 0]])
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(80):
        optimiser.zero_grad()
        decoded = model(tokens, mask, texts[:, :-1])
        sequence_cross_entropy(decoded.logits, texts[:, 1:], texts[:, 1:] > 0).backward()
        optimiser.step()
    for beams in (1, 3):
        found = model.write(tokens, mask, ends=ENDS, limit=6, beams=beams)
        assert [text_of(found, row) for row in range(2)] == [[4, 5, 6], [3]]


def test_scores_are_those_of_the_text_read_again() -> None:
    model, (tokens, mask) = decoder(), picture()
    found = model.write(tokens, mask, ends=ENDS, limit=5, beams=3, never=())
    for row in range(3):
        text = [START, *text_of(found, row)]
        after = torch.tensor([*text[1:], END])
        logits = model(tokens[row][None], mask[row][None], torch.tensor([text])).logits[0]
        each = F.cross_entropy(logits, after, reduction="none")
        cut = len(text) - 1 == 5  # no room for the end
        assert float(found.score[row]) == pytest.approx(
            -float(each[: 5 if cut else None].sum()), abs=1e-4
        )
