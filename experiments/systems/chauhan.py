"""chauhan: pictures and reports in one space, ranked by margins that grow with the grade (2020).

Reference: Chauhan, Liao, Wells, Andreas, Wang, Berkowitz, Horng, Szolovits, Golland: Joint Modeling
of Chest Radiographs and Radiology Reports for Pulmonary Edema Assessment, MICCAI 2020, arXiv
2008.09884. Fidelity: paper, with the loss as in the authors' code (RayRuizhiLiao/joint_chestxray).

A picture and its report should be more alike than either is with any other study's, by a margin
that is the difference of their grades, and at least one half; studies without a grade have that.
There are no projections: both towers end in the one space. First all pairs are ranked, then
pictures and reports are classified as well; at test there is the picture alone.

What differs, and why:
- Margins are defined for any labels: the number of findings in which two studies differ, where
  those of an exclusive set are grades, from its first to its last. For one finding in grades this
  is the paper's.
- The authors rank each pair against the next study of the batch, here all others count.
- Grades are classes, as is the authors' default; their three binary outputs are left out.
- A tower's vector is a learned pool of its tokens. The authors take the mean of the last feature
  map, and the pooled first token of SciBERT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.devices import gathered
from fusion.layers.dual import DualEncoder, Pairs
from fusion.losses.pair_ranking import pair_ranking
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import NotNegative

__all__ = ["Chauhan"]


class Chauhan(DualEncoder):
    """Two towers in one space, ranked by graded margins.

    Args:
        options: Sizes, and how alike two vectors are.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            measure: How alike a picture and a report are: their dot product, cosine, or negative
                distance.
            least_margin: Least margin between studies, and that of studies without a grade.
        """

        measure: Literal["dot", "cosine", "distance"] = "dot"
        least_margin: NotNegative = 0.5

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_tower.", "image"),
        "text_tower": Module("text_tower.", "text"),
    }
    options: Options
    BETWEEN = {"ranking": 1.0, "text_classification": 1.0}

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """All pairs are ranked; then what is labelled is classified as well."""
        both = {"ranking": 1.0, "classification": 1.0, "text_classification": 1.0}
        return (
            Stage(name="ranking", objectives={"ranking": 1.0}, monitor="loss"),
            Stage(name="supervised", objectives=both),
        )

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        self.text_head: nn.Linear | None = None
        if self.text_tower is not None:
            self.image_projection = self.text_projection = Unit()
            if any("text_classification" in stage.objectives for stage in self.stages):
                self.text_head = nn.Linear(options.width, len(setting.findings))

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Ranking of the pairs, and the findings by either side."""
        told = pairs.text.mask.any(1, keepdim=True)
        of_text = batch.targets.masked_fill(~told, float("nan"))
        return {
            "ranking": lambda: self.ranking(pairs, batch.targets),
            "classification": lambda: self.objective.of(
                self.head(pairs.image.pooled),  # type: ignore[misc]
                batch.targets,
            ),
            "text_classification": lambda: self.objective.of(
                self.text_head(pairs.text.pooled),  # type: ignore[misc]
                of_text,
            ),
        }

    def ranking(self, pairs: Pairs, targets: Tensor) -> Tensor:
        """Hinge loss of every pair against all others, by graded margins."""
        margins = graded_margins(
            gathered(targets),
            gathered(pairs.same),
            exclusive=self.setting.exclusive,
            least=self.options.least_margin,
        )
        image, text = gathered(pairs.image.pooled), gathered(pairs.text.pooled)
        return pair_ranking(self.measured(image, text), margins, mask=gathered(pairs.mask))

    def measured(self, image: Tensor, text: Tensor) -> Tensor:
        """How alike every picture and every report are, `[B, B]`."""
        if self.options.measure == "distance":
            distance: Tensor = torch.linalg.vector_norm(image[:, None] - text[None], dim=-1)
            return -distance
        if self.options.measure == "cosine":
            image, text = F.normalize(image, dim=-1), F.normalize(text, dim=-1)
        return image @ text.T


class Unit(nn.Module):
    """Vectors of unit length, in place of a projection into the shared space."""

    def forward(self, pooled: Tensor) -> Tensor:
        """`[B, D]` to `[B, D]` of unit length."""
        return F.normalize(pooled, dim=-1)


def graded_margins(targets: Tensor, same: Tensor, *, exclusive: bool, least: float) -> Tensor:
    """Margin of every two studies, `[B, B]`: the difference of their labels, and at least `least`.

    Args:
        targets: `[B, C]`, NaN = not stated.
        same: Identifiers of study and text, `[B, K]`; those that share one have no margin.
        exclusive: Whether the findings are grades in order, of which one holds.
        least: Least margin, and that of two studies of which one has no label.
    """
    steps, stated = targets.nan_to_num(0.0), ~targets.isnan()
    if exclusive:
        # a grade has also reached every lower one, so that grades differ in that many steps
        stated = (targets == 1).any(1, keepdim=True).expand_as(targets)
        steps = steps.flip(1).cumsum(1).flip(1)
    both = stated[:, None] & stated[None]
    apart = ((steps[:, None] - steps[None]).abs() * both).sum(-1)
    alike = ((same[:, None] == same[None]) & (same >= 0)).any(-1)
    return apart.clamp_min(least).masked_fill(alike, 0.0)
