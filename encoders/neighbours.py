"""Neighbour sampling: a part of a large graph around the concepts a training step asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Hops", "NeighbourSampler", "Sampled"]


class Hops(NamedTuple):
    """How far from the concepts asked for those of a part are, nearest first, and its edges.

    Args:
        concepts: Number of concepts within 0, 1, 2, ... steps.
        edges: Number of edges into concepts within 0, 1, ... steps.
    """

    concepts: tuple[int, ...]
    edges: tuple[int, ...]

    def layers(self, count: int) -> Iterator[tuple[int, int]]:
        """For each of so many layers the concepts worth embedding, and the edges into them.

        What the last layer says of any but the concepts asked for is read by nobody, what the
        layer before says only by what is one step away, and so on.
        """
        for later in reversed(range(count)):
            within = min(later, len(self.edges))
            yield self.concepts[within], self.edges[min(later, len(self.edges) - 1)]


class Sampled(NamedTuple):
    """A part of a graph.

    Args:
        concepts: Concepts of the part, those asked for first, `[n]`.
        ends: Subject and object of each edge as places in `concepts`, `[2, e]`.
        places: Which of the graph's edges each one is, `[e]`.
        hops: How far away they are.
    """

    concepts: Tensor
    ends: Tensor
    places: Tensor
    hops: Hops

    def without(self, hidden: Tensor) -> Sampled:
        """The part without some of the graph's edges, `[E]`."""
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


def _sums(parts: Sequence[Tensor]) -> tuple[int, ...]:
    return tuple(itertools.accumulate(len(part) for part in parts))
