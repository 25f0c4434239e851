"""Neighbour sampling: a part of a large graph around the concepts a training step asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["NeighbourSampler", "Sampled"]


class Sampled(NamedTuple):
    """A part of a graph.

    Args:
        concepts: Concepts of the part, those asked for first, `[n]`.
        ends: Subject and object of each edge as places in `concepts`, `[2, e]`.
        places: Which of the graph's edges each one is, `[e]`.
    """

    concepts: Tensor
    ends: Tensor
    places: Tensor


class NeighbourSampler:
    """Draws neighbours from edges sorted by the concept they lead to (compressed rows).

    torch-geometric's own loader needs compiled extras; this needs torch alone.

    Args:
        ends: Subject and object of each directed edge, `[2, E]`.
        count: Number of concepts (`N`).
    """

    def __init__(self, ends: Tensor, count: int) -> None:
        subjects, objects = ends
        self.count = count
        self.order = objects.argsort(stable=True)
        self.subjects = subjects[self.order]
        self.degrees = torch.bincount(objects, minlength=count)
        self.starts = self.degrees.cumsum(0) - self.degrees

    def sample(self, seeds: Tensor, sizes: Sequence[int], generator: torch.Generator) -> Sampled:
        """Draw neighbours of the seeds, then neighbours of those, a layer for each of `sizes`.

        Args:
            seeds: Different concepts, `[b]`.
            sizes: Most edges drawn into a concept in each layer. Where it has fewer all are taken,
                else that many are drawn with replacement and doubles dropped.
            generator: Source of the draws.
        """
        reached = torch.full((self.count,), -1)
        reached[seeds] = torch.arange(len(seeds))
        concepts, frontier, drawn = [seeds], seeds, []
        total = len(seeds)
        for size in sizes:
            places = self._into(frontier, size, generator)
            drawn.append(places)
            found = torch.unique(self.subjects[places])
            frontier = found[reached[found] < 0]
            reached[frontier] = total + torch.arange(len(frontier))
            total += len(frontier)
            concepts.append(frontier)
        # a concept is on the frontier once, so no edge is drawn in two layers
        places = torch.cat(drawn)
        ends = torch.stack((reached[self.subjects[places]], reached[self._objects(places)]))
        return Sampled(torch.cat(concepts), ends, self.order[places])

    def _into(self, concepts: Tensor, size: int, generator: torch.Generator) -> Tensor:
        """Places, in sorted order, of the edges drawn into these concepts."""
        degrees, starts = self.degrees[concepts], self.starts[concepts]
        few = degrees <= size
        rows = torch.repeat_interleave(starts[few] - degrees[few].cumsum(0) + degrees[few],
                                       degrees[few])  # fmt: skip
        every = rows + torch.arange(len(rows))
        chance = torch.rand(int((~few).sum()), size, generator=generator, dtype=torch.float64)
        some = starts[~few].unsqueeze(1) + (chance * degrees[~few].unsqueeze(1)).long()
        drawn: Tensor = torch.unique(torch.cat((every, some.flatten())))
        return drawn

    def _objects(self, places: Tensor) -> Tensor:
        """Concept that each edge, in sorted order, leads to."""
        return torch.searchsorted(self.starts + self.degrees, places, right=True)
