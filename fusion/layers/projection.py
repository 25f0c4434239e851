"""Projection head: a perceptron into the embedding space shared by images and texts."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MLP

__all__ = ["Projection"]


class Projection(nn.Module):
    """Linear layers with ReLU between them, to vectors of unit length.

    Args:
        width: Input width.
        out: Width of the shared space.
        hidden: Widths of the layers between; none makes it linear.
        norm: Normalisation after each of these, for example `nn.BatchNorm1d`; None = none.
    """

    def __init__(
        self,
        width: int,
        out: int,
        hidden: tuple[int, ...] = (),
        norm: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.layers = MLP(width, [*hidden, out], norm_layer=norm)

    def forward(self, pooled: Tensor) -> Tensor:
        """`[..., width]` to `[..., out]` of unit length."""
        return F.normalize(self.layers(pooled), dim=-1)
