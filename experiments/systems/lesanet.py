"""lesanet: many labels of a lesion, taught by their ontology (LesaNet, Yan 2019).

Reference: Yan, Peng, Sandfort, Bagheri, Lu, Summers: Holistic and Comprehensive Annotation of
Clinically Significant Findings on Diverse CT Images: Learning from Radiology Reports and Label
Ontology, CVPR 2019, arXiv 1904.04661. Fidelity: paper, with losses and sizes as in the authors'
code (CADLab/LesaNet). Features of a box at several scales make an embedding and the logits of all
labels; a linear layer that starts as the identity lets labels raise and lower each other.

Differs from the paper:
- The ontology is the run's graph, not RadLex: `is_a`, and `part_of` between body parts.
- Any number of pictures: features are averaged over those of a study, and the view is added.
- Where tokens are cached the grid of tokens is the one map; without a box it is read as a whole.
- Hard examples and triplets are not drawn: the losses are the expectation of what is drawn.
- Thresholds are those of the run, chosen on validation as for every system.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from fusion.capabilities import ClassifiesTrained
from fusion.label_ontology import entailed, excluded, shuffled_pairs
from fusion.layers.boxes import BoxReader, Where
from fusion.layers.projection import Projection
from fusion.losses.balanced_bce import balanced_bce
from fusion.losses.reliable_hard_bce import reliable_hard_bce
from fusion.losses.triplet_by_similarity import triplet_by_similarity
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Few, ShareBelow1, Width
from kg.model.edges import IS_A
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["LesaNet"]

WEIGHTS = {"classification": 1.0, "hard_examples": 1.0, "triplets": 5.0, "propagated": 1.0}


class LesaNet(ClassifiesTrained):
    """Features of the box at several scales, an embedding, and labels that act on each other.

    Args:
        options: Which feature maps, sizes, and which mechanisms are on.
        setting: What the run is about; needs pictures.
        stages: Stages of training; a mechanism whose loss no stage weighs is switched off, and
            answers are propagated only where `propagated` is weighed.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            maps: Feature maps of an encoder that trains, by the name of the stage, each pooled in
                the `box` or over the whole `picture`; none = its tokens, in the box.
            roi: Side of the grid a map is pooled to.
            width: Features of each map.
            embedding: Width of the embedding.
            dropout: Share of the features dropped in training.
            relations: Relations of the graph along which a label entails another.
            expansion: Labels entail what is wider, in training and in answers.
            ontology: Which labels entail and exclude each other: by the `graph`, or `shuffled`
                among the labels, where each entails, is entailed by and excludes as many.
        """

        maps: Mapping[str, Where] = {}
        roi: Few = 5
        width: Width = 256
        embedding: Width = 256
        dropout: ShareBelow1 = 0.0
        relations: tuple[str, ...] = (IS_A, "part_of")
        expansion: bool = True
        ontology: Literal["graph", "shuffled"] = "graph"

    MODULES: ClassVar[Mapping[str, Module]] = {"image_tower": Module("reader.", "image")}
    share: Tensor
    entails: Tensor
    exclusive: Tensor

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Losses of the labels, of what was propagated between them, and of the embedding."""
        return tuple(WEIGHTS)

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """The paper's one stage of 15 epochs, its rate divided by ten after the tenth."""
        return (
            Stage(
                objectives=WEIGHTS,
                epochs=15,
                batch_size=128,
                optimiser=Part(name="sgd"),
                learning_rate=0.01,
                weight_decay=1e-4,
                schedule=Part(name="step", options={"every": 2 / 3}),
                warmup=0.0,
                clip=10.0,
            ),
        )

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Boxes, and feature maps of the encoder."""
        return Needs(boxes=True, image_maps=tuple(options.maps))

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        labels = len(setting.findings)
        self.reader = BoxReader(setting, options.maps, roi=options.roi, width=options.width)
        self.embed = Projection(self.reader.width, options.embedding)
        self.drop = nn.Dropout(options.dropout)
        self.score = nn.Linear(self.reader.width, labels)
        self.propagate = nn.Linear(labels, labels)
        nn.init.eye_(self.propagate.weight)
        nn.init.zeros_(self.propagate.bias)
        self.propagates = any(stage.objectives.get("propagated") for stage in self.stages)
        relations = options.relations if options.expansion else ()
        entails = entailed(setting.graph, setting.findings, relations)
        exclusive = excluded(setting.graph, setting.findings)
        if options.ontology == "shuffled":
            # the initial seed of the process is the run's: drawn anew with every seed
            generator = np.random.default_rng(torch.initial_seed())
            entails = shuffled_pairs(entails, generator)
            exclusive = shuffled_pairs(exclusive, generator, symmetric=True)
        self.register_buffer("entails", entails, persistent=False)
        self.register_buffer("exclusive", exclusive, persistent=False)
        self.register_buffer("share", torch.full((labels,), 0.5))

    def prepare(self, batches: Iterable[StudyBatch]) -> None:
        """Share of positives of each label in the training studies, what is entailed included."""
        targets = torch.cat([self.expanded(batch.targets) for batch in batches])
        self.share.copy_(targets.nanmean(0).nan_to_num(0.5))

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Losses of the labels before and after propagation, and of the embedding."""
        features = self.reader(batch, self.reader.maps(batch), batch.boxes)
        targets = self.expanded(batch.targets)
        first = self.score(self.drop(features))
        made = {
            "classification": lambda: balanced_bce(first, targets, self.share),
            "hard_examples": lambda: reliable_hard_bce(first, targets, self.exclusive),
            "triplets": lambda: triplet_by_similarity(self.embed(features), targets),
            "propagated": lambda: balanced_bce(self.propagate(first), targets, self.share),
        }
        return {name: made[name]() for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the labels, `[B, C]`."""
        return self._answers(self.reader(batch, self.reader.maps(batch), batch.boxes))

    def localise(self, batch: StudyBatch, findings: tuple[str, ...]) -> Tensor:
        """Grad-CAM (Selvaraju 2017) of the last map, its shares `[B, C, V, h, w]`.

        The box is not read here: it would answer what is asked.
        """
        with torch.enable_grad():
            *before, last = (each.detach() for each in self.reader.maps(batch))
            last.requires_grad_()
            logits = self._answers(self.reader(batch, [*before, last], None))
            shape = (len(batch.ids), len(findings), batch.image_mask.shape[1], *last.shape[2:])
            made = last.new_full(shape, float("nan"))
            for place, finding in enumerate(findings):
                if finding in self.setting.findings and len(last):
                    of = logits[:, self.setting.findings.index(finding)].sum()
                    (slope,) = torch.autograd.grad(of, last, retain_graph=True)
                    heat = (slope.mean((2, 3), keepdim=True) * last.detach()).sum(1).relu()
                    # where nothing speaks for a finding, every place does as little
                    heat = heat + heat.sum((1, 2), keepdim=True).eq(0)
                    made[:, place][batch.image_mask] = heat / heat.sum((1, 2), keepdim=True)
        return made

    def expanded(self, targets: Tensor) -> Tensor:
        """Targets `[B, C]`, 1 where a positive label entails one."""
        entailed_ones = (targets == 1).float() @ self.entails.float() > 0
        return targets.masked_fill(entailed_ones, 1.0)

    def _answers(self, features: Tensor) -> Tensor:
        """Logits `[B, C]`; a label is at least as likely as what entails it."""
        logits: Tensor = self.score(self.drop(features))
        if self.propagates:
            logits = self.propagate(logits)
        lowest = torch.finfo(logits.dtype).min
        return logits[:, :, None].masked_fill(~self.entails, lowest).amax(1)
