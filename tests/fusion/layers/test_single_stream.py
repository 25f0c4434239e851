"""The single stream: equal to VisualBERT, its masks by hand, and blind to what is not there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, VisualBertConfig, VisualBertModel

from encoders.batch import Features, Text
from encoders.text import Vocabulary
from fusion.layers import single_stream
from fusion.layers.single_stream import SingleStream, StreamOptions, attention_mask
from fusion.system import Setting
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

WORDS = Vocabulary(20, 0, 1, 2, 3, 4, lambda ids: "")
SETTING = Setting(KnowledgeGraph((), ()), torch.zeros(0, 4), (), vocabulary=WORDS)
SMALL = {"width": 16, "layers": 2, "heads": 4, "positions": 12}
IMAGE_MASK = torch.tensor([[1, 1, 1], [1, 0, 1]]).bool()
TEXT_MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool()
KINDS = ("full", "seq2seq", "bi_autoregressive", "non_cross")


def stream(setting: Setting = SETTING, **options: Any) -> SingleStream:
    torch.manual_seed(0)
    return SingleStream(StreamOptions.model_validate({**SMALL, **options}), setting).eval()


def image(mask: Tensor = IMAGE_MASK) -> Features:
    tokens = torch.randn(2, 3, 16, generator=torch.Generator().manual_seed(1))
    return Features(tokens, mask, tokens.mean(1))


def words() -> Tensor:
    return torch.tensor([[5, 6, 7, 4], [8, 4, 0, 0]])


@torch.no_grad()
def test_it_is_visual_bert() -> None:
    """Same weights, same tokens, another order in memory."""
    made = stream()
    made.bert.embeddings.token_type_embeddings.weight.normal_()
    shape = {**made.bert.config.to_dict(), "visual_embedding_dim": 6}
    known = {key: shape[key] for key in VisualBertConfig().to_dict() if key in shape}
    other = VisualBertModel(VisualBertConfig(**known), add_pooling_layer=False).eval()
    missing = other.load_state_dict(made.bert.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all("visual" in key for key in missing.missing_keys)
    own, visual = made.bert.embeddings, other.embeddings
    visual.visual_token_type_embeddings.weight.copy_(own.token_type_embeddings.weight)
    visual.visual_position_embeddings.weight.copy_(own.position_embeddings.weight)
    raw = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(2))
    ids = torch.cat([torch.full((2, 1), WORDS.start), words()], 1)
    there = torch.cat([torch.ones(2, 1).bool(), TEXT_MASK], 1)
    expected = other(
        input_ids=ids,
        attention_mask=there.long(),
        visual_embeds=raw,
        visual_attention_mask=IMAGE_MASK.long(),
    ).last_hidden_state
    tokens = visual.visual_projection(raw)
    joint = made(replace(image(), tokens=tokens), made.embed(words(), TEXT_MASK))
    torch.testing.assert_close(joint.first, expected[:, 0])
    torch.testing.assert_close(joint.text.tokens[TEXT_MASK], expected[:, 1:5][TEXT_MASK])
    torch.testing.assert_close(joint.image.tokens[IMAGE_MASK], expected[:, 5:][IMAGE_MASK])


BY_HAND = {
    "full": ["11111", "11111", "11111", "11111", "11111"],
    "seq2seq": ["11100", "11100", "11100", "11110", "11111"],
    "bi_autoregressive": ["11111", "11111", "11111", "11110", "11111"],
    "non_cross": ["11100", "11100", "11100", "00011", "00011"],
}
"""The mark, two image tokens, two words; rows attend to columns."""


@pytest.mark.parametrize("kind", KINDS)
def test_masks_by_hand(kind: Any) -> None:
    there = torch.ones(1, 2).bool()
    made = attention_mask(there, there, kind)[0].int().tolist()
    assert ["".join(map(str, row)) for row in made] == BY_HAND[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_padding_is_attended_to_by_itself_alone(kind: Any) -> None:
    made = attention_mask(IMAGE_MASK, TEXT_MASK, kind)
    real = torch.cat([torch.ones(2, 1).bool(), IMAGE_MASK, TEXT_MASK], 1)
    itself = torch.eye(8).bool()
    assert not (made & ~real[:, None] & ~itself).any()
    assert made.diagonal(dim1=1, dim2=2).all()
    assert attention_mask(IMAGE_MASK[:, :0], TEXT_MASK, kind).shape == (2, 5, 5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_padding_changes_nothing(kind: Any) -> None:
    made = stream()
    given, text = image(), made.embed(words(), TEXT_MASK)
    joint = made(given, text, kind)
    spoilt = [
        replace(one, tokens=one.tokens.masked_fill(~one.mask[..., None], 9.0))
        for one in (given, text)
    ]
    again = made(*spoilt, kind)
    torch.testing.assert_close(again.first, joint.first)
    for one, other in zip(again[1:], joint[1:], strict=True):
        torch.testing.assert_close(one.tokens[one.mask], other.tokens[one.mask])
        torch.testing.assert_close(one.pooled, other.pooled)
    alone = made(
        Features(given.tokens[1:], given.mask[1:], given.pooled[1:]),
        made.embed(words()[1:, :2], TEXT_MASK[1:, :2]),
        kind,
    )
    torch.testing.assert_close(alone.first, joint.first[1:])
    torch.testing.assert_close(alone.text.pooled, joint.text.pooled[1:])


REACHES = {
    "full": (True, True, True),
    "seq2seq": (False, True, False),
    "bi_autoregressive": (False, True, True),
    "non_cross": (True, False, False),
}
"""Whether a later word and the image reach an earlier word, and whether words reach the mark."""


@pytest.mark.parametrize("kind", KINDS)
def test_what_reaches_what_in_one_layer(kind: Any) -> None:
    made = stream(layers=1)
    given, text = image(), made.embed(words(), TEXT_MASK)
    later, pixels = text.tokens.detach().requires_grad_(), given.tokens.requires_grad_()
    joint = made(given, replace(text, tokens=later), kind)
    of_word = torch.autograd.grad(joint.text.tokens[0, 1, 0], (later, pixels), retain_graph=True)
    of_mark = torch.autograd.grad(joint.first[0, 0], later)
    reached = (of_word[0][0, 2].any(), of_word[1][0].any(), of_mark[0][0].any())
    assert tuple(map(bool, reached)) == REACHES[kind]


@torch.no_grad()
def test_one_side_alone_is_read_as_beside_nothing() -> None:
    made = stream()
    text = made.embed(words(), TEXT_MASK)
    nothing = image(torch.zeros(2, 3).bool())
    alone, beside = made(None, text), made(nothing, text)
    torch.testing.assert_close(alone.first, beside.first)
    torch.testing.assert_close(alone.text.pooled, beside.text.pooled)
    assert not beside.image.pooled.any()
    empty = replace(text, mask=torch.zeros_like(text.mask))
    torch.testing.assert_close(made(image(), None).first, made(image(), empty).first)
    with pytest.raises(ValueError, match="image tokens or words"):
        made(None, None)


def test_a_bert_that_trains_is_the_stream() -> None:
    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shape = BertConfig(
                vocab_size=20,
                hidden_size=8,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=8,
            )
            self.model = BertModel(shape, add_pooling_layer=False)

    encoder = Encoder()
    made = stream(replace(SETTING, text_encoder=encoder))
    assert made.bert is encoder.model
    assert made.width == 8


@pytest.mark.parametrize(
    ("options", "setting"),
    [({}, replace(SETTING, vocabulary=None)), ({"heads": 3}, SETTING)],
)
def test_it_is_refused_without_words_or_with_heads_that_do_not_fit(
    options: dict[str, Any], setting: Setting
) -> None:
    with pytest.raises(InputError) as caught:
        stream(setting, **options)
    assert caught.value.hint


def test_a_text_beyond_the_positions_is_refused() -> None:
    made = stream(positions=4)
    with pytest.raises(InputError, match="4 words.*places for 3"):
        made(image(), made.embed(words(), TEXT_MASK))


def test_words_end_with_their_mark_and_a_text_of_none_has_no_mark() -> None:
    """The encoder's own marks (word -1) are left out, and whatever section a word is of counts."""
    ids = torch.tensor([[3, 5, 6, 4], [3, 7, 4, 0], [0, 0, 0, 0]])
    number = torch.tensor([[-1, 0, 1, -1], [-1, 0, -1, -1], [-1, -1, -1, -1]])
    mask = ids > 0
    text = Text(ids, None, mask, mask.long() * 2, number, number)
    made, there = stream().words(text)
    rows = [row[real].tolist() for row, real in zip(made, there, strict=True)]
    assert rows == [[5, 6, 4], [7, 4], []]


@pytest.mark.parametrize("together", [1, 2])
@torch.no_grad()
def test_studies_read_together_are_read_as_alone(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    made = stream()
    given, text = image(), made.embed(words(), TEXT_MASK)
    monkeypatch.setattr(single_stream, "TOGETHER", 64)
    whole = made(given, text)
    monkeypatch.setattr(single_stream, "TOGETHER", together)
    again = made(given, text)
    torch.testing.assert_close(again.first, whole.first)
    for one, other in zip(again[1:], whole[1:], strict=True):
        torch.testing.assert_close(one.pooled, other.pooled)
