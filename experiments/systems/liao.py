"""liao: sentences and the regions that fit them best, by a learned critic (Liao 2021).

Reference: Liao, Moyer, Cha, Quigley, Berkowitz, Horng, Golland, Wells: Multimodal Representation
Learning via Maximization of Local Mutual Information, MICCAI 2021, arXiv 2103.04537. Fidelity:
paper for the local objective, of which the abstract and notes could be read; the authors' code
(RayRuizhiLiao/mutual_info_img_txt) has the global critic alone.

A critic scores a sentence with a region; a sentence has the score of its best region, and a bound
on mutual information is maximised over the studies of a batch. Then the image tower is classified,
frozen (`linear_probe`) or fine-tuned.

What differs, and why:
- One sentence of each report is drawn a step, which is the mean over its sentences in expectation.
- InfoNCE contrasts each sentence with the pictures of the batch, row by row (`pair_cross_entropy`).
  What the released code calls so has one sum over all and the gradient of its other bound.
- Equal sentences are no rivals. Sentences of one study never are: one is drawn.
- The critic is the authors', whose first layer reads region and sentence side by side; it is
  computed as the sum of two layers, which is the same.
- A critic has no space that both sides are in: prompts and retrieval need one, and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torchvision.ops import MLP

from encoders.batch import Features, StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.devices import gathered, gathered_tokens
from fusion.layers.dual import same_study_or_text
from fusion.layers.pools import masked_max
from fusion.layers.readers import ImageReader, TextReader
from fusion.losses.donsker_varadhan import donsker_varadhan
from fusion.losses.pair_cross_entropy import pair_cross_entropy
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting
from kg.bounds import ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["Liao"]

INFORMATION = ("local_information", "global_information")


class Liao(ClassifiesTrained):
    """Two towers and critics that tell which sentence is of which picture.

    Args:
        options: Sizes, and the bound.
        setting: What the run is about; needs pictures, and reports where it is pretrained.
        stages: Stages of training.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of both towers.
            critic: Widths of the layers of a critic.
            bound: Bound on mutual information: InfoNCE, or Donsker and Varadhan's.
            dropout: Dropout in the towers.
            token_dropout: Share of image tokens hidden in training.
        """

        width: Width = 128
        critic: Annotated[tuple[Width, ...], Field(min_length=1)] = (128, 64)
        bound: Literal["info_nce", "donsker_varadhan"] = "info_nce"
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2

    MODULES: ClassVar[Mapping[str, Module]] = {"image_tower": Module("image_tower.", "image")}

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """Pretraining alone."""
        return (Stage(name="pretraining", objectives={"local_information": 1.0}, monitor="loss"),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Those of pretraining, local and as a whole, and that of fine-tuning."""
        return (*INFORMATION, "classification")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """A sentence of the report beside the pictures, where it is pretrained."""
        pretrains = bool(_objectives(stages) & set(INFORMATION))
        return Needs(paired_report=pretrains, sentences=pretrains)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, weighed = options.width, _objectives(self.stages)
        self.image_tower = ImageReader.of(
            setting, width, dropout=options.dropout, token_dropout=options.token_dropout
        )
        # the local critic reads regions alone
        self.image_tower.pool.requires_grad_(weighed != {"local_information"})
        self.critics = nn.ModuleDict()
        if weighed & set(INFORMATION):
            if not setting.text_width:
                raise InputError("liao has no text to pair with the pictures", "give it reports")
            encoder, drop = setting.text_encoder, options.dropout
            self.text_tower = TextReader(
                setting.text_width, width, encoder=encoder, dropout=drop, pool=masked_max
            )
            self.critics.update(
                {name: Critic(width, options.critic) for name in INFORMATION if name in weighed}
            )
        self.head: nn.Linear | None = None
        if "classification" in weighed:
            self.head = nn.Linear(width, len(setting.findings))
            self.objective = Classification(Classification.Options(), setting=setting, width=width)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        image = self.image_tower(batch)
        made: dict[str, Callable[[], Tensor]] = {
            "classification": lambda: self.objective.of(
                self.head(image.pooled),  # type: ignore[misc]
                batch.targets,
            )
        }
        if set(stage.objectives) & set(INFORMATION):
            if batch.paired_text is None:
                raise ValueError("the batch has no reports beside its pictures")
            text, same = (
                self.text_tower(batch.paired_text),
                same_study_or_text(batch, batch.paired_text),
            )
            whole = Features(image.pooled[:, None], image.mask.any(1, keepdim=True), image.pooled)
            made |= {
                "local_information": lambda: self.information(
                    "local_information", image, text, same
                ),
                "global_information": lambda: self.information(
                    "global_information", whole, text, same
                ),
            }
        return {name: made[name]() for name in stage.objectives}

    def information(self, name: str, image: Features, text: Features, same: Tensor) -> Tensor:
        """Negative bound on the information of sentences and their best regions.

        Args:
            name: Which critic scores them.
            image: Regions.
            text: One sentence a study.
            same: Identifiers of study and sentence.
        """
        regions, there = gathered_tokens(image.tokens, image.mask)
        scores = self.critics[name](regions, there, gathered(text.pooled))
        of = {"same": gathered(same), "mask": there.any(1) & gathered(text.mask.any(1))}
        if self.options.bound == "donsker_varadhan":
            return donsker_varadhan(scores, **of)
        # a sentence is told by which picture it belongs to, not the other way about
        return pair_cross_entropy(scores, weight=0.0, **of)

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings, `[B, C]`."""
        assert self.head is not None
        logits: Tensor = self.head(self.image_tower(batch).pooled)
        return logits

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """As every system; NaN for all where it was only pretrained."""
        if self.head is not None:
            return super().predict(batch, findings)
        return Output(
            torch.full((len(batch.ids), len(findings)), float("nan"), device=batch.targets.device)
        )

    def basis(self, finding: str) -> Basis:
        """Trained by the head, or not possible."""
        return super().basis(finding) if self.head is not None else "not_possible"


class Critic(nn.Module):
    """A perceptron that scores a sentence with a region, and takes the best region.

    Args:
        width: Width of a region, and of a sentence.
        hidden: Widths of its layers.
    """

    def __init__(self, width: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        first, *further = hidden
        self.of_region = nn.Linear(width, first)
        self.of_sentence = nn.Linear(width, first, bias=False)
        self.further = MLP(first, [*further, 1])

    def forward(self, regions: Tensor, mask: Tensor, sentences: Tensor) -> Tensor:
        """Score of every picture with every sentence, `[B, A]`; 0 for a picture without a region.

        Args:
            regions: `[B, S, D]`.
            mask: True where there is one, `[B, S]`.
            sentences: `[A, D]`.
        """
        # [B, A, S, H]: side by side in one layer is the sum of two
        pair = self.of_region(regions)[:, None] + self.of_sentence(sentences)[None, :, None]
        scores: Tensor = self.further(pair.relu())[..., 0]
        scores = scores.masked_fill(~mask[:, None], torch.finfo(scores.dtype).min)
        return scores.amax(-1).masked_fill(~mask.any(1)[:, None], 0.0)


def _objectives(stages: tuple[Stage, ...]) -> set[str]:
    """Losses that some stage weighs."""
    return {name for stage in stages for name in stage.objectives}
