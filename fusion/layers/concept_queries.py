"""Concept queries: a query of each concept from its definition, or from a control of it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from encoders.graph_arrays import CLINICAL
from fusion.layers.text_vectors import TextVectors
from fusion.system import Setting
from kg.errors import InputError, did_you_mean

__all__ = ["Arm", "ConceptQueries", "Unstated", "draw_concepts", "stated"]

Arm = Literal["definitions", "names", "permuted", "random", "learned"]
"""What concepts are asked by."""

Unstated = Literal["left_out", "absent"]
"""What a report does not name: no target, or absent."""

NEIGHBOURS = 4
"""Most neighbours of a concept that an aspect names."""


class ConceptQueries(nn.Module):
    """Queries of concepts, from vectors of their texts (MedKLIP, KAD), with the controls.

    Args:
        setting: Graph, and texts of its concepts.
        width: Width of a query.
        arm: What the vector of a concept is: that of its `definitions` or `names`, of the
            definition of another concept (`permuted`), `random`, or `learned`.
        aspects: Relations; each adds a query from the names of the concept's neighbours by it, or
            of the concept where it has none.

    Raises:
        InputError: If there is no such relation, or no text encoder.
    """

    kept: Tensor
    order: Tensor
    near: Tensor
    there: Tensor

    def __init__(
        self, setting: Setting, width: int, arm: Arm, aspects: tuple[str, ...] = ()
    ) -> None:
        super().__init__()
        if setting.texts is None or not setting.text_width:
            raise InputError("queries of concepts need a text encoder", "set text.encoder")
        self.setting = setting
        self.arm, self.each = arm, 1 + len(aspects)
        count = len(setting.graph.concepts)
        # the initial seed of the process is the run's: chance is drawn anew with every seed
        generator = torch.Generator().manual_seed(torch.initial_seed() % 2**63)
        texts = setting.texts.names if arm == "names" else setting.texts.definitions
        self.texts = TextVectors(texts)
        permuted = torch.randperm(count, generator=generator)
        order = permuted if arm == "permuted" else torch.arange(count)
        self.register_buffer("order", order)
        drawn = torch.randn(count, setting.text_width, generator=generator)
        if arm == "learned":
            self.kept = nn.Parameter(drawn)
        else:
            self.register_buffer("kept", drawn)
        self.aspects = TextVectors(setting.texts.names) if aspects else None
        near, there = _neighbours(setting, aspects)
        self.register_buffer("near", near, persistent=False)
        self.register_buffer("there", there, persistent=False)
        self.norm = nn.LayerNorm(setting.text_width)
        self.project = nn.Linear(setting.text_width, width)

    def forward(self, concepts: Tensor, encoder: nn.Module | None) -> Tensor:
        """Queries of concepts, `[K, 1 + aspects, D]`.

        Args:
            concepts: Their places in the graph, `[K]`.
            encoder: The text encoder, where it trains with the system.
        """
        if self.arm in ("random", "learned"):
            vectors = self.kept[concepts]
        else:
            vectors = self.texts(self.order[concepts], encoder)
        every = vectors[:, None]
        if self.aspects is not None:
            near, there = self.near[concepts], self.there[concepts]
            named = self.aspects(near.flatten(), encoder).unflatten(0, near.shape)
            named = named * there[..., None]
            every = torch.cat([every, named.sum(2) / there.sum(2, keepdim=True)], 1)
        made: Tensor = self.project(self.norm(every))
        return made

    def known(self, finding: str) -> bool:
        """Whether a finding can be asked that no label taught."""
        names = self.setting.supervised if self.arm == "learned" else self.setting.graph.index
        return finding in names

    def index(self, findings: tuple[str, ...]) -> Tensor:
        """Places of findings in the graph, `[C]`."""
        places = [self.setting.graph.index[finding] for finding in findings]
        return torch.tensor(places, dtype=torch.long, device=self.order.device)


def stated(batch: StudyBatch, concepts: int, unstated: Unstated) -> Tensor:
    """What reports say of each concept, `[B, N]`: 1, 0, or NaN.

    Args:
        batch: The studies.
        concepts: Number of concepts of the graph.
        unstated: Whether a concept that a report does not name is left out, or absent.
    """
    nothing = batch.targets.new_full((len(batch.ids), concepts), float("nan"))
    if unstated == "absent":
        return nothing if batch.concept_targets is None else batch.concept_targets
    if batch.statements is None:
        return nothing
    of = batch.statements

    def said(assertion: float) -> Tensor:
        counted = (of.mask & (of.assertion == assertion)).to(nothing)
        zeros = torch.zeros_like(nothing)
        return zeros.scatter_add(1, of.concept.clamp_min(0), counted) > 0

    # what is present in one sentence is not absent because of another
    return nothing.masked_fill(said(-1.0), 0.0).masked_fill(said(1.0), 1.0)


def draw_concepts(asked: Tensor, targets: Tensor, size: int) -> Tensor:
    """Concepts that a step asks, `[K]`: those first that a report of the batch states.

    Args:
        asked: Places of the concepts that may be drawn.
        targets: What reports say of each concept, `[B, N]`, NaN = nothing.
        size: Most concepts of a step.
    """
    told = (~targets[:, asked].isnan()).any(0)
    order = told + torch.rand(len(told), device=targets.device)
    return asked[order.topk(min(size, len(order))).indices]


def _neighbours(setting: Setting, relations: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Neighbours of each concept by each relation, `[N, A, NEIGHBOURS]`, and whether they are."""
    graph = setting.graph
    unknown = set(relations) - set(CLINICAL)
    if unknown:
        raise InputError(
            f"aspects: no relation is called {min(unknown)!r}",
            did_you_mean(min(unknown), CLINICAL),
        )
    shape = (len(graph.concepts), len(relations), NEIGHBOURS)
    near = torch.arange(shape[0])[:, None, None].repeat(1, *shape[1:])
    there = torch.zeros(shape)
    there[..., 0] = 1.0
    filled: dict[tuple[int, int], int] = {}
    for edge in graph.edges:
        if edge.relation in relations:
            key = graph.index[edge.subject], relations.index(edge.relation)
            at = filled.get(key, 0)
            if at < NEIGHBOURS:
                near[(*key, at)], there[(*key, at)] = graph.index[edge.object], 1.0
                filled[key] = at + 1
    return near, there
