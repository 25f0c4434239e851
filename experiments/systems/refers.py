"""REFERS: views of a study write its report together and are contrasted with it (Zhou 2022).

Reference: Zhou, Chen, Zhang, Luo, Wang, Yu: Generalized Radiograph Representation Learning via
Cross-supervision between Images and Free-text Radiology Reports, Nature Machine Intelligence 2022,
arXiv 2111.03452. Fidelity: paper, with the gate, the sizes and the weights of the authors' code
(funnyzhou/REFERS).

Every study has the same number of views; with fewer images they are repeated. At each place of the
grid all views together decide by a gate how much of each is kept; the kept tokens, side by side,
are what a small transformer writes the report over. The vectors of the views, side by side, are
contrasted with a linear map of the report's vector. Then findings are read from the image tower.

What differs, and why:
- Both halves of the contrastive loss have a gradient. In the authors' code finding the image by the
  report has none (`as_released`).
- Any image encoder stands in for the ViT-B/16; the vector of a view is a learned pool of its tokens
  in place of the class token, and is added to them like that.
- Words are those of the run's text encoder, not pieces of a text of their own vocabulary.
- Findings are read from the mean of a study's views; the authors fine-tune on single images.
- `space` and `hidden` of other dual encoders have no effect: the shared space is that of the views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, StudyBatch
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.projection import Projection
from fusion.layers.readers import ImageReader
from fusion.layers.text_decoder import TextDecoder
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, Share, Width
from kg.errors import InputError

__all__ = ["Refers"]


class Refers(DualEncoder):
    """Views of a study that write its report, and are contrasted with it.

    Args:
        options: Sizes.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            views: Number of views of every study.
            text_by_image: Weight of finding the report by the images; the other way has the rest.
            as_released: Whether finding the images by the report has no gradient.
            decoder: Width of the decoder of reports.
            layers: Its number of layers.
            heads: Its attention heads.
            limit: Largest number of words of a report.
            beams: Number of beams in generation; 1 = greedy.
        """

        views: Few = 3
        text_by_image: Share = 0.75
        as_released: bool = False
        decoder: Width = 128
        layers: Few = 1
        heads: Few = 4
        limit: Width = 60
        beams: Few = 1

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_tower.reader.", "image"),
        "text_tower": Module("text_tower.", "text"),
    }
    BETWEEN = {"contrast": 1.0, "report": 1.0}
    PAIRED = Needs(paired_report=True, vocabulary=True)
    options: Options

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        width = options.width
        self.image_tower: Any = StudyViews(self.image_tower, width, options.views)
        self.decoder: TextDecoder | None = None
        if self.text_tower is not None:
            self.image_projection = UnitLength()
            self.text_projection = Projection(width, options.views * width)
        if setting.vocabulary is not None:
            self.decoder = TextDecoder(
                setting.vocabulary,
                width,
                width=options.decoder,
                layers=options.layers,
                heads=options.heads,
                limit=options.limit,
                dropout=options.dropout,
            )

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Contrast of study and report, and the words of the report."""
        return {
            "contrast": lambda: self.study_contrast(pairs),
            "report": lambda: self.report(pairs, batch),
        }

    def study_contrast(self, pairs: Pairs) -> Tensor:
        """InfoNCE of the views side by side and the report."""
        share = self.options.text_by_image
        if not self.options.as_released:
            return self.contrast(pairs, share)
        by_image, by_text = self.contrast(pairs, 1.0), self.contrast(pairs, 0.0)
        return share * by_image + (1 - share) * by_text.detach()

    def report(self, pairs: Pairs, batch: StudyBatch) -> Tensor:
        """Cross-entropy of the words of the reports, written over the views."""
        decoder = self._writer()
        assert batch.paired_text is not None
        words = decoder.vocabulary.framed(batch.paired_text)
        return decoder.loss(pairs.image.tokens, pairs.image.mask, words)

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its images; empty without one."""
        image = self.image_tower(batch)
        return self._writer().write(image.tokens, image.mask, self.options.beams)

    def findings(self, image: Features, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`, by the mean of the views."""
        assert self.head is not None
        views = image.pooled.view(len(image.pooled), self.options.views, -1)
        logits: Tensor = self.head(views.mean(1))
        return logits

    def _writer(self) -> TextDecoder:
        """The decoder of reports.

        Raises:
            InputError: If the run has none.
        """
        if self.decoder is None:
            raise InputError(
                "this run of refers has no words to write", "train it in a stage of `report`"
            )
        return self.decoder


class StudyViews(nn.Module):
    """Tokens of a fixed number of views, each gated by all; and their vectors side by side.

    Args:
        reader: Image reader, of width `D`.
        width: That width.
        views: Number of views.
    """

    def __init__(self, reader: ImageReader, width: int, views: int) -> None:
        super().__init__()
        self.reader, self.views = reader, views
        self.gate = nn.Linear(views * width, views)

    def forward(self, batch: StudyBatch) -> Features:
        """Features of the images of a batch; pooled they are `[B, views * D]`."""
        read, real = self.reader(batch), batch.image_mask
        at = self.chosen(real)
        rows = torch.arange(len(real), device=real.device)[:, None]
        tokens, mask = (
            each.unflatten(1, (real.shape[1], -1))[rows, at] for each in (read.tokens, read.mask)
        )
        vectors = self.reader.pool(tokens.flatten(0, 1), mask.flatten(0, 1))
        vectors = vectors.unflatten(0, mask.shape[:2])
        tokens = tokens + vectors[:, :, None]
        gates = self.gate(tokens.transpose(1, 2).flatten(2)).sigmoid().transpose(1, 2)
        kept = (tokens * gates[..., None]).flatten(1, 2) * mask.flatten(1)[..., None]
        return Features(kept, mask.flatten(1), vectors.flatten(1))

    def chosen(self, real: Tensor) -> Tensor:
        """Image of each view, `[B, views]`: the first ones that are there, repeated in turn.

        Args:
            real: True where there is an image, `[B, V]`.
        """
        order = (~real).long().argsort(dim=1, stable=True)
        turn = torch.arange(self.views, device=real.device)
        return order.gather(1, turn[None] % real.sum(1, keepdim=True).clamp_min(1))


class UnitLength(nn.Module):
    """Vectors scaled to unit length."""

    def forward(self, vectors: Tensor) -> Tensor:
        """`[..., D]` to `[..., D]`."""
        return F.normalize(vectors, dim=-1)
