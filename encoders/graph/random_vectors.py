"""Random vectors: fixed random concept vectors, without names or graph (control)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.neighbours import Hops
from kg.bounds import Seed
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["RandomVectors"]


class RandomVectors(nn.Module):
    """Standard normal vectors, one for each concept, drawn once from a seed and never trained.

    They belong to one graph's list of concepts, so another graph is refused.
    """

    inductive = False

    class Options(BaseOptions):
        """Options of the control.

        Args:
            seed: Seed of the vectors.
        """

        seed: Seed = 0

    def __init__(self, options: Options, *, width: int, relations: int, concepts: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(options.seed)
        self.vectors: Tensor
        self.register_buffer("vectors", torch.randn(concepts, width, generator=generator))

    def forward(
        self,
        nodes: Tensor,
        edges: Tensor,
        kinds: Tensor,
        weights: Tensor,
        hops: Hops | None = None,
    ) -> Tensor:
        """The fixed vectors `[N, D]`.

        Raises:
            InputError: If the graph has another number of concepts.
        """
        if nodes.shape[0] != self.vectors.shape[0]:
            raise InputError(
                f"random vectors were drawn for {self.vectors.shape[0]} concepts, "
                f"the graph has {nodes.shape[0]}",
                "use the graph of the run, or a graph encoder that reads names and edges",
            )
        return self.vectors
