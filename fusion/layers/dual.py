"""Dual encoder: an image tower, a text tower and a shared embedding space."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch, Text
from encoders.study import Passage
from fusion.layers.projection import Projection
from fusion.layers.readers import ImageReader, TextReader
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.bounds import Positive, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["DualEncoder", "same_study_or_text"]


class DualEncoder(System):
    """A system of two towers; a subclass defines the loss between them.

    Findings are predicted by a linear head on the pooled image where a stage weighs
    `classification`; any other finding of the graph zero-shot by prompts, `{finding}` against
    `no {finding}`, where there is a text tower.

    Args:
        options: Sizes.
        setting: Studies and graph; without text there is no text tower and no shared space.
        stages: Stages of training; empty = the default ones.
        pool: From word vectors `[B, T, D]` and mask to one vector a text; None = one that is
            learned.
    """

    class Options(BaseOptions):
        """Options of every dual encoder.

        Args:
            width: Width of both towers.
            space: Width of the shared space.
            hidden: Widths of the layers between tower and space; none = a linear projection.
            temperature: Divisor of similarities.
            dropout: Dropout in the towers.
            token_dropout: Share of image tokens hidden in training.
        """

        width: Width = 128
        space: Width = 128
        hidden: tuple[Width, ...] = (128,)
        temperature: Positive = 0.1
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_tower.", "image"),
        "text_tower": Module("text_tower.", "text"),
        "image_projection": Module("image_projection."),
        "text_projection": Module("text_projection."),
    }

    def __init__(
        self,
        options: Options,
        setting: Setting,
        stages: tuple[Stage, ...] = (),
        *,
        pool: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, dropout = options.width, options.dropout
        self.image_tower = ImageReader.of(
            setting, width, dropout=dropout, token_dropout=options.token_dropout
        )
        self.text_tower: TextReader | None = None
        if any(set(stage.objectives) - {"classification"} for stage in self.stages):
            self._check_text()
        if setting.text_width:
            self.text_tower = TextReader(
                setting.text_width,
                width,
                encoder=setting.text_encoder,
                dropout=dropout,
                pool=pool,
            )
            self.image_projection = Projection(width, options.space, options.hidden)
            self.text_projection = Projection(width, options.space, options.hidden)
        self.head: nn.Linear | None = None
        if any("classification" in stage.objectives for stage in self.stages):
            self.head = nn.Linear(width, len(setting.findings))
            self.objective = Classification(Classification.Options(), setting=setting, width=width)

    def classification(self, batch: StudyBatch) -> Tensor:
        """Loss of the head."""
        assert self.head is not None
        loss: Tensor = self.objective.of(self.head(self.image_tower(batch).pooled), batch.targets)
        return loss

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the studies' images, `[B, D]`; NaN for a study without one."""
        self._check_text()
        return _in_space(self.image_tower(batch), self.image_projection)

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts, `[B, D]`; NaN for an empty one."""
        self._check_text()
        assert self.text_tower is not None
        return _in_space(self.text_tower(text), self.text_projection)

    def basis(self, finding: str) -> Basis:
        """Trained by the head, zero-shot by a prompt, or not possible."""
        if self.head is not None and finding in self.setting.findings:
            return "trained"
        known = finding in self.setting.graph.index
        return "zero_shot" if known and self._can_be_prompted else "not_possible"

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Logits of the head and of prompts; NaN for findings that are not possible."""
        image = self.image_tower(batch)
        basis = [self.basis(finding) for finding in findings]
        answers = image.pooled.new_full((len(batch.ids), len(findings)), float("nan"))
        if self.head is not None and "trained" in basis:
            logits = self.head(image.pooled)
            for place, finding in enumerate(findings):
                if basis[place] == "trained":
                    answers[:, place] = logits[:, self.setting.findings.index(finding)]
        prompted = [place for place, one in enumerate(basis) if one == "zero_shot"]
        if prompted:
            answers[:, prompted] = self.prompted(image, [findings[place] for place in prompted])
        return Output(answers)

    def prompted(self, image: Features, findings: Sequence[str]) -> Tensor:
        """Logits `[B, C]` of the positive against the negative prompt; zero without an image."""
        names = [self.setting.graph.concept(finding).label for finding in findings]
        prompts = [*names, *(f"no {name}" for name in names)]
        encoder: Any = self.setting.text_encoder
        words, mask, part = encoder.tokenize([[Passage("findings", text)] for text in prompts])
        device = image.pooled.device
        text = Text(words.to(device), None, mask.to(device), part.to(device))
        pictures = _in_space(image, self.image_projection).nan_to_num(0.0)
        stated, denied = (pictures @ self.embed_text(text).T).chunk(2, 1)
        return (stated - denied) / self.options.temperature

    def _check_text(self) -> None:
        """Refuse a run without text where a text tower is needed."""
        if not self.setting.text_width:
            raise InputError(
                f"{type(self).__name__} has no text to pair with the images",
                "train it in a stage that pairs them, or measure classification alone",
            )

    @property
    def _can_be_prompted(self) -> bool:
        """Whether there is a text tower with a trainable encoder."""
        return self.text_tower is not None and self.setting.text_encoder is not None


def same_study_or_text(batch: StudyBatch, text: Text) -> Tensor:
    """Identifiers of study and exact text, `[B, 2]`: rows that share one are no negatives.

    They are the same on every device; -1 where there is no text.

    Args:
        batch: The studies.
        text: A text of each, with word ids.
    """
    if text.words is None:
        raise ValueError("the text has no word ids to compare texts by")
    studies = torch.tensor([zlib.crc32(name.encode()) for name in batch.ids])
    # a polynomial in 64 bits that wrap around; padding counts nothing
    words = torch.where(text.mask, text.words + 1, 0)
    texts = torch.zeros_like(words[:, 0])
    for column in words.unbind(1):
        texts = torch.where(column > 0, texts * 1_000_003 + column, texts)
    texts = (texts & torch.iinfo(torch.long).max).masked_fill(~text.mask.any(1), -1)
    return torch.stack([studies.to(texts.device), texts], 1)


def _in_space(features: Features, projection: nn.Module) -> Tensor:
    """Unit vectors `[B, D]` of features in the shared space; NaN where there are none."""
    vectors: Tensor = projection(features.pooled)
    return vectors.masked_fill(~features.mask.any(1, keepdim=True), float("nan"))
