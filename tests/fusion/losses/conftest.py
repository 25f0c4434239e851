"""Random rows in double precision for the losses."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def draw() -> Callable[..., Tensor]:
    """Standard normal numbers, the same in every run, that may be differentiated."""
    generator = torch.Generator().manual_seed(3)

    def give(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator, requires_grad=True)

    return give
