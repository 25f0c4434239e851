"""Hidden words: some words of each text masked, for a model to tell them (BERT, Devlin 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.text import Vocabulary
from fusion.losses.sequence_cross_entropy import sequence_cross_entropy

__all__ = ["WordHead", "hide_words"]


class WordHead(nn.Sequential):
    """Head that predicts words from states, as in BERT.

    Args:
        width: Width of a state, `D`.
        words: Number of words, `W`.
    """

    def __init__(self, width: int, words: int) -> None:
        super().__init__(
            nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, words)
        )

    def loss(self, states: Tensor, words: Tensor, hidden: Tensor) -> Tensor:
        """Mean cross-entropy of the hidden words; zero where none is hidden.

        Args:
            states: `[B, T, D]`.
            words: Word ids before any was hidden, `[B, T]`.
            hidden: True where one was, `[B, T]`.
        """
        logits, truth = self(states[hidden]), words[hidden]
        return sequence_cross_entropy(logits[None], truth[None], hidden[hidden][None])


def hide_words(
    words: Tensor,
    mask: Tensor,
    vocabulary: Vocabulary,
    *,
    rate: float = 0.15,
    masked: float = 0.8,
    replaced: float = 0.1,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Hide words at random.

    Args:
        words: Word ids, `[B, T]`.
        mask: True where a word may be hidden, `[B, T]`.
        vocabulary: Its mark of a hidden word, and its size.
        rate: Chance of a word to be chosen.
        masked: Share of the chosen that become that mark.
        replaced: Share that become any word of the vocabulary; the others stay as they are.
        generator: Source of the draws; None = that of the run.

    Returns:
        The words as a model may read them, and True where one was chosen, `[B, T]` each.
    """
    chance, fate = (
        torch.rand(words.shape, generator=generator, device=words.device) for _ in range(2)
    )
    other = torch.randint(
        vocabulary.size, words.shape, generator=generator, device=words.device
    ).to(words.dtype)
    chosen = mask & (chance < rate)
    shown = words.masked_fill(chosen & (fate < masked), vocabulary.mask)
    return shown.where(~(chosen & (fate >= masked) & (fate < masked + replaced)), other), chosen
