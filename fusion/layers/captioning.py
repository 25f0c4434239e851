"""Captioning: an LSTM with attention over the image for every word."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from fusion.layers.generation import Generated, State, generate
from fusion.layers.pools import masked_softmax

__all__ = ["AttentionDecoder", "Decoded"]


class Decoded(NamedTuple):
    """Output of a decoder for a given text.

    Args:
        logits: Logits of the word after each given one, `[B, T, W]`.
        states: Hidden state after each given word, `[B, T, H]`.
        attention: Attention over the image, `[B, T, S]`; zeros where there is none.
    """

    logits: Tensor
    states: Tensor
    attention: Tensor


class AttentionDecoder(nn.Module):
    """LSTM with soft attention over image tokens (Show, Attend and Tell, Xu 2015).

    Args:
        vocabulary: Number of words, `W`; 0 is padding.
        width: Width of an image token, `D`.
        hidden: Width of the state, `H`.
        words: Width of a word.
        dropout: Dropout before the output layer.
    """

    def __init__(
        self, vocabulary: int, width: int, *, hidden: int, words: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, words, padding_idx=0)
        self.initial = nn.Linear(width, 2 * hidden)
        self.key = nn.Linear(width, hidden)
        self.query = nn.Linear(hidden, hidden)
        self.score = nn.Linear(hidden, 1)
        self.gate = nn.Linear(hidden, width)
        self.cell = nn.LSTMCell(words + width, hidden)
        self.output = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, vocabulary))

    def forward(self, tokens: Tensor, mask: Tensor, words: Tensor) -> Decoded:
        """Decode a given text over an image (teacher forcing).

        Args:
            tokens: Image tokens, `[B, S, D]`.
            mask: True where there is one, `[B, S]`.
            words: The word before the first one, then the text, `[B, T]`.
        """
        state = self.start(tokens, mask)
        states, attention = [], []
        for word in self.embed(words).unbind(1):
            weights, state = self._attend(word, state)
            states.append(state[0])
            attention.append(weights)
        hidden = torch.stack(states, 1)
        return Decoded(self.output(hidden), hidden, torch.stack(attention, 1))

    def start(self, tokens: Tensor, mask: Tensor) -> State:
        """Hidden and cell state `[B, H]` at the start of a text, with its image."""
        real = mask[..., None]
        mean = (tokens * real).sum(1) / real.sum(1).clamp_min(1)
        hidden, cell = self.initial(mean).tanh().chunk(2, -1)
        return hidden, cell, tokens, self.key(tokens), mask

    def step(self, words: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits `[B, W]` of the next words after `[B]`, and the next state."""
        _, state = self._attend(self.embed(words), state)
        return self.output(state[0]), state

    def write(
        self,
        tokens: Tensor,
        mask: Tensor,
        *,
        ends: tuple[int, int],
        limit: int,
        beams: int = 1,
        never: tuple[int, ...] = (0,),
    ) -> Generated:
        """Write a text of at most `limit` words about each image; see `generate`."""
        state = self.start(tokens, mask)
        return generate(self.step, state, ends=ends, limit=limit, beams=beams, never=never)

    def _attend(self, word: Tensor, state: State) -> tuple[Tensor, State]:
        """Attention `[B, S]` for a word `[B, E]`, and the state after it."""
        hidden, cell, tokens, keys, mask = state
        scores = self.score((keys + self.query(hidden)[:, None]).relu())[..., 0]
        weights = masked_softmax(scores, mask)
        context = self.gate(hidden).sigmoid() * (weights[:, None] @ tokens)[:, 0]
        hidden, cell = self.cell(torch.cat([word, context], -1), (hidden, cell))
        return weights, (hidden, cell, tokens, keys, mask)
