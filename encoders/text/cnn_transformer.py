"""CNN on a transformer: convolutions of several widths over a language model's tokens (card 25).

Reference: NLP-Powered Healthcare Insights, IEEE Access 2024 (document 10529271): token states of a
BERT, parallel convolutions, maximum over the text, a linear layer; the convolutions are those of
Kim: Convolutional Neural Networks for Sentence Classification, 2014. Maximum and layer are the
system's, here `text_baseline` with `pool: max`. The paper's sizes are not known; they are options.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.text._on_tokens import OnTokens, OnTokensOptions
from kg.bounds import Few, Width
from kg.errors import InputError

__all__ = ["CNNTransformer"]


class CNNTransformer(OnTokens):
    """Parallel convolutions along the tokens of any text encoder, concatenated in every token."""

    class Options(OnTokensOptions):
        """Options of the encoder.

        Args:
            spans: Kernel sizes in tokens; the width is shared among the convolutions.
        """

        width: Width = 192
        spans: tuple[Few, ...] = (3, 4, 5)

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        if not options.spans or options.width % len(options.spans):
            raise InputError(
                f"cnn_transformer: width {options.width} is not shared by {options.spans}",
                "make width a multiple of the number of spans",
            )
        self.options = options
        each = options.width // len(options.spans)
        self.spans = nn.ModuleList(
            nn.Conv1d(self.below.width, each, span) for span in options.spans
        )

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`, none below 0; zeros where there is no word."""
        along = self.tokens(words, mask, section).transpose(1, 2)
        made = torch.cat([span(_padded(along, span)) for span in self.spans], dim=1).relu()
        return made.transpose(1, 2) * mask.unsqueeze(-1)


def _padded(along: Tensor, span: nn.Module) -> Tensor:
    """Rows padded with zeros on both sides, so that a convolution keeps their length."""
    wide = int(span.kernel_size[0]) - 1  # type: ignore[index]
    return F.pad(along, (wide // 2, wide - wide // 2))
