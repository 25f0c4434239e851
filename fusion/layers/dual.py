"""Dual encoder: an image tower, a text tower and a shared embedding space."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch, Text
from encoders.study import Passage
from fusion.layers.projection import Projection
from fusion.layers.readers import ImageReader, TextReader
from fusion.losses.info_nce import info_nce
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.bounds import Positive, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["DualEncoder", "Pairs", "same_study_or_text"]

LARGEST_SCALE = 100.0
"""Largest learned factor on similarities (CLIP, Radford 2021)."""


@dataclass(frozen=True)
class Pairs:
    """Images and a text of each study, read by the towers.

    Args:
        image: Features of the images.
        text: Features of the texts.
        image_vectors: Unit vectors of the images in the shared space, `[B, D]`.
        text_vectors: Those of the texts, `[B, D]`.
        same: Identifiers of study and text; see `same_study_or_text`.
    """

    image: Features
    text: Features
    image_vectors: Tensor
    text_vectors: Tensor
    same: Tensor

    @property
    def mask(self) -> Tensor:
        """True where a study has both, `[B]`."""
        return self.image.mask.any(1) & self.text.mask.any(1)


class DualEncoder(System):
    """A system of two towers; a subclass defines the losses between them.

    Findings are predicted by a linear head on the pooled image where a stage weighs
    `classification`; any other finding of the graph zero-shot by prompts, `{finding}` against
    `no {finding}` (or `No finding` against `finding`), where there is a text tower.

    Args:
        options: Sizes.
        setting: Studies and graph; without text there is no text tower and no shared space.
        stages: Stages of training; empty = the default ones.
        pool: From word vectors `[B, T, D]` and mask to one vector a text; None = one that is
            learned.
        norm: Normalisation in the projections into the shared space; None = none.
    """

    class Options(BaseOptions):
        """Options of every dual encoder.

        Args:
            width: Width of both towers.
            space: Width of the shared space.
            hidden: Widths of the layers between tower and space; none = a linear projection.
            temperature: Divisor of similarities.
            learned_temperature: Whether it is learned, beginning with that.
            dropout: Dropout in the towers.
            token_dropout: Share of image tokens hidden in training.
        """

        width: Width = 128
        space: Width = 128
        hidden: tuple[Width, ...] = (128,)
        temperature: Positive = 0.1
        learned_temperature: bool = False
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_tower.", "image"),
        "text_tower": Module("text_tower.", "text"),
        "image_projection": Module("image_projection."),
        "text_projection": Module("text_projection."),
    }
    BETWEEN: ClassVar[Mapping[str, float]] = {"contrast": 1.0}
    """Losses between the towers, with their weights in pretraining."""
    PAIRED: ClassVar[Needs] = Needs(paired_report=True)
    """What they require."""
    PROMPTS: ClassVar[Literal["findings", "impression"]] = "findings"
    """Section that prompts are read as."""
    options: Options

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """Pretraining alone."""
        return (Stage(name="pretraining", objectives=cls.BETWEEN, monitor="loss"),)

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Those of pretraining and that of fine-tuning."""
        return (*cls.BETWEEN, "classification")

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """The report beside the images, where they are paired."""
        return cls.PAIRED if _pairs(stages) else Needs()

    def __init__(
        self,
        options: Options,
        setting: Setting,
        stages: tuple[Stage, ...] = (),
        *,
        pool: Callable[[Tensor, Tensor], Tensor] | None = None,
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, dropout = options.width, options.dropout
        self.image_tower = ImageReader.of(
            setting, width, dropout=dropout, token_dropout=options.token_dropout
        )
        self.text_tower: TextReader | None = None
        if _pairs(self.stages):
            self._check_text()
        if setting.text_width:
            self.text_tower = TextReader(
                setting.text_width,
                width,
                encoder=setting.text_encoder,
                dropout=dropout,
                pool=pool,
            )
            self.image_projection: nn.Module = Projection(
                width, options.space, options.hidden, norm
            )
            self.text_projection: nn.Module = Projection(width, options.space, options.hidden, norm)
        self.log_scale: nn.Parameter | None = None
        if options.learned_temperature and self.text_tower is not None:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(options.temperature)))
        self.head: nn.Module | None = None
        if any("classification" in stage.objectives for stage in self.stages):
            self.head = nn.Linear(width, len(setting.findings))
            self.objective = Classification(Classification.Options(), setting=setting, width=width)

    @property
    def scale(self) -> Tensor | float:
        """Factor on similarities."""
        return 1 / self.options.temperature if self.log_scale is None else self.log_scale.exp()

    @torch.no_grad()
    def after_step(self) -> None:
        """Keep a learned scale between 1 and its limit."""
        if self.log_scale is not None:
            self.log_scale.clamp_(0.0, math.log(LARGEST_SCALE))

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        made: dict[str, Callable[[], Tensor]] = {
            "classification": lambda: self.classification(batch)
        }
        if _pairs((stage,)):
            made |= self.between(self.read_pairs(batch), batch)
        return {name: made[name]() for name in stage.objectives}

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Each loss between the towers, by name, as a function that computes it."""
        return {"contrast": lambda: self.contrast(pairs)}

    def read_pairs(self, batch: StudyBatch) -> Pairs:
        """Images and reports of a batch, read by the towers."""
        if batch.paired_text is None:
            raise ValueError("the batch has no reports beside its images")
        assert self.text_tower is not None
        image, text = self.image_tower(batch), self.text_tower(batch.paired_text)
        return Pairs(
            image,
            text,
            self.image_projection(image.pooled),
            self.text_projection(text.pooled),
            same_study_or_text(batch, batch.paired_text),
        )

    def contrast(self, pairs: Pairs, weight: float = 0.5) -> Tensor:
        """InfoNCE of image and text in the shared space.

        Args:
            pairs: Images and texts.
            weight: Weight of finding the text by the image; the other way has the rest.
        """
        return info_nce(
            pairs.image_vectors,
            pairs.text_vectors,
            scale=self.scale,
            weight=weight,
            same=pairs.same,
            mask=pairs.mask,
        )

    def classification(self, batch: StudyBatch) -> Tensor:
        """Loss of the head."""
        return self.objective.of(self.findings(self.image_tower(batch), batch), batch.targets)

    def findings(self, image: Features, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`."""
        assert self.head is not None
        logits: Tensor = self.head(image.pooled)
        return logits

    def embed_image(self, batch: StudyBatch) -> Tensor:
        """Unit vectors of the studies' images, `[B, D]`; NaN for a study without one."""
        self._check_text()
        return in_space(self.image_tower(batch), self.image_projection)

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of texts, `[B, D]`; NaN for an empty one."""
        self._check_text()
        assert self.text_tower is not None
        return in_space(self.text_tower(text), self.text_projection)

    def similarity(self, image: Features, text: Features) -> Tensor:
        """Scaled similarity of every image with every text, `[B, A]`; zero without an image."""
        images = in_space(image, self.image_projection).nan_to_num(0.0)
        return images @ in_space(text, self.text_projection).T * self.scale

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
        answers = image.pooled.new_full((batch.image_mask.shape[0], len(findings)), float("nan"))
        if self.head is not None and "trained" in basis:
            logits = self.findings(image, batch)
            for place, finding in enumerate(findings):
                if basis[place] == "trained":
                    answers[:, place] = logits[:, self.setting.findings.index(finding)]
        prompted = [place for place, one in enumerate(basis) if one == "zero_shot"]
        if prompted:
            logits = self.prompted(image, [findings[place] for place in prompted])
            # in mixed precision a similarity may be more precise than the features
            answers[:, prompted] = logits.to(answers.dtype)
        return Output(answers)

    def prompted(self, image: Features, findings: Sequence[str]) -> Tensor:
        """Logits `[B, C]` of the positive against the negative prompt; zero without an image."""
        names = [self.setting.graph.concept(finding).label for finding in findings]
        prompts = [*names, *map(_denied, names)]
        encoder: Any = self.setting.text_encoder
        words, mask, part = encoder.tokenize([[Passage(self.PROMPTS, text)] for text in prompts])
        device = image.pooled.device
        text = Text(words.to(device), None, mask.to(device), part.to(device))
        assert self.text_tower is not None
        stated, denied = self.similarity(image, self.text_tower(text)).chunk(2, 1)
        return stated - denied

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


def _denied(name: str) -> str:
    """Denial of a finding; that of `No finding` is `finding`, not a double one."""
    return name[3:] if name.lower().startswith("no ") else f"no {name}"


def _pairs(stages: Sequence[Stage]) -> bool:
    """Whether a stage has a loss between the towers."""
    return any(set(stage.objectives) - {"classification"} for stage in stages)


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


def in_space(features: Features, projection: nn.Module) -> Tensor:
    """Unit vectors `[B, D]` of features in the shared space; NaN where there are none."""
    vectors: Tensor = projection(features.pooled)
    return vectors.masked_fill(~features.mask.any(1, keepdim=True), float("nan"))
