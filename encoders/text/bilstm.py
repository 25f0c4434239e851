"""BiLSTM: words read forwards and backwards by an LSTM or a GRU, trained with the system.

Reference: Graves: Framewise Phoneme Classification with Bidirectional LSTM, 2005; GRU: Cho:
Learning Phrase Representations using RNN Encoder-Decoder, 2014. The vocabulary is learnt from the
training texts alone.
"""

from __future__ import annotations

from torch import Tensor, nn

from encoders.text._recurrent import BothWays, Cell
from encoders.text._words import WordEncoder, WordOptions
from kg.bounds import Few, ShareBelow1

__all__ = ["BiLSTM"]


class BiLSTM(WordEncoder):
    """Words with their section or speaker, through a recurrent network in both directions."""

    class Options(WordOptions):
        """Options of the encoder.

        Args:
            cell: Kind of recurrent network.
            layers: Number of layers.
            dropout: Share of activations dropped before each layer in training.
        """

        cell: Cell = "lstm"
        layers: Few = 1
        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.options = options
        width = options.width
        self.network = BothWays(width, width, options.cell, options.layers, options.dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        tokens = self.network(self.words(words) + self.parts(section), mask)
        made: Tensor = self.norm(tokens) * mask.unsqueeze(-1)
        return made
