"""Layers of ARL (Chen 2022): image tokens, words and the entities that words name meet."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, Statements, Text
from encoders.heads import check_heads

__all__ = ["EntityLayer", "EntityStreams", "Fused", "first_statements", "named", "silent"]


class Fused(NamedTuple):
    """Both sides after the last layer.

    Args:
        image: State of the mark before the image tokens, `[B, D]`.
        text: State of the mark before the words, `[B, D]`.
        words: States of the words, `[B, T, D]`.
    """

    image: Tensor
    text: Tensor
    words: Tensor


class EntityLayer(nn.Module):
    """Image tokens and words attend to each other, entities to the picture; words get entities.

    Args:
        width: Width of all states, `D`.
        heads: Attention heads of each stream.
        dropout: Dropout in each.
        adds: Words get the entities that they name; else entities keep their parameters alone.
    """

    def __init__(self, width: int, *, heads: int, dropout: float, adds: bool) -> None:
        super().__init__()
        check_heads("arl", width, heads)
        self.adds = adds
        self.image, self.text, self.entity = (
            nn.TransformerDecoderLayer(
                width, heads, 4 * width, dropout, batch_first=True, norm_first=True
            )
            for _ in range(3)
        )
        self.up = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, streams: tuple[Tensor, Tensor, Tensor], masks: tuple[Tensor, Tensor, Tensor],
        names: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """New states of image tokens `[B, S, D]`, words `[B, T, D]` and entities `[B, M, D]`.

        Args:
            streams: Their states; the first image token and the first word are always real.
            masks: True where one is real.
            names: True where a word names an entity, `[B, T, M]`.
        """
        (seen, read, known), (images, words, there) = streams, masks
        padded = {"tgt_key_padding_mask": ~images, "memory_key_padding_mask": ~words}
        new_seen = self.image(seen, read, **padded)
        padded = {"tgt_key_padding_mask": ~words, "memory_key_padding_mask": ~images}
        new_read = self.text(read, seen, **padded)
        if self.adds:
            # a text that states nothing has entities that no word names
            asked = there | ~there.any(1, keepdim=True)
            known = self.entity(
                known, seen, tgt_key_padding_mask=~asked, memory_key_padding_mask=~images
            )
            share = names / names.sum(2, keepdim=True).clamp_min(1)
            new_read = new_read + share @ self.up(known)
        return new_seen, self.norm(new_read), known


class EntityStreams(nn.Module):
    """Layers in which image tokens, words and entities meet, with a mark before each side.

    Args:
        width: Width of all states, `D`.
        layers: Number of layers.
        heads: Attention heads of each stream.
        dropout: Dropout in each.
        adds: As of `EntityLayer`.
    """

    def __init__(self, width: int, layers: int, *, heads: int, dropout: float, adds: bool) -> None:
        super().__init__()
        self.marks = nn.Parameter(0.02 * torch.randn(2, width))
        self.layers = nn.ModuleList(
            EntityLayer(width, heads=heads, dropout=dropout, adds=adds) for _ in range(layers)
        )

    def forward(
        self, image: Features, words: Features, entities: Tensor, there: Tensor, names: Tensor
    ) -> Fused:
        """Both sides after the last layer.

        Args:
            image: Image tokens, `[B, S, D]`.
            words: Words, `[B, T, D]`.
            entities: Entities that the words name, `[B, M, D]`.
            there: True where an entity is real, `[B, M]`.
            names: True where a word names an entity, `[B, T, M]`.
        """
        marks = self.marks[:, None, None].expand(-1, len(there), -1, -1)
        names = F.pad(names, (0, 0, 1, 0))  # the mark names nothing
        seen = torch.cat([marks[0], image.tokens], 1)
        read = torch.cat([marks[1], words.tokens], 1)
        masks = F.pad(image.mask, (1, 0), value=True), F.pad(words.mask, (1, 0), value=True)
        for layer in self.layers:
            seen, read, entities = layer((seen, read, entities), (*masks, there), names)
        return Fused(seen[:, 0], read[:, 0], read[:, 1:])


def named(text: Text, stated: Statements) -> Tensor:
    """True where a word is one of those that state an entity, `[B, T, M]`."""
    if text.word is None:
        raise ValueError("the text encoder does not say which words its tokens are")
    word, first, last = text.word[..., None], stated.first[:, None], stated.last[:, None]
    known = (stated.mask & (stated.first >= 0))[:, None]
    return (word >= first) & (word <= last) & known & (word >= 0)


def first_statements(stated: Statements, most: int) -> Statements:
    """The first statements of each text."""
    return Statements(*(getattr(stated, one.name)[:, :most] for one in fields(stated)))


def silent(image: Features) -> Text:
    """Texts that say nothing, one for each study."""
    none = torch.zeros_like(image.mask[:, :1], dtype=torch.long)
    stated = Statements(none - 1, none.float(), *[none - 1] * 4)
    return Text(none, None, none.bool(), none, none - 1, none - 1, stated)
