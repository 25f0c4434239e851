"""Single stream: one transformer over image tokens and words of a study (BERT, Devlin 2019).

The layout is that of VisualBERT (Li 2019), MMBT (Kiela 2019) and MedViLL (Moon 2022): a mark, the
image tokens, then the words with the mark of their end. Tokens are distinguished by an embedding of
their kind, words by one of their position; the position of an image token is part of it already.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from encoders.batch import Features, Text
from encoders.heads import check_heads
from encoders.text import TEXT_SECTIONS
from fusion.layers.pools import masked_mean
from fusion.system import Setting
from kg.bounds import Few, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options

__all__ = ["Attention", "Joint", "SingleStream", "StreamOptions", "attention_mask"]

Attention = Literal["full", "seq2seq", "bi_autoregressive", "non_cross"]
"""Which tokens attend to which; see `attention_mask`."""

WORD, IMAGE = 0, 1
"""Kinds of token, as VisualBERT numbers them."""

TOGETHER = 16
"""Number of studies of similar length that are read at once."""


class StreamOptions(Options):
    """Options of every system with a single stream.

    Where the text encoder is a BERT that trains, it is the stream, and has its own sizes.

    Args:
        width: Width of a token.
        layers: Number of layers.
        heads: Attention heads of a layer.
        dropout: Dropout in the stream and on image tokens.
        positions: Largest number of words, marks included.
    """

    width: Width = 128
    layers: Few = 2
    heads: Few = 4
    dropout: ShareBelow1 = 0.1
    positions: Width = 512


class Joint(NamedTuple):
    """Output of a single stream.

    Args:
        first: State of the mark before all tokens (`[CLS]`), `[B, D]`.
        image: States of the image tokens, pooled by their mean.
        text: States of the words, pooled by their mean.
    """

    first: Tensor
    image: Features
    text: Features


class SingleStream(nn.Module):
    """A transformer in which image tokens and words attend to each other.

    Its width is `width`, that of the options or of the BERT that it is.

    Args:
        options: Sizes.
        setting: Studies and graph; requires a vocabulary.

    Raises:
        InputError: If there is no vocabulary, or the width does not fit the heads.
    """

    def __init__(self, options: StreamOptions, setting: Setting) -> None:
        super().__init__()
        if setting.vocabulary is None:
            raise InputError(
                "a single stream reads words by number", "name a text.encoder with a vocabulary"
            )
        check_heads("single_stream", options.width, options.heads)
        self.vocabulary = setting.vocabulary
        pretrained = getattr(setting.text_encoder, "model", None)
        if isinstance(pretrained, BertModel):
            self.bert = pretrained
        else:
            self.bert = _small_bert(options, self.vocabulary.size, self.vocabulary.padding)
        self.width = int(self.bert.config.hidden_size)

    def words(
        self, text: Text, sections: Sequence[str] = TEXT_SECTIONS[1:]
    ) -> tuple[Tensor, Tensor]:
        """Words of texts with the mark of their end, and where there are any, `[B, T + 1]` each.

        A text without a word has no mark.

        Args:
            text: Texts with word ids.
            sections: Names of the sections that are read.
        """
        words = self.vocabulary.framed(text, sections)[:, 1:]
        ended = (words == self.vocabulary.end).cumsum(1) - (words == self.vocabulary.end).long()
        return words, (ended == 0) & (words[:, :1] != self.vocabulary.end)

    def embed(self, words: Tensor, mask: Tensor) -> Features:
        """Vectors of words, as input to the stream.

        Args:
            words: Word ids, `[B, T]`.
            mask: True where there is a word, `[B, T]`.
        """
        vectors: Tensor = self.bert.embeddings.word_embeddings(words)
        return Features(vectors, mask, masked_mean(vectors, mask))

    def forward(
        self, image: Features | None, text: Features | None, attention: Attention = "full"
    ) -> Joint:
        """Let image tokens and words attend to each other.

        Args:
            image: Image tokens of width `D`; None = no study has an image.
            text: Vectors of words, from `embed` or of a text encoder, of width `D`; None = no
                study has a text.
            attention: Which tokens attend to which.
        """
        given = text if image is None else image
        if given is None:
            raise ValueError("a single stream needs image tokens or words")
        none = Features(given.tokens[:, :0], given.mask[:, :0], given.pooled)
        image, text = image or none, text or none
        images, words = image.mask.shape[1], text.mask.shape[1]
        self._check_length(words)
        mark = torch.full_like(given.mask[:, :1], self.vocabulary.start, dtype=torch.long)
        first = self.bert.embeddings.word_embeddings(mark)
        states = self._states(
            torch.cat([first, image.tokens, text.tokens], 1),
            torch.cat([torch.ones_like(mark, dtype=torch.bool), image.mask, text.mask], 1),
            attention_mask(image.mask, text.mask, attention),
            images,
        )
        head, *sides = torch.split(states, [1, images, words], 1)
        read = [
            Features(side, mask, masked_mean(side, mask))
            for side, mask in zip(sides, (image.mask, text.mask), strict=True)
        ]
        return Joint(head[:, 0], *read)

    def _states(self, tokens: Tensor, real: Tensor, allowed: Tensor, images: int) -> Tensor:
        """States `[B, L, D]` of tokens; zeros, or without meaning, where they are not real.

        Studies differ in images and words, and padding costs as much as they do: studies of
        similar length are read together, without the columns that none of them has.

        Args:
            tokens: The first mark, image tokens and words, `[B, L, D]`.
            real: True where there is one, `[B, L]`.
            allowed: Which may attend to which, `[B, L, L]`.
            images: Number of image tokens.
        """
        place = torch.arange(real.shape[1], device=real.device)
        kind = torch.where((place > 0) & (place <= images), IMAGE, WORD)
        position = (place - images).clamp_min(0)
        states = torch.zeros_like(tokens)
        for rows, columns in _alike(real):
            at = rows[:, None]
            read = self.bert(
                inputs_embeds=tokens[at, columns],
                token_type_ids=kind[columns].expand(len(rows), -1),
                position_ids=position[columns][None],
                attention_mask=allowed[rows][:, None, columns][..., columns],
            ).last_hidden_state
            # in mixed precision the stream gives what it computes in
            states = states.index_put((at, columns), read.to(states.dtype))
        return states

    def _check_length(self, words: int) -> None:
        """Refuse texts that are longer than the positions there are."""
        most = int(self.bert.config.max_position_embeddings) - 1
        if words > most:
            raise InputError(
                f"a text has {words} words, and the single stream has places for {most}",
                "lower max_length of text.encoder, or raise positions of the system",
            )


def attention_mask(image: Tensor, text: Tensor, attention: Attention = "full") -> Tensor:
    """Which token attends to which, `[B, L, L]`: True where row may attend to column.

    The order is that of the stream: the first mark, `S` image tokens, `T` words. The mark counts
    as an image token. Padding is attended to by itself alone, so that no row is empty.

    Args:
        image: True where there is an image token, `[B, S]`.
        text: True where there is a word, `[B, T]`.
        attention: `full`, everything attends to everything; `seq2seq`, image tokens to images, a
            word to images and to the words before it (UniLM, Dong 2019); `bi_autoregressive`, as
            `seq2seq`, but image tokens attend to words too (MedViLL), so that from the second layer
            on a word knows later ones by way of the image; or `non_cross`, image tokens and words
            to their own side alone.
    """
    mark = torch.ones(len(image), 1, dtype=torch.bool, device=image.device)
    real = torch.cat([mark, image, text], 1)
    place = torch.arange(real.shape[1], device=real.device)
    word = place > image.shape[1]
    row, column = word[:, None], word[None]
    before = place[None] <= place[:, None]
    allowed = {
        "full": torch.ones_like(before),
        "seq2seq": ~column | (row & before),
        "bi_autoregressive": ~row | ~column | before,
        "non_cross": row == column,
    }[attention]
    return (allowed & real[:, None]) | torch.eye(len(place), dtype=torch.bool, device=real.device)


def _alike(real: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows of similar length in a mask `[B, L]`, with the columns that any of them has.

    Compiled, all are one group, as shapes must not depend on the values of a tensor.
    """
    if torch.compiler.is_compiling():
        rows, columns = (torch.arange(size, device=real.device) for size in real.shape)
        yield rows, columns
        return
    for rows in torch.split(real.sum(1).argsort(stable=True), TOGETHER):
        yield rows, real[rows].any(0).nonzero().flatten()


def _small_bert(options: StreamOptions, words: int, padding: int) -> BertModel:
    """A BERT with random weights."""
    shape = BertConfig(
        vocab_size=words,
        hidden_size=options.width,
        num_hidden_layers=options.layers,
        num_attention_heads=options.heads,
        intermediate_size=4 * options.width,
        hidden_dropout_prob=options.dropout,
        attention_probs_dropout_prob=options.dropout,
        max_position_embeddings=options.positions,
        pad_token_id=padding,
        attn_implementation="sdpa",
    )
    return BertModel(shape, add_pooling_layer=False)
