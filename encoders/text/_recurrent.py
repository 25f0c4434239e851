"""A bidirectional recurrent network over padded rows, without packing by length."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from kg.errors import InputError

Cell = Literal["lstm", "gru"]
CELLS: dict[Cell, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}


class BothWays(nn.Module):
    """Layers of a forward and a backward network, concatenated in every token.

    Padding comes after the words of a row, so that it never reaches a word: the backward network
    reads each row's words in reverse and its padding last.

    Args:
        reads: Width of the input tokens.
        width: Width of the output tokens, half of it from each direction.
        cell: Kind of network.
        layers: Number of layers.
        dropout: Share of activations dropped between layers in training.
    """

    def __init__(self, reads: int, width: int, cell: Cell, layers: int, dropout: float) -> None:
        super().__init__()
        if width % 2:
            raise InputError(f"a width of {width} cannot be halved", "make width even")
        kind, half = CELLS[cell], width // 2
        sizes = [reads, *[width] * (layers - 1)]
        self.forwards = nn.ModuleList(kind(size, half, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(kind(size, half, batch_first=True) for size in sizes)
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """`[B, T, reads]` and `[B, T]` to `[B, T, width]`; zeros where there is no word."""
        place = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
        last = mask.sum(1, keepdim=True) - 1
        turned = torch.where(mask, last - place, place).unsqueeze(-1)
        for onwards, back in zip(self.forwards, self.backwards, strict=True):
            tokens = self.drop(tokens)
            reverse = tokens.gather(1, turned.expand_as(tokens))
            seen, foreseen = onwards(tokens)[0], back(reverse)[0]
            foreseen = foreseen.gather(1, turned.expand_as(foreseen))
            tokens = torch.cat((seen, foreseen), dim=2)
        return tokens * mask.unsqueeze(-1)
