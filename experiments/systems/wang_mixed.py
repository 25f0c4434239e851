"""Wang, mixed data: one transformer learns from pairs, pictures alone and texts alone (Wang 2021).

Reference: Wang, Xu, Tam, Yang, Xu: Self-Supervised Image-Text Pre-training with Mixed Data in
Chest X-rays, 2021, arXiv 2103.16022. Fidelity: reconstruction; there is no code, and only the
abstract could be read, so that sizes, shares and the loss of pairs are ours.

Pictures and words go through one transformer. In pretraining, words are hidden and told, and blocks
of cells of a picture are hidden in the input and rebuilt at several scales; a picture alone or a
text alone gives its own of the two losses. Only pairs give a third: each side read for itself, a
picture finds its report among those of the batch, and a report its picture. Findings are then read
from the mean of the picture's states, the picture alone at test.

- Of the run's studies the share `paired` stays pairs, the same studies each time; the others are
  read apart, picture and report as if of two studies, so that paired, mixed and unpaired training
  see the same pictures and words. Data sets of `also` join by the `data` of a stage, with what
  their studies have.
- What is rebuilt is what the system is given: cached features of a cell, or its pixels. Cached
  features know something of the cells around them, so that rebuilding these is easier.
- A target is normalised by itself, as in MAE (He 2022), and the error is absolute.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch, Text
from fusion.devices import mean_of
from fusion.layers.dual import same_study_or_text
from fusion.layers.hidden_patches import at_scale, hide_patches, side_of
from fusion.layers.hidden_words import WordHead, hide_words
from fusion.layers.single_stream import Joint
from fusion.layers.stream_classifier import StreamClassifier
from fusion.losses.info_nce import info_nce
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Few, Positive, Share
from kg.errors import InputError

__all__ = ["WangMixed"]


class WangMixed(StreamClassifier):
    """A single stream, pretrained on whatever a study has.

    Args:
        options: Sizes, shares and scales.
        setting: What the run is about; image tokens must be a square grid.
        stages: Stages of training.
    """

    class Options(StreamClassifier.Options):
        """Options of the system.

        Args:
            paired: Share of the studies whose picture and report stay a pair in pretraining.
            hidden_words: Share of the words that are hidden.
            hidden_patches: Share of the cells that are hidden, in blocks of the largest scale.
            scales: Sides in cells of the blocks that are rebuilt; each divides the grid.
            temperature: Divisor of similarities between pictures and reports.
        """

        paired: Share = 1.0
        hidden_words: Share = 0.15
        hidden_patches: Share = 0.5
        scales: tuple[Few, ...] = (1, 2)
        temperature: Positive = 0.1

    PRETRAINING: ClassVar = {"hidden_words": 1.0, "hidden_patches": 1.0, "pairing": 1.0}
    options: Options

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        if not self.pretrains(self.stages):
            return
        self.side = side_of(setting.image_tokens)
        if not options.scales or any(self.side % scale for scale in options.scales):
            raise InputError(
                f"scales {options.scales} do not divide a grid of {self.side} cells",
                "choose divisors of image.grid, for example [1, 2]",
            )
        width = self.stream.width
        self.tell = WordHead(width, self.stream.vocabulary.size)
        self.rebuild = nn.ModuleList(
            nn.Linear(width, _cell_width(setting, self.side)) for _ in options.scales
        )

    def made(self, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Findings; hidden words and patches of one reading; and pairing."""
        hidden = cache(lambda: self.hidden(batch))
        return {
            **super().made(batch),
            "hidden_words": lambda: hidden()[0],
            "hidden_patches": lambda: hidden()[1],
            "pairing": lambda: self.pairing(batch),
        }

    def hidden(self, batch: StudyBatch) -> tuple[Tensor, Tensor]:
        """Losses of hidden words, and of hidden patches summed over scales."""
        options, book = self.options, self.stream.vocabulary
        there = batch.image_mask[..., None].expand(-1, -1, self.side**2).flatten(1)
        block, rate = max(options.scales), options.hidden_patches
        cells = hide_patches(there, self.side, block=block, rate=rate)
        words, mask = self.stream.words(_reports(batch))
        shown, chosen = hide_words(
            words, mask & (words != book.end), book, rate=options.hidden_words
        )
        image = self.image_tower(self._without(batch, cells))
        text = self.stream.embed(shown, mask)
        # a study that is no pair is two: its picture, then its report
        pair = self.kept(batch)[:, None]
        joint = self.stream(
            Features(image.tokens.repeat(2, 1, 1), _halves(image.mask, None), image.pooled),
            Features(text.tokens.repeat(2, 1, 1), _halves(mask, pair), text.pooled),
        )
        told = self.tell.loss(joint.text.tokens, words.repeat(2, 1), _halves(chosen, pair))
        states = joint.image.tokens[: len(pair)]
        return told, self._rebuilt(states, batch, cells)

    def pairing(self, batch: StudyBatch) -> Tensor:
        """InfoNCE of pictures and reports that are pairs, each side read for itself."""
        report = _reports(batch)
        joint = self.stream(self.image_tower(batch), self.embed(report), "non_cross")
        both = joint.image.mask.any(1) & joint.text.mask.any(1)
        return info_nce(
            *(F.normalize(side.pooled, dim=-1) for side in joint[1:]),
            scale=1 / self.options.temperature,
            same=same_study_or_text(batch, report),
            mask=both & self.kept(batch),
        )

    def kept(self, batch: StudyBatch) -> Tensor:
        """True for the studies that stay pairs, `[B]`; the same in every epoch."""
        drawn = (hashlib.sha256(name.encode()).digest()[:4] for name in batch.ids)
        shares = [int.from_bytes(each) / 2**32 for each in drawn]
        return torch.tensor(shares, device=batch.image_mask.device) < self.options.paired

    def pooled(self, joint: Joint) -> Tensor:
        """Mean of the picture's states, `[B, D]`, that findings are read from."""
        return joint.image.pooled

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the studies' pictures, `[B, D]`; NaN for a study without one."""
        return _unit(self.stream(self.image_tower(batch), None, "non_cross").image)

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts, `[B, D]`; NaN for an empty one."""
        return _unit(self.stream(None, self.embed(text), "non_cross").text)

    def _without(self, batch: StudyBatch, hidden: Tensor) -> StudyBatch:
        """The batch with zeros, which are the mean, in hidden cells `[B, V * S]`."""
        grid = hidden.view(*batch.image_mask.shape, -1)
        if batch.image_tokens is not None:
            return replace(batch, image_tokens=batch.image_tokens.masked_fill(grid[..., None], 0.0))
        assert batch.pixels is not None
        squares = grid.view(len(grid), -1, self.side, self.side).float()
        covered = F.interpolate(squares, batch.pixels.shape[-2:])[:, :, None] > 0
        return replace(batch, pixels=batch.pixels.masked_fill(covered, 0.0))

    def _rebuilt(self, states: Tensor, batch: StudyBatch, hidden: Tensor) -> Tensor:
        """Mean absolute error of the blocks that are hidden as a whole, summed over scales."""
        total = states.new_zeros(())
        for scale, line in zip(self.options.scales, self.rebuild, strict=True):
            whole = at_scale(hidden[..., None].to(states.dtype), self.side, scale)[..., 0] > 0.99
            made, truth = line(at_scale(states, self.side, scale)), self._cells(batch, scale)
            each = (made - F.layer_norm(truth, truth.shape[-1:])).abs().mean(-1)
            total = total + mean_of(each, whole)
        return total

    def _cells(self, batch: StudyBatch, scale: int) -> Tensor:
        """What is rebuilt at a scale: features of blocks, or pixels of the smaller picture."""
        if batch.image_tokens is not None:
            return at_scale(batch.image_tokens.flatten(1, 2), self.side, scale)
        assert batch.pixels is not None
        smaller = F.avg_pool2d(batch.pixels.flatten(0, 1), scale)
        patches = F.pixel_unshuffle(smaller, batch.pixels.shape[-1] // self.side)
        return patches.flatten(2).transpose(1, 2).reshape(len(batch.ids), -1, patches.shape[1])


def _reports(batch: StudyBatch) -> Text:
    if batch.paired_text is None:
        raise ValueError("the batch has no reports")
    return batch.paired_text


def _halves(mask: Tensor, pair: Tensor | None) -> Tensor:
    """A mask for pairs and what stays with them, then for reports that are read alone."""
    if pair is None:
        return torch.cat([mask, torch.zeros_like(mask)])
    return torch.cat([mask & pair, mask & ~pair])


def _unit(side: Features) -> Tensor:
    """Unit vectors `[B, D]`; NaN where there is nothing."""
    vectors = F.normalize(side.pooled, dim=-1)
    return vectors.masked_fill(~side.mask.any(1, keepdim=True), float("nan"))


def _cell_width(setting: Setting, side: int) -> int:
    """Width of what is rebuilt of a cell: its features, or its pixels."""
    encoder: Any = setting.image_encoder
    if encoder is None:
        return setting.image_width
    expected = encoder.preprocessing
    return len(expected.mean) * int(expected.size // side) ** 2
