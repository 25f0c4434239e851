"""Blocks of Zheng (2021): convolution with self-attention over a side, and a vector that looks."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.layers.pools import masked_softmax

__all__ = ["ConvolutionAttention", "Look"]


class ConvolutionAttention(nn.Module):
    """Dilated convolution over a sequence, and self-attention over what it gives.

    Args:
        width: Width of a token, `D`.
        dilation: Distance of the three tokens that a convolution reads.
    """

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.inner, self.outer = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """New tokens `[B, L, D]`; zeros where the mask `[B, L]` is False."""
        kept = tokens * mask[..., None]
        read = F.relu(self.inner(self.convolution(kept.transpose(1, 2)).transpose(1, 2)))
        scores = self.query(read) @ self.key(read).transpose(1, 2) / read.shape[2] ** 0.5
        attended = masked_softmax(scores, mask[:, None]) @ self.value(read)
        made: Tensor = self.outer(kept + read + attended) * mask[..., None]
        return made


class Look(nn.Module):
    """A vector looks at tokens: bilinear attention with a learned start.

    Args:
        asks: Width of the vector that asks, `A`.
        width: Width of a token, `D`.
    """

    def __init__(self, asks: int, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(asks, width)

    def forward(self, asks: Tensor, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of tokens `[B, L, D]` by their shares, `[B, D]`, and the shares `[B, L]`."""
        scores = torch.einsum("bd,bld->bl", self.query(asks), tokens) / tokens.shape[2] ** 0.5
        shares = masked_softmax(scores, mask)
        return torch.einsum("bl,bld->bd", shares, tokens), shares
