"""MedCLIP: contrastive learning of unpaired pictures and sentences by shared labels (Wang 2022).

Reference: Wang, Wu, Agarwal, Sun: MedCLIP: Contrastive Learning from Unpaired Medical Images and
Text, EMNLP 2022, arXiv 2210.10163. Fidelity: paper. Picture and sentence each have a vector of
labels (1 present, -1 absent, 0 uncertain or not stated), and the softmax over the batch of how far
these agree is the target of their similarity, whoever belongs to whom.

What differs, and why:
- Labels of sentences are the statements that kgdx reads in them, and so are those of a picture, in
  the whole report (`image_labels: statements`): a run that saw no label can then be asked
  zero-shot. The paper's pictures have those of their data set (`targets`).
- Labels are the findings of the run, as the paper's fourteen, or every concept of the graph that
  enough reports state (`labels: concepts`). What is narrower counts as present for the wider, what
  is wider as absent for the narrower. "No finding" holds where something abnormal is denied and
  nothing abnormal is present or possible.
- A sentence or picture without any label is left out. In a softmax it would be a partner of all.
- The sentences of a batch are of the same studies as its pictures, or of others, where data sets
  are mixed; the loss does not know which.
- Agreement is the cosine of labels, as printed; the authors' code takes the product
  (`agreement: product`).
- No copies of sentences with words exchanged (EDA); dropout alone changes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.batch import Statements, StudyBatch
from fusion.devices import gathered
from fusion.layers.dual import DualEncoder, Pairs
from fusion.layers.pools import masked_mean
from fusion.losses.soft_info_nce import soft_info_nce
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Positive, Width
from kg.mentions.labels import ABNORMAL_KINDS

__all__ = ["MedCLIP"]


class MedCLIP(DualEncoder):
    """Two towers whose similarities are those of the labels.

    Args:
        options: Sizes, and which labels agree how.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            labels: Findings of the run, or concepts that enough training reports state.
            image_labels: Labels of a picture: statements of its report, or the targets of the data
                set, which are findings.
            agreement: Cosine of two vectors of labels, or their dot product.
        """

        hidden: tuple[Width, ...] = ()
        temperature: Positive = 0.07
        learned_temperature: bool = True
        labels: Literal["findings", "concepts"] = "findings"
        image_labels: Literal["statements", "targets"] = "statements"
        agreement: Literal["cosine", "product"] = "cosine"

    options: Options
    BETWEEN = {"soft_contrast": 1.0}
    PAIRED = Needs(paired_report=True, sentences=True, statements=True)
    present: Tensor
    absent: Tensor
    abnormal: Tensor
    normal: Tensor

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, pool=masked_mean)
        graph = setting.graph
        by_findings = options.labels == "findings" or options.image_labels == "targets"
        labels = setting.findings if by_findings else setting.supervised
        present, absent = torch.zeros(2, len(graph.concepts), len(labels))
        for column, label in enumerate(labels):
            present[[graph.index[name] for name in (label, *graph.descendants(label))], column] = 1
            absent[[graph.index[name] for name in (label, *graph.ancestors(label))], column] = 1
        abnormal = torch.tensor([concept.kind in ABNORMAL_KINDS for concept in graph.concepts])
        none = {one.no_finding for one in graph.label_sets}
        normal = torch.tensor([label in none for label in labels])
        self.register_buffer("present", present, persistent=False)
        self.register_buffer("absent", absent, persistent=False)
        self.register_buffer("abnormal", abnormal[:, None].float(), persistent=False)
        self.register_buffer("normal", normal, persistent=False)

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Pictures and sentences are as near as their labels agree."""
        return {"soft_contrast": lambda: self.soft_contrast(pairs, batch)}

    def soft_contrast(self, pairs: Pairs, batch: StudyBatch) -> Tensor:
        """InfoNCE of all pictures and sentences, with the agreement of labels as target."""
        statements, text = batch.statements, batch.paired_text
        if statements is None or text is None or text.sentence is None:
            raise ValueError("the batch has no statements of its sentences")
        drawn = text.sentence.amax(1, keepdim=True)
        sentences = self.stated(statements, statements.sentence == drawn)
        if self.options.image_labels == "targets":
            images = (batch.targets * 2 - 1).nan_to_num(0.0)
        else:
            images = self.stated(statements, statements.mask)
        sides = gathered(images), gathered(sentences)
        if self.options.agreement == "cosine":
            sides = F.normalize(sides[0], dim=-1), F.normalize(sides[1], dim=-1)
        return soft_info_nce(
            pairs.image_vectors,
            pairs.text_vectors,
            (sides[0] @ sides[1].T).exp(),
            scale=self.scale,
            masks=(
                pairs.image.mask.any(1) & images.any(1),
                pairs.text.mask.any(1) & sentences.any(1),
            ),
        )

    def stated(self, statements: Statements, counted: Tensor) -> Tensor:
        """Labels by the counted statements, `[B, L]`: 1, -1 or 0."""
        counted = counted & statements.mask
        named = statements.concept.clamp_min(0)

        def of(assertion: float, follows: Tensor) -> Tensor:
            which = (counted & (statements.assertion == assertion)).to(follows.dtype)
            made = follows.new_zeros(len(named), len(follows))
            return (made.scatter_add(1, named, which) @ follows > 0).to(follows.dtype)

        present = of(1.0, self.present)
        labels = present - of(-1.0, self.absent) * (1 - present)
        ill = of(1.0, self.abnormal).maximum(of(0.5, self.abnormal))
        well = of(-1.0, self.abnormal) * (1 - ill)
        return torch.where(self.normal, well - ill, labels)
