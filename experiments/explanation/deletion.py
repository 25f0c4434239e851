"""Deletion of units of one study's input: places of its pictures, words, and stated concepts.

What a unit counts for a finding is what the finding's logit loses without it; nothing of the
system is looked at but its answers. A place of a picture is replaced by what the picture shows on
average, so that the study keeps as many pictures as it has. A word is cut out of the text, which
is then read anew with all that it states. A stated concept is taken from the evidence alone; the
words stay.

Pictures are encoded once where the rest of the system takes their tokens as it takes pixels: a
deletion of words, statements or edges encodes no picture, and one of places only what it changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoders.batch import Statements, StudyBatch, Text
from encoders.image import ImageEncoder
from encoders.study import Passage
from encoders.text._words import WORD
from experiments.loading.text import TextLoader
from experiments.metrics.arrays import FloatArray
from fusion.capabilities import Classifies
from kg.mentions.tokens import sentences

__all__ = [
    "Concepts",
    "Places",
    "Span",
    "Units",
    "Words",
    "cut",
    "logits",
    "places_of",
    "repeated",
    "shares",
    "with_tokens",
    "word_spans",
]

CHUNK = 64
"""Variants of a study that are predicted at once."""

PIXEL_CELLS = 8
"""Places along each side of a picture whose pixels are read."""

MOST_WORDS = 160
"""Longest text in words whose units are words; those of a longer one are its sentences."""


class Span(NamedTuple):
    """Characters of a text.

    Args:
        passage: Index of the passage.
        start: First character within it.
        end: One past the last character.
    """

    passage: int
    start: int
    end: int


class Units(Protocol):
    """Units of one study's input that can be deleted.

    `count` is their number.
    """

    @property
    def count(self) -> int: ...  # noqa: D102

    def without(self, gone: NDArray[np.bool_]) -> StudyBatch:
        """The study without the deleted units `[P, count]`, once a row."""


def logits(system: Any, batch: StudyBatch, findings: tuple[str, ...]) -> FloatArray:
    """Logits `[B, C]` of a system in evaluation mode."""
    classifier: Classifies = system
    with torch.no_grad():
        found = classifier.predict(batch, findings).logits
    return np.asarray(found.double().numpy())


def without(
    system: Any, units: Units, gone: NDArray[np.bool_], findings: tuple[str, ...]
) -> FloatArray:
    """Logits `[P, C]` of a study without the deleted units `[P, count]`."""
    pieces = [
        logits(system, units.without(gone[at : at + CHUNK]), findings)
        for at in range(0, len(gone), CHUNK)
    ]
    return np.concatenate(pieces) if pieces else np.zeros((0, len(findings)))


def shares(system: Any, units: Units, findings: tuple[str, ...]) -> FloatArray:
    """What the logit of each finding loses without each unit, `[count, C]`."""
    gone = np.vstack([np.zeros((1, units.count), bool), np.eye(units.count, dtype=bool)])
    found = without(system, units, gone, findings)
    return np.asarray(found[0] - found[1:])


def repeated(batch: StudyBatch, times: int) -> StudyBatch:
    """One study as a batch of copies of it."""

    def copies(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.expand(times, *value.shape[1:])
        if isinstance(value, Text | Statements):
            copied = {f.name: copies(getattr(value, f.name)) for f in fields(value)}
            return replace(value, **copied)
        return value

    made = {f.name: copies(getattr(batch, f.name)) for f in fields(batch) if f.name != "ids"}
    return replace(batch, ids=batch.ids * times, **made)


@dataclass(frozen=True)
class Places:
    """Places of a study's pictures, picture by picture, row by row.

    Args:
        batch: The study, alone.
        pictures: Places of its images that are there (`V`).
        side: Places along each side of a picture.
        encoder: Encodes each different picture once; None = the system reads the batch as it is.
    """

    batch: StudyBatch
    pictures: tuple[int, ...]
    side: int
    encoder: nn.Module | None = None

    @property
    def count(self) -> int:
        """Number of places of all pictures."""
        return len(self.pictures) * self.side**2

    def read_by(self, system: Any) -> Places:
        """The places, for pictures to be encoded once by this system's own encoder."""
        return replace(self, encoder=_encoder_of(system))

    def without(self, gone: NDArray[np.bool_]) -> StudyBatch:
        """The study with the mean of its picture in the deleted places `[P, count]`."""
        hidden = torch.from_numpy(gone).view(len(gone), len(self.pictures), self.side, self.side)
        many, chosen = repeated(self.batch, len(gone)), list(self.pictures)
        if many.image_tokens is not None:
            tokens = many.image_tokens.clone()
            shown, gone_tokens = tokens[:, chosen], hidden.flatten(2)[..., None]
            tokens[:, chosen] = torch.where(gone_tokens, shown.mean(2, keepdim=True), shown)
            return replace(many, image_tokens=tokens)
        if self.encoder is not None:
            return replace(many, pixels=None, image_tokens=self._encoded(hidden))
        assert many.pixels is not None
        pixels = many.pixels.clone()
        pixels[:, chosen] = self._filled(pixels[:, chosen], hidden)
        return replace(many, pixels=pixels)

    @torch.no_grad()
    def _encoded(self, hidden: Tensor) -> Tensor:
        """Tokens `[P, V, S, D]` of the pictures, equal ones encoded once."""
        assert self.encoder is not None
        assert self.batch.pixels is not None
        pixels = self.batch.pixels[0]
        encoded = []
        for at, picture in enumerate(self.pictures):
            different, row = torch.unique(hidden[:, at], dim=0, return_inverse=True)
            encoded.append(self.encoder(self._filled(pixels[picture], different))[row])
        tokens: Tensor = encoded[0].new_zeros(len(hidden), len(pixels), *encoded[0].shape[1:])
        tokens[:, list(self.pictures)] = torch.stack(encoded, 1)
        return tokens

    def _filled(self, pixels: Tensor, hidden: Tensor) -> Tensor:
        """Pixels `[..., c, H, W]` with their mean in the hidden places `[..., side, side]`."""
        rows, columns = (torch.arange(size) * self.side // size for size in pixels.shape[-2:])
        where = hidden[..., rows, :][..., columns].unsqueeze(-3)
        return torch.where(where, pixels.mean((-2, -1), keepdim=True), pixels)


def places_of(batch: StudyBatch, system: Any = None) -> Places | None:
    """Places of one study's pictures; None without a picture, or where each is one token.

    Args:
        batch: The study, alone.
        system: The system that will read it; None = pixels are not encoded beforehand.
    """
    pictures = tuple(int(place) for place in batch.image_mask[0].nonzero())
    side = PIXEL_CELLS if batch.pixels is not None else 0
    if batch.image_tokens is not None:
        side = math.isqrt(batch.image_tokens.shape[2])
    if not pictures or side <= 1:
        return None
    places = Places(batch, pictures, side)
    return places if system is None else places.read_by(system)


def with_tokens(system: Any, batch: StudyBatch) -> StudyBatch:
    """One study with its pictures encoded, where its system answers the same for their tokens."""
    places = places_of(batch, system) if batch.pixels is not None else None
    return batch if places is None else places.without(np.zeros((1, places.count), bool))


def _encoder_of(system: Any) -> nn.Module | None:
    """The image encoder of a system that has just one and reads nothing of it but its tokens."""
    encoders = [module for module in system.modules() if isinstance(module, ImageEncoder)]
    if len(encoders) != 1 or system.setting.image_maps:
        return None
    return encoders[0]  # type: ignore[return-value]


@dataclass(frozen=True)
class Words:
    """Spans of a study's text.

    Args:
        batch: The study, alone.
        loader: Reads text.
        passages: Passages that the system may read.
        groups: Spans of each unit, which are deleted together.
    """

    batch: StudyBatch
    loader: TextLoader
    passages: tuple[Passage, ...]
    groups: tuple[tuple[Span, ...], ...]

    @property
    def count(self) -> int:
        """Number of units."""
        return len(self.groups)

    def without(self, gone: NDArray[np.bool_]) -> StudyBatch:
        """The study with the deleted units `[P, count]` cut out of its text."""
        texts = [
            cut(self.passages, [span for unit in np.flatnonzero(row) for span in self.groups[unit]])
            for row in gone
        ]
        many = repeated(self.batch, len(gone))
        read = self.loader.read(texts, cached=False)
        evidence = None if many.evidence is None else self.loader.read_evidence(texts)
        return replace(many, text=read, evidence=evidence)


def word_spans(passages: Sequence[Passage]) -> tuple[Span, ...]:
    """Spans of the words of a text, or of its sentences where it is long; marks are no words."""
    words = tuple(
        Span(place, *match.span())
        for place, passage in enumerate(passages)
        for match in WORD.finditer(passage.text.lower())
        if match[0][0].isalnum()
    )
    if len(words) <= MOST_WORDS:
        return words
    return tuple(
        Span(place, tokens[0].start, tokens[-1].end)
        for place, passage in enumerate(passages)
        for tokens in sentences(passage.text)
    )


def cut(passages: Sequence[Passage], spans: Sequence[Span]) -> tuple[Passage, ...]:
    """A text without some of its characters."""
    left = [list(passage.text) for passage in passages]
    for span in spans:
        left[span.passage][span.start : span.end] = [""] * (span.end - span.start)
    return tuple(
        replace(passage, text="".join(letters))
        for passage, letters in zip(passages, left, strict=True)
    )


@dataclass(frozen=True)
class Concepts:
    """Concepts that a study's text states.

    Args:
        batch: The study, alone.
        stated: Their places in the graph.
    """

    batch: StudyBatch
    stated: tuple[int, ...]

    @classmethod
    def of(cls, batch: StudyBatch) -> Concepts:
        """The stated concepts of one study."""
        evidence = batch.evidence
        places = () if evidence is None else evidence[0].nonzero()[:, 0].tolist()
        return cls(batch, tuple(places))

    @property
    def count(self) -> int:
        """Number of stated concepts."""
        return len(self.stated)

    def without(self, gone: NDArray[np.bool_]) -> StudyBatch:
        """The study as if it had not stated the deleted concepts `[P, count]`."""
        many = repeated(self.batch, len(gone))
        if many.evidence is None:  # the system reads no text: nothing is stated
            return many
        evidence = many.evidence.clone()
        evidence[:, list(self.stated)] *= torch.from_numpy(~gone).to(evidence.dtype)
        return replace(many, evidence=evidence)
