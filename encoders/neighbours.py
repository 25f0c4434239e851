"""Neighbour sampling: a subgraph of a large graph around the concepts of a training step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Hops", "NeighbourSampler", "Sampled"]


class Hops(NamedTuple):
    """Numbers of concepts and edges of a subgraph by distance from the seeds, nearest first.

    Args:
        concepts: Number of concepts within 0, 1, 2, ... steps.
        edges: Number of edges into concepts within 0, 1, ... steps.
    """

    concepts: tuple[int, ...]
    edges: tuple[int, ...]

    def layers(self, count: int) -> Iterator[tuple[int, int]]:
        """Numbers of concepts and edges that each of so many layers needs.

        The last layer needs the seeds alone, the layer before it concepts up to one step away, and
        so on.
        """
        for later in reversed(range(count)):
            within = min(later, len(self.edges))
            yield self.concepts[within], self.edges[min(later, len(self.edges) - 1)]


class Sampled(NamedTuple):
    """A sampled subgraph.

    Args:
        concepts: Concepts of the subgraph, the seeds first, `[n]`.
        ends: Subject and object of each edge as places in `concepts`, `[2, e]`.
        places: Index of each edge in the graph, `[e]`.
        hops: Numbers of concepts and edges by distance.
    """

    concepts: Tensor
    ends: Tensor
    places: Tensor
    hops: Hops

    def without(self, hidden: Tensor) -> Sampled:
        """The subgraph without some of the graph's edges, `[E]`."""
        kept = ~hidden[self.places]
        counts = [int(kept[:count].sum()) for count in self.hops.edges]
        hops = self.hops._replace(edges=tuple(counts))
        return Sampled(self.concepts, self.ends[:, kept], self.places[kept], hops)


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
            sizes: Largest number of edges drawn into a concept in each layer. If it has fewer, all
                are taken, else that many are drawn with replacement and duplicates dropped.
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
        hops = Hops(_sums(concepts), _sums(drawn))
        return Sampled(torch.cat(concepts), ends, self.order[places], hops)

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


def _sums(rows: Sequence[Tensor]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(len(row) for row in rows))
