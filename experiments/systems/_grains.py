"""Blocks of AlignTransformer (You 2021): grains of tags and regions, and a decoder over them.

Words attend to each grain and gates mix what they see (meshed-memory transformer, Cornia 2020); a
memory of the words so far steers the layer normalisation (R2Gen, Chen 2020).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.heads import check_heads
from encoders.text import Vocabulary
from encoders.text._words import ignored_padding
from fusion.layers.generation import State
from fusion.layers.text_decoder import WordDecoder, later_words

__all__ = [
    "ConditionalNorm",
    "GatedGrains",
    "HierarchicalAlignment",
    "MultiGrainedDecoder",
    "RelationalMemory",
]

SLOTS = 3
"""Vectors of the memory, `M`, as in R2Gen."""


class HierarchicalAlignment(nn.Module):
    """Tags look at regions, and what they see looks back at the tags, which then look again.

    Args:
        width: Width of tags and regions, `D`.
        steps: Number of steps, `N`.
        heads: Attention heads.
    """

    def __init__(self, width: int, steps: int, heads: int) -> None:
        super().__init__()
        check_heads("align_transformer", width, heads)
        self.look, self.back = (
            nn.ModuleList(Attention(width, heads) for _ in range(steps)) for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(steps))

    def forward(self, tags: Tensor, regions: Tensor, mask: Tensor) -> Tensor:
        """Grain of each step, `[B, N, K, D]`.

        Args:
            tags: Vectors of tags, `[B, K, D]`.
            regions: Image tokens, `[B, S, D]`.
            mask: True where there is one, `[B, S]`; a row without any reads the first as it is.
        """
        grains, ignored = [], ignored_padding(mask)
        for look, back, norm in zip(self.look, self.back, self.norms, strict=True):
            seen = look(tags, regions, ignored)
            tags = back(seen, tags)
            grains.append(norm(seen + tags))
        return torch.stack(grains, 1)


class Attention(nn.Module):
    """Multi-head attention, added to the query and normalised.

    Args:
        width: Width of a token.
        heads: Attention heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)

    def forward(self, query: Tensor, tokens: Tensor, ignored: Tensor | None = None) -> Tensor:
        """New state of a query `[B, K, D]` that saw tokens `[B, S, D]`."""
        seen, _ = self.attend(query, tokens, tokens, key_padding_mask=ignored, need_weights=False)
        updated: Tensor = self.norm(query + seen)
        return updated


class MultiGrainedDecoder(WordDecoder):
    """Transformer decoder over grains of an image.

    Args:
        vocabulary: Words that are written, `W` of them.
        width: Width of words and grains, `D`.
        grains: Number of grains, `N`.
        layers: Number of layers.
        heads: Attention heads of a layer, and of the memory.
        limit: Largest number of words of a text.
        dropout: Dropout in the layers.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        width: int,
        *,
        grains: int,
        layers: int,
        heads: int,
        limit: int,
        dropout: float = 0.0,
    ) -> None:
        check_heads("align_transformer", width, heads)
        super().__init__(vocabulary, width, limit)
        self.memory = RelationalMemory(width, heads)
        self.layers = nn.ModuleList(
            GrainedLayer(width, grains, heads=heads, dropout=dropout) for _ in range(layers)
        )
        self.output = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, vocabulary.size))

    def forward(self, tokens: Tensor, mask: Tensor, words: Tensor) -> Tensor:
        """Logits of the word after each given one, `[B, T, W]`.

        Args:
            tokens: Grains of each image, `[B, N, K, D]`.
            mask: True where there is an image token, `[B, S]`; not read here.
            words: The word before the first one, then the text, `[B, T]`.
        """
        vectors = self.embed(words)
        memory = self.memory(vectors)
        states = vectors + self.place[: words.shape[1]]
        for layer in self.layers:
            states, _ = layer(states, tokens, memory)
        logits: Tensor = self.output(states)
        return logits

    def _start(self, tokens: Tensor, mask: Tensor) -> State:
        """Memory, grains, and of each layer the words that later ones attend to."""
        none = tokens.new_zeros(len(tokens), 0, tokens.shape[-1])
        memory = self.memory.initial.expand(len(tokens), -1, -1)
        return (memory, tokens, *[none] * len(self.layers))

    def _step(self, last: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits `[B, W]` of the words after the last ones, and the next state."""
        memory, grains, *before = state
        vectors = self.embed(last)
        memory = self.memory.step(memory, vectors)
        states = (vectors + self.place[before[0].shape[1]])[:, None]
        after = []
        for layer, words in zip(self.layers, before, strict=True):
            states, words = layer(states, grains, memory.flatten(1)[:, None], words)
            after.append(words)
        return self.output(states)[:, 0], (memory, grains, *after)


