"""Pooling of tokens into one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SelfAttentivePool", "masked_max", "masked_mean", "masked_softmax"]


class SelfAttentivePool(nn.Module):
    """Self-attentive pooling with several heads (Lin 2017), joined by their maximum.

    The attention-encoded text embedding of TieNet (Wang 2018).

    Args:
        width: Width of a token, `D`.
        hidden: Width of the hidden layer.
        heads: Number of heads, `r`.
    """

    def __init__(self, width: int, hidden: int = 128, heads: int = 5) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(width, hidden, bias=False), nn.Tanh(), nn.Linear(hidden, heads, bias=False)
        )

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pool tokens `[B, T, D]` with mask `[B, T]`.

        Returns:
            One vector a study, `[B, D]`, and each head's weights of the tokens, `[B, r, T]`; zeros
            where there is no token.
        """
        weights = masked_softmax(self.score(tokens).transpose(1, 2), mask[:, None])
        return (weights @ tokens).amax(1), weights


def masked_softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over unmasked places of a dimension; zeros where all are masked.

    Args:
        scores: Of any shape.
        mask: True where there is something; broadcastable.
        dim: The dimension.
    """
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(dim) * mask


def masked_max(tokens: Tensor, mask: Tensor) -> Tensor:
    """Largest value of each channel of `[B, L, D]` over unmasked tokens, `[B, D]`."""
    largest = tokens.masked_fill(~mask[..., None], float("-inf")).amax(1)
    return largest.masked_fill(~mask.any(1, keepdim=True), 0.0)


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """Mean of `[B, L, D]` over unmasked tokens, `[B, D]`; zeros where all are masked."""
    total = (tokens * mask[..., None]).sum(1)
    return total / mask.sum(1, keepdim=True).clamp_min(1)
