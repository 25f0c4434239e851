"""Evidence propagation: statements of the text and predictions of the image over the graph.

A concept that no text names is likelier where concepts beside it in the graph are stated: a blunted
costophrenic angle speaks for an effusion. Evidence follows the edges of the graph with a learned
weight for each kind of relation. The weights are the same for every finding, so they hold for
findings that were never trained too. Own design; random walks with restart on a graph (Page 1999)
are its fixed form.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.graph_arrays import KINDS, graph_tensors
from kg.model.graph import KnowledgeGraph

__all__ = ["PropagationPrior", "EvidencePropagation"]

AGAINST = ("disjoint_with", "evidence_against")
"""Relations along which a present concept is evidence against the other."""

START = 0.5
"""Initial weight of a kind of relation; along `AGAINST` its negative."""

GAIN = 4.0
"""Initial logit of one unit of evidence."""

TINY = 1e-6
"""Standard deviation, in logits, below which a concept counts as not reached."""


class EvidencePropagation(nn.Module):
    """Evidence on all concepts, propagated some steps over the edges.

    Args:
        graph: The graph; bookkeeping edges are not used.
        steps: Number of steps; 0 leaves the evidence on the stated concepts.
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
        # one gain each for present statements, absent ones, and predictions of the image
        self.gain = nn.Parameter(torch.ones(3))

    def forward(self, stated: Tensor, seen: Tensor, scale: Tensor | None = None) -> Tensor:
        """Logits to add to each concept, `[B, N]`.

        Args:
            stated: 1 present, 0.5 uncertain, -1 absent, 0 not stated, `[B, N]`.
            seen: Probability of each concept from the image, 0 where unknown, `[B, N]`.
            scale: Factor on the weight of each directed edge, `[E]`; None = 1.
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


class PropagationPrior(EvidencePropagation):
    """Untrained evidence propagation that is added to trained logits.

    Learned with the rest, propagation has little effect: a network explains its few training
    studies without the graph. Here the weights keep their initial values, propagated evidence is
    standardised by its mean and deviation over the training studies, and training never sees it.
    One weight, the same for every concept and chosen on validation, adds it to the logits: a
    product of experts (Hinton 2002) of which one was trained.

    Args:
        graph: The graph.
        steps: Number of steps.
    """

    middle: Tensor
    unit: Tensor
    weight: Tensor

    def __init__(self, graph: KnowledgeGraph, steps: int) -> None:
        super().__init__(graph, steps)
        self.requires_grad_(False)
        self.register_buffer("middle", torch.zeros(len(graph.concepts)))
        # a concept that evidence never reached gets no prior
        self.register_buffer("unit", torch.full((len(graph.concepts),), float("inf")))
        self.register_buffer("weight", torch.zeros(()))

    def fit(self, stated: Tensor) -> None:
        """Set mean and standard deviation from statements of the training studies `[S, N]`."""
        arrived = super().forward(stated, torch.zeros_like(stated))
        unit = arrived.std(0, correction=0)
        self.middle.copy_(arrived.mean(0))
        self.unit.copy_(torch.where(unit > TINY, unit, float("inf")))

    def forward(self, stated: Tensor, seen: Tensor, scale: Tensor | None = None) -> Tensor:
        """Logits to add to each concept, `[B, N]`, 0 in training; see the base class."""
        if self.training:
            return torch.zeros_like(stated)
        arrived = super().forward(stated, torch.zeros_like(seen), scale)
        return self.weight * (arrived - self.middle) / self.unit
