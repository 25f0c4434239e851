"""ARL: pictures and reports aligned, reasoned over and learnt through entities (Chen 2022).

Reference: Chen, Li, Wan: Align, Reason and Learn: Enhancing Medical Vision-and-Language
Pre-training with Knowledge, ACM MM 2022, arXiv 2209.07118. Fidelity: paper, with layers and weights
as in the authors' code (zhjohnchan/ARL) as far as a card of it says.

Entities are concepts of the graph; attention over its edges embeds them (GAT). Align: picture and
report, each as a whole, are compared with all entities, and tell which ones the report states.
Reason: in each layer the entities of the report attend to each other and to the picture, and are
added to the words that name them, while words and image tokens attend to each other. Learn: words
of whole entities are hidden, and told from the rest. Matching tells reports from those of others.

What differs, and why:
- Entities are kgdx's concepts, stated as present or not by its linker, not UMLS; only those that
  are present are aligned. Those aligned are the concepts with enough training studies.
- Vectors of TransE start the entities where `graph.vectors` is `transe`; they are projected, and
  not trained further. Attention knows the kinds of edges.
- Masked image modelling is left out: cached tokens have no pixels to tell.
- Findings are read from the picture alone by Align, a finding being one more entity (so any concept
  of the graph can be asked for); `reads: image_and_text` reads them from both sides after the last
  layer, as the downstream heads of the paper do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, Statements, StudyBatch, Text
from experiments.systems._entity_layers import (
    EntityStreams,
    Fused,
    first_statements,
    named,
    silent,
)
from fusion.classifier import ClassifierOptions, ConceptReader
from fusion.devices import mean_of
from fusion.layers.hidden_words import hide_words
from fusion.layers.mismatched import mismatch
from fusion.layers.readers import ImageReader, TextReader
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy
from fusion.needs import Needs
from fusion.objectives.classification import Classification
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting, System
from kg.bounds import Count, Few, Share, ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part

__all__ = ["ARL"]

PRETRAINING = {"align": 1.0, "hidden_words": 1.0, "matching": 0.1}


class ARL(System):
    """Two towers, entities of the graph, and layers in which all three meet.

    Args:
        options: Sizes, what findings are read from, and how entities are made.
        setting: What the run is about; needs images, and a text encoder that trains.
        stages: Stages of training; empty = pretraining, then classification.
    """

    class Options(BaseOptions):
        """Options of the system.

        Args:
            width: Width of tokens and entities.
            layers: Number of layers in which the three streams meet.
            heads: Attention heads of each.
            dropout: Dropout in readers and layers.
            token_dropout: Share of image tokens hidden in training.
            entities: Most statements of a text that are read as entities.
            hidden_words: Share of the entities, and of the other words, that are hidden.
            vectors: Start of the entities: the given vectors, or learned ones of equal size.
            messages: Entities attend to their neighbours in the graph.
            entity_stream: Entities are added to the words that name them.
            reads: What findings are read from: pictures, or pictures and the text allowed.
        """

        width: Width = 128
        layers: Few = 2
        heads: Few = 4
        dropout: ShareBelow1 = 0.2
        token_dropout: ShareBelow1 = 0.2
        entities: Count = 24
        hidden_words: Share = 0.15
        vectors: Literal["given", "learned"] = "given"
        messages: bool = True
        entity_stream: bool = True
        reads: Literal["image", "image_and_text"] = "image"

    MODULES: ClassVar[Mapping[str, Module]] = {
        "image_tower": Module("reader.", "image"),
        "text_tower": Module("text_reader.", "text"),
        "entities": Module("concept_reader."),
    }

    @classmethod
    def default_stages(cls, options: Options) -> tuple[Stage, ...]:
        """Pretraining on reports, then findings."""
        return Stage(name="pretraining", objectives=PRETRAINING, monitor="loss"), Stage()

    @classmethod
    def loss_names(cls, options: Options) -> tuple[str, ...]:
        """Those of pretraining, and of findings."""
        return (*PRETRAINING, "classification")

    @classmethod
    def needs(cls, options: Options, stages: tuple[Stage, ...]) -> Needs:
        """Reports, their statements and words in pretraining; statements of the text it reads."""
        weighed = {name for stage in stages for name in stage.objectives}
        pretrains = bool(weighed & set(PRETRAINING))
        return Needs(
            paired_report=pretrains,
            statements=pretrains,
            vocabulary="hidden_words" in weighed,
            text_statements=options.reads == "image_and_text",
        )

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        self.stages = stages or self.default_stages(options)
        width = options.width
        self.reader = ImageReader.of(
            setting, width, dropout=options.dropout, token_dropout=options.token_dropout
        )
        weighed = {name for stage in self.stages for name in stage.objectives}
        reads_text = options.reads == "image_and_text"
        self.concept_reader = ConceptReader(
            ClassifierOptions(
                width=width, vectors=options.vectors, messages=options.messages,
                neighbourhood=0, message_passing=Part(name="gat"),
            ),
            setting,
        )  # fmt: skip
        self.align_image = _head(width, width)
        self.entity_bias = nn.Linear(width, 1)
        self.objective = Classification(Classification.Options(), setting=setting, width=width)
        if not (reads_text or weighed & set(PRETRAINING)):
            return
        self.text_reader = _text_reader(options, setting)
        if "align" in weighed:
            self.align_text = _head(width, width)
        if reads_text or weighed & {"hidden_words", "matching"}:
            self.streams = EntityStreams(
                width, options.layers, heads=options.heads, dropout=options.dropout,
                adds=options.entity_stream,
            )  # fmt: skip
        if "hidden_words" in weighed:
            if setting.vocabulary is None:
                raise InputError("arl tells hidden words", "name a text.encoder that trains")
            self.hidden_entity = nn.Parameter(0.02 * torch.randn(width))
            self.tell = _head(width, setting.vocabulary.size)
        if "matching" in weighed:
            self.match = _head(2 * width, 1)
        if reads_text:
            self.answer = _head(2 * width, len(setting.findings))

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """Losses of the stage."""
        nodes, image = self.concept_reader(), self.reader(batch)
        made: dict[str, Tensor] = {}
        if "classification" in stage.objectives:
            logits = self._findings(batch, image, nodes, self.setting.findings)
            made["classification"] = self.objective.of(logits, batch.targets)
        if not set(stage.objectives) & set(PRETRAINING):
            return made
        text, stated = batch.paired_text, batch.statements
        if text is None or stated is None:
            raise ValueError("the batch has no reports with their statements")
        stated = first_statements(stated, self.options.entities)
        there = batch.image_mask.any(1)
        if "align" in stage.objectives:
            made["align"] = self._aligned(image, there, text, stated, nodes)
        if "hidden_words" in stage.objectives:
            made["hidden_words"] = self._told(image, text, stated, nodes)
        if "matching" in stage.objectives:
            both = there & text.mask.any(1)
            rows, own = mismatch(self._linked(stated), both)
            fused = self.fuse(image, text.rows(rows), stated.rows(rows), nodes)
            each = F.binary_cross_entropy_with_logits(
                self.match(torch.cat([fused.image, fused.text], 1))[:, 0],
                own.float(),
                reduction="none",
            )
            made["matching"] = mean_of(each, both)
        return made

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Logits of findings; NaN for those that are not possible."""
        nodes = self.concept_reader()
        possible = tuple(name for name in findings if self.basis(name) != "not_possible")
        made = self._findings(batch, self.reader(batch), nodes, possible)
        answers = made.new_full((len(made), len(findings)), float("nan"))
        answers[:, [findings.index(name) for name in possible]] = made
        return Output(answers)

    def basis(self, finding: str) -> Basis:
        """Trained; by Align any other concept zero-shot, where its vector is given."""
        if finding in self.setting.findings:
            return "trained"
        by_align = self.options.reads == "image" and self.options.vectors == "given"
        known = finding in self.setting.graph.index
        return "zero_shot" if by_align and known else "not_possible"

    def fuse(
        self, image: Features, text: Text, stated: Statements, nodes: Tensor,
        hidden: Tensor | None = None,
    ) -> Fused:  # fmt: skip
        """Let image tokens, words and entities (rows of nodes `[N, D]`) meet.

        `hidden`, `[B, M]`, is True where an entity is hidden; None = none.
        """
        entities = nodes[stated.concept.clamp_min(0)]
        if hidden is not None:
            entities = torch.where(hidden[..., None], self.hidden_entity, entities)
        words, names = self.text_reader(text), named(text, stated)
        made: Fused = self.streams(image, words, entities, stated.mask, names)
        return made

    def _findings(
        self, batch: StudyBatch, image: Features, nodes: Tensor, findings: tuple[str, ...]
    ) -> Tensor:
        """Logits `[B, C]` by Align, or by both sides after the last layer."""
        if self.options.reads == "image":
            return self._by_entity(self.align_image(image.pooled), nodes, findings)
        text = batch.text or silent(image)
        if text.statements is None:
            raise ValueError("the text of the batch has no statements")
        stated = first_statements(text.statements, self.options.entities)
        fused = self.fuse(image, text, stated, nodes)
        logits: Tensor = self.answer(torch.cat([fused.image, fused.text], 1))
        return logits[:, [self.setting.findings.index(name) for name in findings]]

    def _by_entity(self, side: Tensor, nodes: Tensor, concepts: tuple[str, ...]) -> Tensor:
        """Logits `[B, K]` of concepts by a side of the study `[B, D]`."""
        chosen = nodes[self.concept_reader.places(concepts)]
        logits: Tensor = side @ chosen.T / side.shape[1] ** 0.5 + self.entity_bias(chosen).T
        return logits

    def _linked(self, stated: Statements) -> Tensor:
        """1 where an aligned entity is stated as present, `[B, K]`."""
        every = stated.concept.new_zeros(len(stated.concept), len(self.setting.graph.concepts) + 1)
        present = (stated.assertion == 1) & stated.mask
        every.scatter_(1, torch.where(present, stated.concept, every.shape[1] - 1), 1)
        return every[:, self.concept_reader.places(self.setting.supervised)].float()

    def _aligned(
        self, image: Features, there: Tensor, text: Text, stated: Statements, nodes: Tensor
    ) -> Tensor:
        """How well picture and report, each alone, tell which entities the report states."""
        linked = self._linked(stated)
        losses = []
        for side, real in (
            (self.align_image(image.pooled), there & text.mask.any(1)),
            (self.align_text(self.text_reader(text).pooled), text.mask.any(1)),
        ):
            logits = self._by_entity(side, nodes, self.setting.supervised)
            each = F.binary_cross_entropy_with_logits(logits, linked, reduction="none")
            losses.append(mean_of(each, real[:, None].expand_as(each)))
        return torch.stack(losses).mean()

    def _told(self, image: Features, text: Text, stated: Statements, nodes: Tensor) -> Tensor:
        """Cross-entropy of hidden words: those of whole entities, and as many of the others."""
        book, words, place = self.setting.vocabulary, text.words, text.word
        if book is None or words is None or place is None:
            raise ValueError("the batch has no reports as words")
        rate = self.options.hidden_words
        hidden = stated.mask & (torch.rand(stated.concept.shape, device=words.device) < rate)
        within = named(text, stated)
        chance = torch.rand(words.shape, device=words.device) < rate
        chosen = (within & hidden[:, None]).any(2) | (chance & ~within.any(2))
        chosen &= text.mask & (place >= 0)
        shown, _ = hide_words(words, chosen, book, rate=1.0)
        fused = self.fuse(image, replace(text, words=shown), stated, nodes, hidden)
        target = words[chosen]
        return sequence_cross_entropy(
            self.tell(fused.words[chosen])[None], target[None], torch.ones_like(target).bool()[None]
        )


def _head(width: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, out))


def _text_reader(options: ARL.Options, setting: Setting) -> TextReader:
    if not setting.text_width or setting.text_encoder is None:
        raise InputError("arl reads reports", "name a text.encoder that trains")
    return TextReader(
        setting.text_width, options.width, encoder=setting.text_encoder, dropout=options.dropout
    )