class GrainedLayer(nn.Module):
    """Words attend to earlier words, then to the grains; each step is added to what was there.

    Args:
        width: Width of words and grains, `D`.
        grains: Number of grains.
        heads: Attention heads.
        dropout: Dropout on each step.
    """

    def __init__(self, width: int, grains: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(ConditionalNorm(width, SLOTS * width) for _ in range(3))
        self.attend = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.look = GatedGrains(width, grains, heads, dropout)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.drop = nn.Dropout(dropout)

    def forward(
        self, states: Tensor, grains: Tensor, memory: Tensor, before: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """New states of words `[B, T, D]`, and the words that later ones attend to.

        Args:
            states: Their states.
            grains: `[B, N, K, D]`.
            memory: Memory after each of them, `[B, T, M * D]`.
            before: Words before a single one; None = the words attend to each other.
        """
        own, seen, fed = self.norms
        x = own(states, memory)
        words = x if before is None else torch.cat([before, x], 1)
        later = later_words(x) if before is None else None
        read, _ = self.attend(x, words, words, attn_mask=later, need_weights=False)
        states = states + self.drop(read)
        states = states + self.drop(self.look(seen(states, memory), grains))
        states = states + self.drop(self.feed(fed(states, memory)))
        return states, words


class GatedGrains(nn.Module):
    """Attention to every grain by the same weights, each seen through a gate of its own.

    Args:
        width: Width of words and grains, `D`.
        grains: Number of grains, `N`.
        heads: Attention heads.
        dropout: Dropout on the attention.
    """

    def __init__(self, width: int, grains: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, dropout, batch_first=True)
        self.gates = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(grains))

    def forward(self, words: Tensor, grains: Tensor) -> Tensor:
        """What words `[B, T, D]` see of grains `[B, N, K, D]`, `[B, T, D]`."""
        total = torch.zeros_like(words)
        for gate, grain in zip(self.gates, grains.unbind(1), strict=True):
            seen, _ = self.attend(words, grain, grain, need_weights=False)
            total = total + gate(torch.cat([words, seen], -1)).sigmoid() * seen
        return total / math.sqrt(len(self.gates))


class RelationalMemory(nn.Module):
    """Memory of a few vectors, changed by each word through two gates.

    Args:
        width: Width of a word and of a vector, `D`.
        heads: Attention heads.
    """

    initial: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )
        self.by_word, self.by_memory = (nn.Linear(width, 2 * width) for _ in range(2))
        self.register_buffer("initial", torch.eye(SLOTS, width), persistent=False)

    def forward(self, words: Tensor) -> Tensor:
        """Memory after each of the words `[B, T, D]`, side by side, `[B, T, M * D]`."""
        memory = self.initial.expand(len(words), -1, -1)
        after = []
        for word in words.unbind(1):
            memory = self.step(memory, word)
            after.append(memory.flatten(1))
        return torch.stack(after, 1)

    def step(self, memory: Tensor, word: Tensor) -> Tensor:
        """Memory `[B, M, D]` after one more word `[B, D]`."""
        both = torch.cat([memory, word[:, None]], 1)
        changed = memory + self.attend(memory, both, both, need_weights=False)[0]
        changed = changed + self.feed(changed)
        gates = self.by_word(word)[:, None] + self.by_memory(memory.tanh())
        take, keep = gates.sigmoid().chunk(2, -1)
        after: Tensor = take * changed.tanh() + keep * memory
        return after


class ConditionalNorm(nn.Module):
    """Layer normalisation with its gain and shift moved by a memory; plain at the start.

    Args:
        width: Width of a word, `D`.
        memory: Width of the memory.
    """

    def __init__(self, width: int, memory: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.gain, self.shift = (_from_zero(memory, width) for _ in range(2))

    def forward(self, states: Tensor, memory: Tensor) -> Tensor:
        """Normalised states `[B, T, D]` under a memory `[B, T, M]`."""
        plain = F.layer_norm(states, self.weight.shape)
        moved: Tensor = plain * (self.weight + self.gain(memory)) + self.bias + self.shift(memory)
        return moved


def _from_zero(width: int, out: int) -> nn.Sequential:
    """A perceptron that gives zeros before it is trained."""
    first, last = nn.Linear(width, out), nn.Linear(out, out)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(first, nn.ReLU(), last)
