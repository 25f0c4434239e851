"""KnowledgeClassifier: concept vectors as finding queries, joined with study and graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from encoders.batch import Features, StudyBatch
from encoders.graph import GRAPH_ENCODERS
from encoders.graph_arrays import NEIGHBOUR_KINDS, graph_tensors, neighbourhoods
from fusion.evidence_propagation import EvidencePropagation, PropagationPrior
from fusion.heads import HEADS
from fusion.joins import INPUTS, JOINS, Joined, Neighbourhood
from fusion.layers.readers import EvidenceReader, ImageReader, TextReader, drop_studies, nothing
from fusion.objectives import Forward
from fusion.system import Output, Setting
from kg.bounds import FewOrNone, Number, ShareBelow1, Width
from kg.options import Options as PartOptions
from kg.options import Part, parse_options

CHUNK = 64
"""Findings predicted at once; more are predicted in chunks, which saves memory alone."""


class ClassifierOptions(PartOptions):
    """Options of the classifier; each channel of the graph can be closed on its own.

    Args:
        width: Width of every token and concept inside.
        dropout: Dropout in readers and head.
        token_dropout: Share of image tokens hidden in training.
        modality_dropout: Share of studies that lose a whole modality in training.
        vectors: Initial vectors of queries and concepts: the given ones, or learned ones of equal
            size (unseen findings then cannot be predicted).
        message_passing: Graph encoder.
        messages: Pass messages along the edges; closed, the graph encoder keeps its parameters.
        neighbourhood: Concepts of each finding's neighbourhood that are attended to; 0 closes the
            channel.
        evidence: Most concepts stated by a study that are attended to; 0 closes the channel.
        propagation_steps: Steps that evidence is propagated over the graph's edges; 0 closes the
            channel.
        propagation: `learned` with the rest, or a `prior` kept out of training: what is propagated
            of statements alone, added to the answers by a weight chosen on validation.
        concept_logit: Add the concept-by-study dot product to a finding's logit.
        join: Join of queries and inputs.
        head: Head from joined query to logit.
    """

    width: Width = 128
    dropout: ShareBelow1 = 0.2
    token_dropout: ShareBelow1 = 0.2
    modality_dropout: ShareBelow1 = 0.1
    vectors: Literal["given", "learned"] = "given"
    message_passing: Part = Part(name="rgcn")
    messages: bool = True
    neighbourhood: Number = 24
    evidence: Number = 24
    propagation_steps: FewOrNone = 2
    propagation: Literal["learned", "prior"] = "learned"
    concept_logit: bool = True
    join: Part = Part(name="knowledge_attention")
    head: Part = Part(name="concept_dot")


class KnowledgeClassifier(nn.Module):
    """Encoders of image, text and evidence, a graph encoder, a join and a head.

    A finding's logit depends on its own concept and on the study, never on which other findings
    are requested. Shapes: B studies, C findings, N concepts, D width.

    Args:
        options: Sizes and open channels.
        setting: Graph, concept vectors and sizes of the features.
    """

    def __init__(self, options: ClassifierOptions, setting: Setting) -> None:
        super().__init__()
        self.options, self.setting = options, setting
        width = options.width
        self.concept_reader = ConceptReader(options, setting)
        self.join = build(JOINS, options.join, "join", width=width, kinds=NEIGHBOUR_KINDS)
        self.head = build(HEADS, options.head, "head", width=width)
        self.evidence_reader = EvidenceReader(width, options.evidence)
        propagation = PropagationPrior if options.propagation == "prior" else EvidencePropagation
        self.spread = propagation(setting.graph, options.propagation_steps)
        self.image_reader = self.build_image_reader()
        self.text_reader = self.build_text_reader()
        self.concept_direction = nn.Linear(width, width)
        self.concept_bias = nn.Linear(width, 1)

    @property
    def prior(self) -> PropagationPrior | None:
        """Propagation prior that is added to trained logits; None where not configured."""
        is_open = self.options.propagation_steps > 0
        return self.spread if is_open and isinstance(self.spread, PropagationPrior) else None

    def build_image_reader(self) -> ImageReader | None:
        """Image reader; None where the run has no images."""
        if not self.setting.image_width:
            return None
        return ImageReader.of(
            self.setting,
            self.options.width,
            dropout=self.options.dropout,
            token_dropout=self.options.token_dropout,
        )

    def build_text_reader(self) -> TextReader | None:
        """Text reader; None where the run has no text."""
        if not self.setting.text_width:
            return None
        return TextReader(
            self.setting.text_width,
            self.options.width,
            encoder=self.setting.text_encoder,
            dropout=self.options.dropout,
        )

    def read(self, batch: StudyBatch, nodes: Tensor) -> dict[str, Features]:
        """Features of each modality of the study; a missing one is a single masked token."""
        empty = nothing(batch.image_mask.shape[0], self.options.width, nodes)
        image = empty if self.image_reader is None else self.image_reader(batch)
        text = empty
        if self.text_reader is not None and batch.text is not None:
            text = self.text_reader(batch.text)
        return {"image": image, "text": text, "evidence": self.read_evidence(batch, nodes)}

    def read_evidence(self, batch: StudyBatch, nodes: Tensor) -> Features:
        """Features of the concepts that each study states, on embedded concepts `[N, D]`."""
        if not self.options.evidence or batch.evidence is None:
            return nothing(batch.image_mask.shape[0], self.options.width, nodes)
        evidence: Features = self.evidence_reader(batch.evidence, nodes)
        return evidence

    def forward(self, batch: StudyBatch) -> Forward:
        """Forward pass for the objectives, on the findings trained on."""
        nodes = self.concept_reader()
        read = self.read(batch, nodes)
        paired = None
        if self.text_reader is not None and batch.paired_text is not None:
            paired = self.text_reader(batch.paired_text)
        inputs = read
        if self.training and self.options.modality_dropout:
            inputs = {
                name: drop_studies(features, self.options.modality_dropout)
                for name, features in read.items()
            }
        concept_logits = self.concept_logits(read["image"], nodes, self.setting.supervised)
        propagated = self.propagated_evidence(batch, concept_logits)
        near = self.neighbourhood(self.setting.findings, nodes)
        logits, joined = self.answer(inputs, nodes, self.setting.findings, propagated, near)
        return Forward(
            logits=logits,
            concept_logits=concept_logits,
            nodes=nodes,
            image=read["image"],
            text=read["text"],
            paired=paired,
            gates=joined.gates,
        )

    def predict(
        self, batch: StudyBatch, findings: tuple[str, ...], hidden: Tensor | None = None
    ) -> Output:
        """Logits, attention and gates for any findings of the graph, in chunks.

        Args:
            batch: The studies.
            findings: Concept ids.
            hidden: True on neighbours of each finding to be masked, `[C, K]`.
        """
        if not findings:
            return Output(self.concept_reader.vectors.new_zeros(batch.image_mask.shape[0], 0))
        nodes = self.concept_reader()
        read = self.read(batch, nodes)
        seen = self.concept_logits(read["image"], nodes, self.setting.supervised)
        propagated = self.propagated_evidence(batch, seen)
        answers = []
        for at in range(0, len(findings), CHUNK):
            chunk = findings[at : at + CHUNK]
            near = self.neighbourhood(chunk, nodes)
            if hidden is not None:
                near = replace(near, mask=near.mask & ~hidden[at : at + CHUNK])
            answers.append(self.answer(read, nodes, chunk, propagated, near, with_attention=True))
        joined = [answer[1] for answer in answers]
        attention = {
            name: torch.cat([one.attention[name] for one in joined], 1)
            for name in (INPUTS if joined[0].attention else ())
        }
        return Output(
            logits=torch.cat([answer[0] for answer in answers], 1),
            attention=attention,
            gates=torch.cat([one.gates for one in joined], 1),
        )

    def predict_on_edges(
        self, batch: StudyBatch, findings: Sequence[tuple[str, ...]], scale: Tensor
    ) -> list[Tensor]:
        """Logits `[B, C]` on several versions of the graph; neighbourhoods stay as they are.

        Args:
            batch: The studies.
            findings: Concept ids (`C`) for each version.
            scale: Factor on the weight of each directed edge for messages and evidence,
                `[versions, E]`; 0 = no edge.
        """
        read: dict[str, Features] = {}
        logits = []
        for chosen, own in zip(findings, scale, strict=True):
            nodes = self.concept_reader(own)
            # image and text features do not depend on the graph: they are computed once
            read = read or self.read(batch, nodes)
            read = {**read, "evidence": self.read_evidence(batch, nodes)}
            seen = self.concept_logits(read["image"], nodes, self.setting.supervised)
            propagated = self.propagated_evidence(batch, seen, own)
            near = self.neighbourhood(chosen, nodes)
            logits.append(self.answer(read, nodes, chosen, propagated, near)[0])
        return logits

    def answer(
        self,
        read: dict[str, Features],
        nodes: Tensor,
        findings: tuple[str, ...],
        propagated: Tensor | None,
        neighbourhood: Neighbourhood,
        with_attention: bool = False,
    ) -> tuple[Tensor, Joined]:
        """Logits `[B, C]` and joined queries of some findings with their neighbourhoods."""
        places = self.concept_reader.places(findings)
        concepts = nodes[places]
        joined = self.join(concepts, neighbourhood, read, with_attention)
        logits = self.head(joined.queries, concepts)
        if self.options.concept_logit:
            logits = logits + self.concept_logits(read["image"], nodes, findings)
        if propagated is not None:
            logits = logits + propagated[:, places]
        return logits, joined

    def propagated_evidence(
        self, batch: StudyBatch, seen: Tensor, scale: Tensor | None = None
    ) -> Tensor | None:
        """Evidence of text and image propagated over the graph, `[B, N]`; None where it is closed.

        Args:
            batch: The studies.
            seen: Logits of the supervised concepts from the images, `[B, K]`.
            scale: Factor on the weight of each directed edge, `[E]`; None = 1.
        """
        if not self.options.propagation_steps:
            return None
        empty = seen.new_zeros(batch.image_mask.shape[0], len(self.setting.graph.concepts))
        stated = empty if batch.evidence is None else batch.evidence
        if self.image_reader is not None:
            there = batch.image_mask.any(1, keepdim=True)
            places = self.concept_reader.places(self.setting.supervised)
            empty = empty.index_copy(1, places, seen.sigmoid() * there)
        propagated: Tensor = self.spread(stated, empty, scale)
        return propagated

    def concept_logits(self, image: Features, nodes: Tensor, concepts: tuple[str, ...]) -> Tensor:
        """Dot product of the pooled study with concept directions, `[B, K]`."""
        chosen = nodes[self.concept_reader.places(concepts)]
        along = image.pooled @ self.concept_direction(chosen).T / nodes.shape[1] ** 0.5
        logits: Tensor = along + self.concept_bias(chosen).squeeze(-1)
        return logits

    def neighbourhood(self, findings: tuple[str, ...], nodes: Tensor) -> Neighbourhood:
        """Embedded graph neighbourhood of each finding."""
        index, kinds, mask = self.concept_reader.neighbourhood(findings)
        return Neighbourhood(nodes[index], kinds, mask)


class ConceptReader(nn.Module):
    """Graph encoder over the concept vectors: one embedding of the graph a step."""

    vectors: Tensor
    edges: Tensor
    kinds: Tensor
    weights: Tensor

    def __init__(self, options: ClassifierOptions, setting: Setting) -> None:
        super().__init__()
        self.setting, self.limit = setting, options.neighbourhood
        edges, kinds, weights, relations = graph_tensors(setting.graph)
        if not options.messages:
            edges, kinds, weights = edges[:, :0], kinds[:0], weights[:0]
        frozen = setting.concept_vectors
        if options.vectors == "learned":
            self.vectors = nn.Parameter(torch.randn_like(frozen) / frozen.shape[1] ** 0.5)
        else:
            self.register_buffer("vectors", frozen, persistent=True)
        for name, values in (("edges", edges), ("kinds", kinds), ("weights", weights)):
            self.register_buffer(name, values, persistent=False)
        self.project = nn.Linear(frozen.shape[1], options.width)
        self.norm = nn.LayerNorm(options.width)
        self.encoder = build(
            GRAPH_ENCODERS,
            options.message_passing,
            "message_passing",
            width=options.width,
            relations=relations,
            concepts=len(setting.graph.concepts),
        )
        self._near: dict[tuple[str, ...], tuple[Tensor, Tensor, Tensor]] = {}
        self._places: dict[tuple[str, ...], Tensor] = {}
        # cached now, so that a training step builds no index on the host
        self.neighbourhood(setting.findings)
        self.places(setting.findings)
        self.places(setting.supervised)

    def forward(self, scale: Tensor | None = None) -> Tensor:
        """Embedded concepts `[N, D]`.

        Args:
            scale: Factor on the weight of each directed edge, `[E]`, 0 = as if it were not in the
                graph; None = 1.
        """
        start = self.norm(self.project(self.vectors))
        edges, kinds, weights = self.edges, self.kinds, self.weights
        if scale is not None and len(weights):
            there = scale > 0
            edges, kinds, weights = edges[:, there], kinds[there], (weights * scale)[there]
        nodes: Tensor = self.encoder(start, edges, kinds, weights)
        return nodes

    def places(self, concepts: tuple[str, ...]) -> Tensor:
        """Index of each concept in the graph's order, cached on the device in use."""
        if concepts not in self._places:
            index = self.setting.graph.index
            self._places[concepts] = torch.tensor([index[c] for c in concepts], dtype=torch.long)
        if self._places[concepts].device != self.edges.device:
            self._places[concepts] = self._places[concepts].to(self.edges.device)
        return self._places[concepts]

    def neighbourhood(self, findings: tuple[str, ...]) -> tuple[Tensor, Tensor, Tensor]:
        """Index `[C, K]`, relation kind and mask of each finding's neighbours, cached."""
        if findings not in self._near:
            # a closed channel is one masked place
            near = neighbourhoods(self.setting.graph, findings, max(self.limit, 1))
            self._near[findings] = (near.index, near.kind, near.mask & (self.limit > 0))
        if self._near[findings][0].device != self.edges.device:
            index, kinds, mask = (part.to(self.edges.device) for part in self._near[findings])
            self._near[findings] = index, kinds, mask
        return self._near[findings]


def build(catalog: Any, choice: Part, where: str, **sizes: int) -> Any:
    """Part of a catalog, built with checked options."""
    part = catalog.load(choice.name)
    options = parse_options(part.Options, choice.options, where=f"{where}.{choice.name}")
    return part(options, **sizes)
