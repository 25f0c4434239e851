"""Readers: features of images, text and stated concepts, all of one width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch, Text
from encoders.study import RADIOLOGY, VIEWS
from encoders.text import TEXT_SECTIONS
from fusion.system import Setting
from kg.errors import InputError


class AttentionPool(nn.Module):
    """Attention pooling with a few learned queries; zeros where there is no token."""

    def __init__(self, width: int, queries: int = 4) -> None:
        super().__init__()
        self.score = nn.Linear(width, queries)
        self.join = nn.Linear(queries * width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """`[B, L, D]` and `[B, L]` to `[B, D]`."""
        there = mask.any(1, keepdim=True)
        # a fully masked row would be a softmax of -inf: it is unmasked here and zeroed below
        open_mask = mask | ~there
        scores = self.score(tokens).masked_fill(~open_mask[..., None], float("-inf"))
        pooled = torch.einsum("blq,bld->bqd", scores.softmax(1), tokens).flatten(1)
        out: Tensor = self.join(pooled) * there
        return out


class ImageReader(nn.Module):
    """Tokens of every image of a study, with embeddings of place, view and modality added.

    Args:
        image_width: Width of the input tokens.
        width: Width of the output tokens.
        tokens: Tokens of one image, `S`.
        encoder: Trainable encoder for pixels, or None where tokens are cached.
        dropout: Dropout on channels of the tokens.
        token_dropout: Share of tokens masked in training.
    """

    def __init__(
        self,
        image_width: int,
        width: int,
        *,
        tokens: int,
        encoder: nn.Module | None,
        dropout: float,
        token_dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = nn.Linear(image_width, width)
        self.place = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.view = nn.Embedding(len(VIEWS), width)
        self.modality = nn.Embedding(len(RADIOLOGY), width)
        # a place depends on the view too: the left lower corner of a frontal and of a lateral
        # image are different anatomy
        self.place_by_view = nn.Parameter(torch.randn(len(VIEWS), tokens, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.token_dropout = token_dropout
        self.pool = AttentionPool(width)

    @classmethod
    def of(
        cls, setting: Setting, width: int, *, dropout: float = 0.0, token_dropout: float = 0.0
    ) -> Self:
        """Image reader for the images of a run.

        Raises:
            InputError: If the run has none.
        """
        if not setting.image_width:
            raise InputError("the system needs images", "set image.encoder")
        return cls(
            setting.image_width,
            width,
            tokens=setting.image_tokens,
            encoder=setting.image_encoder,
            dropout=dropout,
            token_dropout=token_dropout,
        )

    def forward(self, batch: StudyBatch) -> Features:
        """Features of the images of a batch."""
        # only real images are encoded: padding would cost as much as an image, and would count
        # in a backbone's batch statistics
        real = batch.image_mask
        view, modality = batch.view[real], batch.modality[real]
        place = self.place + self.place_by_view[view]
        # tissue has no embedding: its slides are in no study beside radiology
        known = modality < len(RADIOLOGY)
        kind = self.view(view) + self.modality(modality * known) * known[:, None]
        raw = self.dropout(self.encode(batch))
        read = self.dropout(self.norm(self.project(raw) + place + kind[:, None]))
        x = read.new_zeros(*real.shape, *read.shape[1:]).index_put((real,), read).flatten(1, 2)
        mask = real[:, :, None].expand(*real.shape, read.shape[1]).flatten(1)
        if self.training and self.token_dropout:
            # tokens are masked for the pooled vector and the queries alike
            mask = mask & (torch.rand(mask.shape, device=mask.device) >= self.token_dropout)
            x = x * mask[..., None]
        return Features(x, mask, self.pool(x, mask))

    def encode(self, batch: StudyBatch) -> Tensor:
        """Raw tokens of the real images `[R, S, image_width]`, cached or encoded here."""
        return encode_images(batch, self.encoder, (self.place.shape[0], self.project.in_features))


class TextReader(nn.Module):
    """Tokens of the text, with an embedding of section or speaker added.

    Args:
        text_width: Width of the input tokens.
        width: Width of the output tokens.
        encoder: Trainable encoder for words, or None where tokens are cached.
        dropout: Dropout on tokens' channels.
        pool: From tokens `[B, T, D]` and mask to one vector a text; None = learned attention.
    """

    def __init__(
        self,
        text_width: int,
        width: int,
        *,
        encoder: nn.Module | None,
        dropout: float,
        pool: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = nn.Linear(text_width, width)
        self.part = nn.Embedding(len(TEXT_SECTIONS), width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.pool = pool or AttentionPool(width)

    def forward(self, text: Text) -> Features:
        """Features of one text a study."""
        tokens = text.tokens
        if tokens is None:
            if self.encoder is None:
                raise ValueError(
                    "the batch has neither cached text tokens nor an encoder for words"
                )
            tokens = self.encoder(text.words, text.mask, text.section)
        x = self.norm(self.project(tokens) + self.part(text.section))
        x = self.dropout(x) * text.mask[..., None]
        return Features(x, text.mask, self.pool(x, text.mask))


class EvidenceReader(nn.Module):
    """Concepts that the allowed text states, as tokens: the embedded concept and its assertion."""

    def __init__(self, width: int, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.assertion = nn.Embedding(3, width)  # absent, uncertain, present

    def places(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        """Concept of each token and its mask, `[B, L]`, of evidence `[B, N]`."""
        weight, place = evidence.abs().topk(min(self.limit, evidence.shape[1]), 1)
        return place, weight > 0

    def forward(self, evidence: Tensor, nodes: Tensor) -> Features:
        """Features of evidence `[B, N]` on embedded concepts `[N, D]`; at most `limit` a study."""
        place, mask = self.places(evidence)
        value = evidence.gather(1, place)
        # -1 absent, 0.5 uncertain, 1 present
        kind = (value > 0).long() + (value > 0.75).long()
        x = (nodes[place] + self.assertion(kind)) * mask[..., None]
        return Features(x, mask, x.sum(1) / mask.sum(1, keepdim=True).clamp_min(1))


def encode_images(batch: StudyBatch, encoder: nn.Module | None, shape: tuple[int, int]) -> Tensor:
    """Raw tokens of the real images of a batch `[R, S, D]`, cached or encoded here.

    Args:
        batch: The studies.
        encoder: Trainable encoder for pixels, or None where tokens are cached.
        shape: Number of tokens of an image, and their width.
    """
    real = batch.image_mask
    if batch.image_tokens is not None:
        return batch.image_tokens[real]
    if encoder is None or batch.pixels is None:
        raise ValueError("the batch has neither cached image tokens nor pixels to encode")
    pixels = batch.pixels[real]
    if not len(pixels):
        return pixels.new_zeros(0, *shape)
    encoded: Tensor = encoder(pixels)
    return encoded


def nothing(studies: int, width: int, like: Tensor) -> Features:
    """Features of a modality that no study has: one masked token."""
    return Features(
        like.new_zeros(studies, 1, width),
        torch.zeros(studies, 1, dtype=torch.bool, device=like.device),
        like.new_zeros(studies, width),
    )


def drop_studies(features: Features, share: float) -> Features:
    """Modality dropout: mask a whole modality for a random share of the studies."""
    keep = torch.rand(features.mask.shape[0], 1, device=features.mask.device) >= share
    return Features(features.tokens * keep[..., None], features.mask & keep, features.pooled * keep)
