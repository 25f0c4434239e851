"""Text vectors: a vector of each of many fixed texts, by a frozen or a trained text encoder."""

from __future__ import annotations

from torch import Tensor, nn

from encoders.batch import Text
from fusion.layers.pools import masked_mean

__all__ = ["TextVectors"]


class TextVectors(nn.Module):
    """The mean token of each text: kept for a frozen encoder, encoded in every step otherwise.

    Args:
        text: The texts, `A` of them: tokens of a frozen encoder, else words.
    """

    words: Tensor
    mask: Tensor
    section: Tensor
    tokens: Tensor | None

    def __init__(self, text: Text) -> None:
        super().__init__()
        for name in ("words", "tokens", "mask", "section"):
            self.register_buffer(name, getattr(text, name), persistent=False)

    def forward(self, places: Tensor, encoder: nn.Module | None) -> Tensor:
        """Vectors `[K, D]` of the texts at these places, `[K]`.

        Args:
            places: Which texts.
            encoder: The encoder, where it trains with the system.
        """
        mask = self.mask[places]
        if self.tokens is not None:
            return masked_mean(self.tokens[places], mask)
        assert encoder is not None
        return masked_mean(encoder(self.words[places], mask, self.section[places]), mask)
