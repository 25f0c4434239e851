"""BiLSTM on a transformer: a recurrent network over a language model's tokens (survey card 25).

Reference: NLP-Powered Healthcare Insights, IEEE Access 2024 (document 10529271): token states of a
BERT, a BiLSTM, a linear layer. The layer is the system's, here `text_baseline` with `pool: ends`.
The paper's sizes are not known; width, cell and layers are options.
"""

from __future__ import annotations

from torch import Tensor

from encoders.text._on_tokens import OnTokens, OnTokensOptions
from encoders.text._recurrent import BothWays, Cell
from kg.bounds import Few

__all__ = ["BiLSTMTransformer"]


class BiLSTMTransformer(OnTokens):
    """A BiLSTM or BiGRU over the tokens of any text encoder."""

    class Options(OnTokensOptions):
        """Options of the encoder.

        Args:
            cell: Kind of recurrent network.
            layers: Number of layers.
        """

        cell: Cell = "lstm"
        layers: Few = 1

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.options = options
        self.network = BothWays(
            self.below.width, options.width, options.cell, options.layers, options.dropout
        )

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        made: Tensor = self.network(self.tokens(words, mask, section), mask)
        return made
