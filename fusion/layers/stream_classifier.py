"""Stream classifier: findings read from a single stream over image and text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from encoders.batch import Features, StudyBatch, Text
from fusion.capabilities import ClassifiesTrained
from fusion.layers.readers import ImageReader
from fusion.layers.single_stream import Joint, SingleStream, StreamOptions
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Setting
from kg.bounds import ShareBelow1
from kg.errors import InputError

__all__ = ["StreamClassifier"]


class StreamClassifier(ClassifiesTrained):
    """A system whose image tokens and words go through one stream; a subclass adds its losses.

    Args:
        options: Sizes.
        setting: Studies and graph; requires images and a vocabulary.
        stages: Stages of training; empty = the default ones.
    """

    class Options(StreamOptions):
        """Options of every stream classifier.

        Args:
            token_dropout: Share of image tokens hidden in training.
        """

        token_dropout: ShareBelow1 = 0.0

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_tower.", "image"),
        "stream": Module("stream.", "text"),
    }
    PRETRAINING: ClassVar[Mapping[str, float]] = {}
    """Losses of pretraining on reports, with their weights; empty = there is none."""
    options: Options

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """Pretraining alone, or one stage of classification where there is none."""
        if not cls.PRETRAINING:
            return (Stage(),)
        return (Stage(name="pretraining", objectives=cls.PRETRAINING, monitor="loss"),)

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Those of pretraining and that of the findings."""
        return (*cls.PRETRAINING, "classification")

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """Words by number, and in pretraining the report beside the images."""
        return Needs(paired_report=cls.pretrains(stages), vocabulary=True)

    @classmethod
    def pretrains(cls, stages: tuple[Stage, ...]) -> bool:
        """Whether a stage pretrains."""
        return any(set(stage.objectives) & set(cls.PRETRAINING) for stage in stages)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        if self.pretrains(self.stages) and not setting.text_width:
            raise InputError(
                f"{type(self).__name__} learns from reports", "give it data with reports and images"
            )
        self.stream = SingleStream(options, setting)
        width, drop = self.stream.width, options.dropout
        self.image_tower = ImageReader.of(
            setting, width, dropout=drop, token_dropout=options.token_dropout
        )
        self.image_tower.pool.requires_grad_(False)  # the stream pools instead
        self.head: nn.Module | None = None
        if any("classification" in stage.objectives for stage in self.stages):
            self.head = nn.Sequential(
                nn.Dropout(drop),
                nn.Linear(width, width),
                nn.GELU(),
                nn.Linear(width, len(setting.findings)),
            )
            self.objective = Classification(Classification.Options(), setting=setting, width=width)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        made = self.made(batch)
        return {name: made[name]() for name in stage.objectives}

    def made(self, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Each loss by name, as a function that computes it."""
        return {"classification": lambda: self.classification(self.logits(batch), batch.targets)}

    def classification(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of the findings."""
        return self.objective.of(logits, targets)

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`, by images and the text allowed.

        NaN where no stage trains them.
        """
        if self.head is None:
            shape = (len(batch.ids), len(self.setting.findings))
            return batch.targets.new_full(shape, float("nan"))
        joint = self.stream(self.image_tower(batch), self.embed(batch.text))
        logits: Tensor = self.head(self.pooled(joint))
        return logits

    def pooled(self, joint: Joint) -> Tensor:
        """What findings are read from, `[B, D]`: the state of the first mark."""
        return joint.first

    def basis(self, finding: str) -> Basis:
        """Trained for the findings that a stage trains; not possible for others."""
        return "not_possible" if self.head is None else super().basis(finding)

    def embed(self, text: Text | None) -> Features | None:
        """Vectors of the words of a text, or None."""
        return None if text is None else self.stream.embed(*self.stream.words(text))
