"""Shared by decoders: relation vectors, and complex numbers as pairs of real ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kg.errors import InputError


def relation_vectors(relations: int, width: int, *, middle: float = 0.0) -> nn.Parameter:
    """Normal numbers of deviation 0.1 around `middle`, `[R, D]`."""
    return nn.Parameter(middle + 0.1 * torch.randn(relations, width))


def moduli(vectors: Tensor) -> Tensor:
    """Moduli of complex numbers written as real halves then imaginary halves, `[..., D / 2]`."""
    real, imaginary = vectors.chunk(2, dim=-1)
    return (real.square() + imaginary.square() + 1e-12).sqrt()


def turned(vectors: Tensor, factors: Tensor) -> Tensor:
    """Product of complex numbers, each written as real halves then imaginary halves."""
    (a, b), (c, d) = vectors.chunk(2, dim=-1), factors.chunk(2, dim=-1)
    return torch.cat((a * c - b * d, a * d + b * c), dim=-1)


def conjugate(vectors: Tensor) -> Tensor:
    """Complex conjugates of complex numbers written as real halves then imaginary halves."""
    real, imaginary = vectors.chunk(2, dim=-1)
    return torch.cat((real, -imaginary), dim=-1)


def check_even(name: str, width: int) -> None:
    """Refuse a width that complex numbers cannot fill.

    Raises:
        InputError: If it is odd.
    """
    if width % 2:
        raise InputError(f"{name}: complex numbers cannot fill a width of {width}", "make it even")
