"""zheng: pictures, words and a graph's entities, joined by attention and a gate (Zheng 2021).

Reference: Zheng, Yan, Gou, Zhang, Zhang, Hu, Wang: Pay attention to doctor-patient dialogues:
Multi-modal knowledge graph attention image-text embedding for COVID-19 diagnosis, Information
Fusion 75 (2021), doi 10.1016/j.inffus.2021.05.015. Fidelity: reconstruction; no code was published
and the body of the paper could not be read: the parts are named by its abstract and by what is
remembered of it, their equations are chosen here.

Image cells, and words, each pass blocks of a dilated convolution and self-attention. The words as a
whole look at the cells of each modality, the pictures as a whole at the words; a gate weighs the
modalities that are there. Entities of the case (what its text states, and the graph's neighbours
of the findings) are embedded with the relations of the graph; both sides together look at them
(medical-knowledge attention). Words, cells and knowledge give the answer.

What differs, and why:
- The graph is that of the run, not one of the samples of the paper: a node for each training case
  and edges to its label would hand over the label.
- The relational loss is that of the catalog (DistMult), not TransE, and acts in the same stage.
- A part that is missing (pictures, text, entities) adds zeros; whole sides are dropped in training.
- Pictures and text are of one patient; the paper joins strangers by their class (`pairing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch
from encoders.study import MODALITIES
from experiments.systems._attention_blocks import ConvolutionAttention, Look
from fusion.capabilities import ClassifiesTrained
from fusion.classifier import ClassifierOptions, ConceptReader
from fusion.layers.pools import masked_mean, masked_softmax
from fusion.layers.readers import (
    EvidenceReader,
    ImageReader,
    TextReader,
    drop_studies,
    nothing,
)
from fusion.objectives import Forward
from fusion.objectives.classification import Classification
from fusion.objectives.link_prediction import LinkPrediction
from fusion.stage import Stage
from fusion.system import Module, Setting
from kg.bounds import Count, Few, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["Zheng"]

MOST_NAMED = 5
"""Entities that an answer names as its reasons."""


class Zheng(ClassifiesTrained):
    """Attention between pictures and words, and of both over entities of the graph.

    Args:
        options: Sizes, and the channels of the graph.
        setting: Studies and graph; needs images or text.
        stages: Stages of training; empty = the default one.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of a token and of an entity.
            blocks: Blocks of convolution and self-attention; the dilation doubles with each.
            entities: Most entities that a text states, and neighbours of each finding, looked at.
            dropout: Dropout on tokens.
            token_dropout: Share of image tokens hidden in training.
            modality_dropout: Share of studies that lose their pictures, or text, in training.
            relations: Graph encoder of the relational embedding.
            messages: Pass messages along the edges; closed, the encoder keeps its parameters.
            knowledge: Look at the entities; closed, zeros stand for them.
            pairing: Text in training: the study's `own`, or that of another study of the same
                labels in the batch (`class`), as in the paper; at test always its own.
        """

        width: Width = 128
        blocks: Few = 2
        entities: Count = 32
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2
        modality_dropout: ShareBelow1 = 0.1
        relations: Part = Part(name="rgcn")
        messages: bool = True
        knowledge: bool = True
        pairing: Literal["own", "class"] = "own"

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("image_reader.", "image"),
        "text_tower": Module("text_reader.", "text"),
        "concepts": Module("concepts."),
    }

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """One stage of classification and of the relations of the graph."""
        return (Stage(objectives={"classification": 1.0, "link_prediction": 0.1}),)

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Classification, and prediction of the graph's edges."""
        return ("classification", "link_prediction")

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        if not (setting.image_width or setting.text_width):
            raise InputError("zheng needs images or text", "set image.encoder, or text.test")
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width, drop = options.width, options.dropout
        self.image_reader = (
            ImageReader.of(setting, width, dropout=drop, token_dropout=options.token_dropout)
            if setting.image_width
            else None
        )
        self.text_reader = (
            TextReader(
                setting.text_width,
                width,
                encoder=setting.text_encoder,
                dropout=drop,
                pool=masked_mean,
            )
            if setting.text_width
            else None
        )
        if self.image_reader is not None:
            self.image_reader.pool.requires_grad_(False)  # the words look instead
        self.image_blocks, self.text_blocks = (
            nn.ModuleList(ConvolutionAttention(width, 2**depth) for depth in range(options.blocks))
            for _ in range(2)
        )
        self.words_look, self.cells_look, self.both_look = (
            Look(asks, width) for asks in (width, width, 2 * width)
        )
        self.gate = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1))
        self.concepts = ConceptReader(
            ClassifierOptions(
                width=width,
                message_passing=options.relations,
                messages=options.messages,
                neighbourhood=options.entities,
            ),
            setting,
        )
        self.stated = EvidenceReader(width, options.entities)
        self.head = nn.Sequential(
            nn.Linear(3 * width, width),
            nn.ReLU(),
            nn.Dropout(drop),
            nn.Linear(width, len(setting.findings)),
        )
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        self.links = LinkPrediction(LinkPrediction.Options(), setting=setting, width=width)

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Losses of the stage: the labels, and the edges of the graph."""
        if self.options.pairing == "class":
            batch = strangers_of_a_class(batch)
        nodes = self.concepts()
        image, text = self._sides(batch)
        logits, _ = self._answer(batch, image, text, nodes)
        losses = {"classification": self.objective.of(logits, batch.targets)}
        if "link_prediction" in stage.objectives:
            made = Forward(logits, logits[:, :0], nodes, image, text)
            losses["link_prediction"] = self.links(made, batch)
        return {name: losses[name] for name in stage.objectives}

    def logits(self, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`."""
        return self._answer(batch, *self._sides(batch), self.concepts())[0]

    def evidence(self, batch: StudyBatch, findings: tuple[str, ...]) -> list[list[list[str]]]:
        """The entities that the case looks at most, each with its share; the same for findings."""
        nodes = self.concepts()
        _, weights = self._answer(batch, *self._sides(batch), nodes)
        places = self._entities(batch, nodes)[0]
        shares = weights.new_zeros(len(weights), len(nodes)).scatter_add(1, places, weights)
        lines = []
        for row in shares:
            top = row.topk(min(MOST_NAMED, len(nodes)))
            named = zip(top.values.tolist(), top.indices.tolist(), strict=True)
            concepts = self.setting.graph.concepts
            lines.append([f"{concepts[at].label} ({share:.0%})" for share, at in named if share])
        return [[list(line) for _ in findings] for line in lines]

    def _sides(self, batch: StudyBatch) -> tuple[Features, Features]:
        """Image cells and words of the studies after their blocks, `[B, L, D]` each."""
        empty = nothing(len(batch.ids), self.options.width, batch.targets)
        image = empty if self.image_reader is None else self.image_reader(batch)
        text = empty
        if self.text_reader is not None and batch.text is not None:
            text = self.text_reader(batch.text)
        return self._through(image, self.image_blocks), self._through(text, self.text_blocks)

    def _through(self, side: Features, blocks: nn.ModuleList) -> Features:
        if self.training and self.options.modality_dropout:
            side = drop_studies(side, self.options.modality_dropout)
        tokens = side.tokens
        for block in blocks:
            tokens = block(tokens, side.mask)
        return Features(tokens, side.mask, masked_mean(tokens, side.mask))

    def _answer(
        self, batch: StudyBatch, image: Features, text: Features, nodes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits `[B, C]`, and the share of each entity in the knowledge `[B, K]`."""
        seen = self._gated(batch, image, text.pooled)
        said, _ = self.cells_look(image.pooled, text.tokens, text.mask)
        places, tokens, mask = self._entities(batch, nodes)
        known, weights = self.both_look(torch.cat([seen, said], 1), tokens, mask)
        return self.head(torch.cat([seen, said, known], 1)), weights

    def _gated(self, batch: StudyBatch, image: Features, asks: Tensor) -> Tensor:
        """What the words see in the cells of each modality, weighed by the gate, `[B, D]`."""
        if self.image_reader is None:
            return torch.zeros_like(asks)
        own = batch.modality.repeat_interleave(image.mask.shape[1] // batch.modality.shape[1], 1)
        masks = [image.mask & (own == kind) for kind in range(len(MODALITIES))]
        seen = torch.stack([self.words_look(asks, image.tokens, mask)[0] for mask in masks], 1)
        there = torch.stack([mask.any(1) for mask in masks], 1)
        shares = masked_softmax(self.gate(seen).squeeze(2), there)
        return (shares[..., None] * seen).sum(1)

    def _entities(self, batch: StudyBatch, nodes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Entities of each case: place in the graph, token and mask, `[B, K]`, `[B, K, D]`."""
        index, _, there = self.concepts.neighbourhood(self.setting.findings)
        near, mask = (part.flatten().expand(len(batch.ids), -1) for part in (index, there))
        places, tokens, masks = [near], [nodes[near]], [mask]
        if batch.evidence is not None:
            stated = self.stated(batch.evidence, nodes)
            places.append(self.stated.places(batch.evidence)[0])
            tokens.append(stated.tokens)
            masks.append(stated.mask)
        looked_at = torch.cat(masks, 1) & self.options.knowledge
        return torch.cat(places, 1), torch.cat(tokens, 1), looked_at


def strangers_of_a_class(batch: StudyBatch) -> StudyBatch:
    """The studies, each with the text of a random one of the same labels (perhaps its own)."""
    if batch.text is None:
        return batch
    labels = batch.targets.nan_to_num(-1.0)
    _, kind = torch.unique(labels, dim=0, return_inverse=True)
    draws = torch.rand(2, len(kind), dtype=torch.float64, device=kind.device)
    here, there = (kind + draws).argsort(1)
    order = torch.empty_like(here).scatter(0, here, there)
    evidence = None if batch.evidence is None else batch.evidence[order]
    return replace(batch, text=batch.text.rows(order), evidence=evidence)
