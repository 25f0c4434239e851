"""Spread: what a study states, and what its pictures let one expect, carried over the graph.

A concept that no text names is likelier where concepts beside it in the graph are stated: a blunted
costophrenic angle speaks for an effusion. The graph says along which edges; how much each kind of
relation carries is learned, and is the same for every finding, so it holds for findings that were
never trained too. Own design; random walks with restart on a graph (Page 1999) are its fixed form.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.graph_arrays import KINDS, graph_tensors
from kg.model.graph import KnowledgeGraph

__all__ = ["Prior", "Spread"]

AGAINST = ("disjoint_with", "evidence_against")
"""Relations along which a concept that is present speaks against the other."""

START = 0.5
"""What a kind of relation carries on at first; along `AGAINST` its negative."""

GAIN = 4.0
"""Logit of one whole unit of evidence at first."""

TINY = 1e-6
"""Standard deviation, in logits, below which nothing arrives at a concept."""


class Spread(nn.Module):
    """Evidence on all concepts carried some steps over the edges.

    Args:
        graph: The graph whose edges carry it; bookkeeping never does.
        steps: Number of steps; 0 leaves the evidence where it was stated.
    """

    ends: Tensor
    kinds: Tensor
    share: Tensor

    def __init__(self, graph: KnowledgeGraph, steps: int) -> None:
        super().__init__()
        self.steps = steps
        edges, kinds, weights, relations = graph_tensors(graph)
        degree = torch.zeros(len(graph.concepts)).index_add(0, edges[0], weights).clamp_min(1e-9)
        share = weights / (degree[edges[0]] * degree[edges[1]]).sqrt()
        for name, values in (("ends", edges), ("kinds", kinds), ("share", share)):
            self.register_buffer(name, values, persistent=False)
        start = torch.full((relations,), START)
        against = [KINDS.index(kind) for kind in KINDS if kind.split()[-1] in AGAINST]
        start[against] = -START
        self.carried = nn.Parameter(start)
        # present and absent statements, and what the pictures let expect, each with its own
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, stated: Tensor, seen: Tensor, scale: Tensor | None = None) -> Tensor:
        """Logits to add to each concept, `[B, N]`.

        Args:
            stated: 1 present, 0.5 uncertain, -1 absent, 0 not stated, `[B, N]`.
            seen: Chance of each concept from the pictures, in [0, 1], 0 where unknown, `[B, N]`.
            scale: How much of each directed edge is there, `[E]`; None = all of it.
        """
        start = torch.stack([stated.clamp_min(0), stated.clamp_max(0), seen])
        now = total = start.flatten(0, 1).T.contiguous()  # a row a concept
        subjects, objects = self.ends
        weight = (self.share * self.carried[self.kinds]).unsqueeze(1)
        if scale is not None:
            weight = weight * scale.unsqueeze(1)
        for _ in range(self.steps):
            now = torch.zeros_like(now).index_add(
                0, objects, now.index_select(0, subjects) * weight
            )
            total = total + now
        return torch.einsum("s,nsb->bn", GAIN * self.gain, total.view(-1, *start.shape[:2]))


class Prior(Spread):
    """What the graph makes of statements before anything is trained, added to trained answers.

    Learned with the rest, the spread is drowned: a network explains its few training studies
    without the graph, and nothing is left for the edges to tell. Here strengths stay as they start,
    what arrives at a concept is put in units of its standard deviation over the training studies,
    and training never sees it; one weight, the same for every concept and chosen on validation,
    adds it to the logits: a product of experts (Hinton 2002) of which one was trained.

    Args:
        graph: The graph whose edges carry it.
        steps: Number of steps.
    """

    middle: Tensor
    unit: Tensor
    weight: Tensor

    def __init__(self, graph: KnowledgeGraph, steps: int) -> None:
        super().__init__(graph, steps)
        self.requires_grad_(False)
        self.register_buffer("middle", torch.zeros(len(graph.concepts)))
        # a concept nothing ever arrived at says nothing
        self.register_buffer("unit", torch.full((len(graph.concepts),), float("inf")))
        self.register_buffer("weight", torch.zeros(()))

    def fit(self, stated: Tensor) -> None:
        """Take mean and standard deviation of what arrives from training statements `[S, N]`."""
        arrived = super().forward(stated, torch.zeros_like(stated))
        unit = arrived.std(0, correction=0)
        self.middle.copy_(arrived.mean(0))
        self.unit.copy_(torch.where(unit > TINY, unit, float("inf")))

    def forward(self, stated: Tensor, seen: Tensor, scale: Tensor | None = None) -> Tensor:
        """Logits to add to each concept, `[B, N]`, 0 in training; arguments as of `Spread`."""
        if self.training:
            return torch.zeros_like(stated)
        arrived = super().forward(stated, torch.zeros_like(seen), scale)
        return self.weight * (arrived - self.middle) / self.unit
