"""weng: slide, report and case record joined early, with one answer for each task (Weng 2019).

Reference: Weng, Cai, Lin, Tan, Chen: Multimodal Multitask Representation Learning for Pathology
Biobank Metadata Prediction, arXiv 1909.07846. Fidelity: interpretation, by the abstract; there is
no code, and sizes, pooling and weights of the tasks are not stated there.

The tiles of a slide are pooled by attention, the words of its report likewise, and the fields of
the case record are embedded; the three vectors are joined side by side, and a shared layer answers
every task by a softmax of its own. A task that a study does not state has no loss. Inputs are those
of the configuration: image, text and `metadata`, each alone or together. While training an input is
hidden from a study by chance, so that it may lack at test.

What differs, and why:
- Tiles are read by the run's encoder; the paper's patches by an Inception network.
- An answer is the logit of its share in the softmax of its task, so that a run of several tasks is
  measured like any other.
- A single task is a run whose labels are that task alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.devices import mean_of
from fusion.layers.readers import ImageReader, TextReader
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["Weng"]


class Weng(ClassifiesTrained):
    """Early fusion of image, text and case record for several tasks.

    Args:
        options: Tasks and sizes.
        setting: Studies and graph; at least one of image, text and metadata.
        stages: Stages of training; empty = the default one.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            colour: Whether images are read in colour, as slides must be.
            tasks: Findings of each task, of which one holds; those of no task stand alone.
            width: Width of image and text.
            fields: Width of the case record.
            hidden: Width of the shared layer.
            dropout: Dropout on each of these.
            hide: Share of the studies from which an input is hidden in training.
        """

        colour: bool = False
        tasks: Mapping[str, tuple[str, ...]] = {}
        width: Width = 128
        fields: Width = 64
        hidden: Width = 128
        dropout: ShareBelow1 = 0.2
        hide: ShareBelow1 = 0.3

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage."""
        return (Stage(objectives={"classification": 1.0}),)

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Colour, where configured."""
        return Needs(colour=options.colour)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        dropout, width = options.dropout, options.width
        self.image_tower: ImageReader | None = None
        self.text_tower: TextReader | None = None
        self.record: nn.Module | None = None
        widths = 0
        if setting.image_width:
            self.image_tower = ImageReader.of(setting, width, dropout=dropout)
            widths += width
        if setting.text_width:
            self.text_tower = TextReader(
                setting.text_width, width, encoder=setting.text_encoder, dropout=dropout
            )
            widths += width
        if setting.facts_width:
            self.record = nn.Sequential(nn.Linear(setting.facts_width, options.fields), nn.ReLU())
            widths += options.fields
        if not widths:
            raise InputError(
                "weng has nothing to read", "set image.encoder, text.test or metadata, or several"
            )
        self.join = nn.Sequential(nn.Linear(widths, options.hidden), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(options.hidden, len(setting.findings))
        self.groups = _groups(options.tasks, setting)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Sum over the tasks of the cross-entropy of the studies that state them."""
        return {"classification": self.loss(self.scores(batch), batch.targets)}

    def loss(self, scores: Tensor, targets: Tensor) -> Tensor:
        """Loss of the scores `[B, C]` of all tasks."""
        stated, truth = ~targets.isnan(), targets.nan_to_num(0.0).to(scores.dtype)
        terms = []
        for group in self.groups:
            if len(group) == 1:
                each = F.binary_cross_entropy_with_logits(
                    scores[:, group[0]], truth[:, group[0]], reduction="none"
                )
                terms.append(mean_of(each, stated[:, group[0]]))
                continue
            one = truth[:, group]
            each = -(one * scores[:, group].log_softmax(1)).sum(1)
            terms.append(mean_of(each, stated[:, group].all(1) & (one.sum(1) == 1)))
        return torch.stack(terms).sum()

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logit of each finding's share in its task, `[B, C]`; scores for an exclusive set."""
        scores = self.scores(batch)
        if self.setting.exclusive:
            return scores
        shares = scores.clone()
        for group in (group for group in self.groups if len(group) > 1):
            for place, column in enumerate(group):
                others = group[:place] + group[place + 1 :]
                shares[:, column] = scores[:, column] - scores[:, others].logsumexp(1)
        return shares

    def scores(self, batch: StudyBatch) -> Tensor:
        """Scores of all findings, `[B, C]`."""
        read: list[Tensor] = []
        if self.image_tower is not None:
            read.append(self._hidden(self.image_tower(batch).pooled))
        if self.text_tower is not None:
            read.append(self._hidden(self._of_text(batch)))
        if self.record is not None:
            if batch.metadata is None:
                raise ValueError("the batch has no case record")
            read.append(self._hidden(self.record(batch.metadata)))
        scores: Tensor = self.head(self.join(torch.cat(read, 1)))
        return scores

    def _of_text(self, batch: StudyBatch) -> Tensor:
        """A vector of each report, zeros where there is none."""
        assert self.text_tower is not None
        if batch.text is None:
            weight = self.head.weight
            return weight.new_zeros(len(batch.ids), self.options.width)
        pooled: Tensor = self.text_tower(batch.text).pooled
        return pooled

    def _hidden(self, vectors: Tensor) -> Tensor:
        """The vectors `[B, D]`, in training with some of them zero."""
        if not self.training or not self.options.hide:
            return vectors
        shown = torch.rand(len(vectors), 1, device=vectors.device) >= self.options.hide
        return vectors * shown


def _groups(tasks: Mapping[str, tuple[str, ...]], setting: Setting) -> list[list[int]]:
    """Places of the findings of each task; a finding of no task is alone."""
    place = {finding: column for column, finding in enumerate(setting.findings)}
    named = [finding for findings in tasks.values() for finding in findings]
    if len(set(named)) < len(named):
        twice = next(one for one in named if named.count(one) > 1)
        raise InputError(f"system.options.tasks: {twice} is in two tasks", "keep one of them")
    for finding in named:
        setting.graph.concept(finding)
    groups = [[place[one] for one in findings if one in place] for findings in tasks.values()]
    alone = [[column] for finding, column in place.items() if finding not in named]
    return [group for group in [*groups, *alone] if group]
