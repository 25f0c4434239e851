"""KAD: a text encoder that learnt the graph guides queries over the picture (KAD, Zhang 2023).

Reference: Zhang, Wu, Zhang, Xie, Wang: Knowledge-enhanced visual-language pre-training on chest
radiology images, Nature Communications 2023, arXiv 2302.14042. Fidelity: paper. First the text
encoder learns the graph as text: head and relation find the tail, relation and tail the head, and a
name its definition, where all that is of the same concept is a partner. Then it is frozen; pictures
are contrasted with the concepts that their report states, and queries of concepts tell what is
there, from the tokens of the picture, and from those of the text by the same decoder.

What differs, and why:
- Facts and definitions are those of the run's graph, not of UMLS; one edge in ten between concepts
  is kept back, to ask whether the graph was learnt (task `triples`).
- The scale of the contrast is learned and vectors have unit length; the authors' code makes the
  scale anew in each step and does not normalise.
- A step asks `sampled` concepts, and queries do not attend to each other: an answer is a finding's
  own.
- Both passes of the decoder are losses of their own, and findings can be trained on labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from encoders.batch import Features, Statements, StudyBatch, Text
from encoders.study import Passage
from experiments.systems._graph_text import GraphText
from fusion.layers.concept_queries import Arm, ConceptQueries, Unstated, draw_concepts, stated
from fusion.layers.dual import DualEncoder, Pairs, same_study_or_text
from fusion.layers.pools import masked_mean
from fusion.layers.queries import QueryDecoder
from fusion.losses.stated_bce import stated_bce
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Basis, Module, Output, Setting
from kg.bounds import Count, Few, Positive, Width
from kg.errors import InputError

__all__ = ["KAD"]

KNOWLEDGE = {"triples": 1.0, "definitions": 1.0}
"""Losses of the text encoder on the graph."""


class KAD(DualEncoder):
    """A text encoder that knows the graph, and queries of concepts.

    Args:
        options: Sizes, and what the queries are.
        setting: Studies and graph; needs images and a text encoder that trains.
        stages: Stages of training; empty = the graph, then the pairs.
    """

    class Options(DualEncoder.Options):
        """Options of the system.

        Args:
            layers: Layers of the decoder.
            heads: Attention heads of a layer.
            queries: What concepts are asked by; as of `medklip`.
            sampled: Concepts that are asked in a step.
            unstated: What a report does not name: left out, or absent.
            longest: Most words of the concepts that a report states.
        """

        temperature: Positive = 0.07
        learned_temperature: bool = True
        layers: Few = 4
        heads: Few = 4
        queries: Arm = "names"
        sampled: Count = 24
        unstated: Unstated = "left_out"
        longest: Width = 64

    MODULES: ClassVar[Mapping[str, Module]] = {
        **DualEncoder.MODULES,
        "queries": Module("queries."),
        "decoder": Module("decoder."),
        "exist": Module("exist."),
    }
    BETWEEN = {"contrast": 1.0, "exist": 1.0, "exist_by_text": 1.0}
    options: Options
    asked: Tensor
    trained: Tensor
    defined: Tensor

    @classmethod
    def default_stages(cls, options: Any) -> tuple[Stage, ...]:
        """The graph, then the pairs with a frozen text encoder."""
        return (
            Stage(
                name="knowledge",
                objectives=KNOWLEDGE,
                trains=("text_tower.encoder.", "knowledge."),
                monitor="loss",
            ),
            Stage(
                name="pretraining",
                objectives=cls.BETWEEN,
                trains=(
                    *("image_", "text_projection.", "log_scale", "queries.", "decoder.", "exist."),
                    *(f"text_tower.{part}." for part in ("project", "part", "norm", "pool")),
                ),
                monitor="loss",
            ),
        )

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Those on the graph, those of the pairs, and that of labels."""
        return (*KNOWLEDGE, *cls.BETWEEN, "classification")

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """Texts of the graph, its edges, and reports with what they state, as the stages do."""
        losses = {name for stage in stages for name in stage.objectives}
        pairs = bool(losses & set(cls.BETWEEN))
        return Needs(
            paired_report=pairs,
            statements=pairs,
            text_statements=pairs,
            definitions=True,
            triples="triples" in losses,
        )

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages, pool=masked_mean)
        self.head = None  # findings are asked by queries
        width, graph = options.width, setting.graph
        self.queries = ConceptQueries(setting, width, options.queries)
        if setting.texts is None or setting.text_encoder is None:
            raise InputError("kad needs a text encoder that trains", "choose text.encoder")
        self.decoder = QueryDecoder(width, options.layers, options.heads, options.dropout)
        self.exist = nn.Linear(width, 1)
        self.knowledge = GraphText(setting.texts, setting.text_width, options.space)
        encoder: Any = setting.text_encoder
        words, mask, _ = encoder.tokenize([(Passage("findings", "no"),)])
        denial = words[0][mask[0]]  # between the marks of start and end, where there are any
        self.denial = int(denial[len(denial) // 2])
        defined = [place for place, one in enumerate(graph.concepts) if one.definition]
        for name, places in (
            ("asked", [graph.index[concept] for concept in setting.supervised]),
            ("trained", [graph.index[concept] for concept in setting.findings]),
            ("defined", defined or list(range(len(graph.concepts)))),
        ):
            self.register_buffer(name, torch.tensor(places, dtype=torch.long), persistent=False)

    @property
    def encoder(self) -> Any:
        """The text encoder."""
        assert self.text_tower is not None
        return self.text_tower.encoder

    def losses(self, batch: StudyBatch, stage: Stage) -> dict[str, Tensor]:
        """The losses of the stage."""
        made: dict[str, Callable[[], Tensor]] = {
            "classification": lambda: self.classification(batch),
            "triples": lambda: self.triples(batch),
            "definitions": lambda: self.definitions(len(batch.ids)),
        }
        if set(self.BETWEEN) & set(stage.objectives):
            made |= self.between(self.read_pairs(batch), batch)
        return {name: made[name]() for name in stage.objectives}

    def triples(self, batch: StudyBatch) -> Tensor:
        """Edges of the graph, learnt as text; zero where it has none."""
        if batch.triples is None or not len(batch.triples):
            return self.definitions(1) * 0.0
        return self.knowledge.triples(batch.triples, self.encoder)

    def definitions(self, size: int) -> Tensor:
        """Names and definitions of as many concepts, drawn at random."""
        drawn = torch.randint(len(self.defined), (size,), device=self.defined.device)
        return self.knowledge.definitions(self.defined[drawn], self.encoder)

    def read_pairs(self, batch: StudyBatch) -> Pairs:
        """Images, and the concepts that reports state, read by the towers."""
        assert self.text_tower is not None
        if batch.statements is None:
            raise ValueError("the batch has no statements of its reports")
        said = self.entities(batch.statements)
        image, text = self.image_tower(batch), self.text_tower(said)
        return Pairs(
            image,
            text,
            self.image_projection(image.pooled),
            self.text_projection(text.pooled),
            same_study_or_text(batch, said),
        )

    def entities(self, statements: Statements) -> Text:
        """Names of the concepts that each report states, `no` before those it denies."""
        return self.knowledge.stated(statements, self.denial, self.options.longest)

    def between(self, pairs: Pairs, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Contrast of the two, and what is there, asked of the picture and of the text."""
        said = stated(batch, len(self.setting.graph.concepts), self.options.unstated)
        drawn = draw_concepts(self.asked, said, self.options.sampled)
        return {
            "contrast": lambda: self.contrast(pairs),
            "exist": lambda: stated_bce(self.ask(pairs.image, drawn), said[:, drawn]),
            "exist_by_text": lambda: stated_bce(self.ask(pairs.text, drawn), said[:, drawn]),
        }

    def ask(self, features: Features, concepts: Tensor) -> Tensor:
        """Logits of concepts `[K]` by the tokens of one side, `[B, K]`."""
        queries = self.queries(concepts, self.encoder)[:, 0]
        logits: Tensor = self.exist(self.decoder(queries, features.tokens, features.mask))
        return logits.squeeze(-1)

    def findings(self, image: Features, batch: StudyBatch) -> Tensor:
        """Logits of the findings trained on, `[B, C]`."""
        return self.ask(image, self.trained)

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors of what texts state, `[B, D]`; NaN where that is nothing."""
        return super().embed_text(
            text if text.statements is None else self.entities(text.statements)
        )

    def relate(self, triples: Tensor) -> Tensor:
        """Similarity of head and relation of triples `[K, 3]` to every concept, `[K, N]`."""
        return self.knowledge.relate(triples, self.encoder)

    def basis(self, finding: str) -> Basis:
        """Trained on labels, zero-shot by its name, or not possible."""
        labels = any("classification" in stage.objectives for stage in self.stages)
        if labels and finding in self.setting.findings:
            return "trained"
        return "zero_shot" if self.queries.known(finding) else "not_possible"

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        """Whether each finding is there; NaN for those that are not possible."""
        answers = batch.targets.new_full((len(batch.image_mask), len(findings)), float("nan"))
        possible = [at for at, name in enumerate(findings) if self.basis(name) != "not_possible"]
        if possible:
            asked = self.queries.index(tuple(findings[at] for at in possible))
            logits = self.ask(self.image_tower(batch), asked)
            answers[:, possible] = logits.to(answers.dtype)
        return Output(answers)
