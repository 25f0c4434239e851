"""Knowledge attention: gated attention of finding queries to neighbourhood, image, text, evidence.

Own design (no paper). Layer by layer each query takes one message from each of the four inputs by
multi-head attention; a sigmoid gate for each input, computed from query and message, weighs it.
A missing input gives an empty message and a closed gate.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features
from encoders.heads import check_heads
from fusion.joins import INPUTS, Joined, Neighbourhood
from kg.bounds import Few, ShareBelow1
from kg.options import Options as PartOptions

__all__ = ["KnowledgeAttention"]


class InputAttention(nn.Module):
    """Multi-head attention of finding queries on the tokens of one input.

    A learned key with an empty value comes first, so a query may attend to nothing and a missing
    input gives zeros instead of NaN.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width, bias=False)
        self.nothing = nn.Parameter(torch.randn(heads, 1, width // heads) * 0.02)

    def split(self, x: Tensor) -> Tensor:
        """`[b, L, D]` into heads `[b, H, L, D/H]`."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def project(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `[b, H, 1 + L, D/H]`, the empty token first."""
        key, value = self.split(self.key(tokens)), self.split(self.value(tokens))
        nothing = self.nothing.expand(key.shape[0], -1, -1, -1)
        return torch.cat([nothing, key], 2), torch.cat([torch.zeros_like(nothing), value], 2)

    def forward(self, queries: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Messages for queries.

        Args:
            queries: `[b, Q, D]`.
            tokens: `[b, L, D]`.
            bias: Added to the scores, `[b, 1 or H, 1, L]`; -inf hides a token.

        Returns:
            Messages `[b, Q, D]`.
        """
        key, value = self.project(tokens)
        message = F.scaled_dot_product_attention(
            self.split(self.query(queries)), key, value, attn_mask=F.pad(bias, (1, 0))
        )
        out: Tensor = self.out(message.transpose(1, 2).flatten(2))
        return out

    def weights(self, queries: Tensor, tokens: Tensor, bias: Tensor) -> Tensor:
        """Attention weights `[b, Q, L]`, mean over heads; the empty token has the rest."""
        key, _ = self.project(tokens)
        query = self.split(self.query(queries))
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        weights: Tensor = (scores + F.pad(bias, (1, 0))).softmax(-1).mean(1)[..., 1:]
        return weights


class KnowledgeLayer(nn.Module):
    """One round: a message from each input, gated and added, then a feed-forward step."""

    def __init__(self, width: int, heads: int, kinds: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(width)
        self.attend = nn.ModuleDict({name: InputAttention(width, heads) for name in INPUTS})
        self.relation_bias = nn.Embedding(kinds, heads)
        nn.init.zeros_(self.relation_bias.weight)
        self.gate = nn.ModuleDict({name: nn.Linear(2 * width, 1) for name in INPUTS})
        self.feed = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )
        self.dropout = nn.Dropout(dropout)

    def biases(
        self, neighbourhood: Neighbourhood, studies: Mapping[str, Features]
    ) -> dict[str, Tensor]:
        """Score bias of each input: -inf where masked, learned by relation for neighbours."""
        hidden = {name: hide(features.mask)[:, None, None] for name, features in studies.items()}
        relation = self.relation_bias(neighbourhood.kinds).permute(0, 2, 1)[
            :, :, None
        ]  # [C, H, 1, K]
        return {"memory": relation + hide(neighbourhood.mask)[:, None, None], **hidden}

    def forward(
        self, queries: Tensor, neighbourhood: Neighbourhood, studies: Mapping[str, Features]
    ) -> tuple[Tensor, Tensor]:
        """Queries `[B, C, D]` after one round, and the gates `[B, C, 4]`."""
        normed = self.before(queries)
        bias = self.biases(neighbourhood, studies)
        messages = {
            # each finding has its own neighbourhood, so findings are the batch of this attention
            "memory": self.attend["memory"](
                normed.transpose(0, 1), neighbourhood.tokens, bias["memory"]
            ).transpose(0, 1),
            **{
                name: self.attend[name](normed, features.tokens, bias[name])
                for name, features in studies.items()
            },
        }
        there = {name: features.mask.any(1)[:, None, None] for name, features in studies.items()}
        there["memory"] = neighbourhood.mask.any(1)[None, :, None]
        gates = [
            torch.sigmoid(self.gate[name](torch.cat([normed, messages[name]], -1))) * there[name]
            for name in INPUTS
        ]
        update = sum(gate * messages[name] for gate, name in zip(gates, INPUTS, strict=True))
        queries = queries + self.dropout(update)
        return queries + self.feed(queries), torch.cat(gates, -1)

    def attention_weights(
        self, queries: Tensor, neighbourhood: Neighbourhood, studies: Mapping[str, Features]
    ) -> dict[str, Tensor]:
        """Attention weights of this round by input, `[B, C, L]`."""
        normed = self.before(queries)
        bias = self.biases(neighbourhood, studies)
        on_memory = self.attend["memory"].weights(  # type: ignore[operator]
            normed.transpose(0, 1), neighbourhood.tokens, bias["memory"]
        )
        return {
            "memory": on_memory.transpose(0, 1),
            **{
                name: self.attend[name].weights(normed, features.tokens, bias[name])  # type: ignore[operator]
                for name, features in studies.items()
            },
        }


class KnowledgeAttention(nn.Module):
    """Layers of gated attention on graph neighbourhood, image, text and evidence."""

    class Options(PartOptions):
        """Options of the join.

        Args:
            layers: Rounds of attention.
            heads: Attention heads; must divide the width.
            dropout: Dropout on messages and in the feed-forward step.
        """

        layers: Few = 2
        heads: Few = 4
        dropout: ShareBelow1 = 0.2

    def __init__(self, options: Options, *, width: int, kinds: int) -> None:
        super().__init__()
        check_heads("join.knowledge_attention", width, options.heads)
        self.layers = nn.ModuleList(
            KnowledgeLayer(width, options.heads, kinds, options.dropout)
            for _ in range(options.layers)
        )

    def forward(
        self,
        queries: Tensor,
        neighbourhood: Neighbourhood,
        studies: Mapping[str, Features],
        with_attention: bool = False,
    ) -> Joined:
        """Join queries `[C, D]` with the inputs of each of `B` studies."""
        state = queries.expand(len(studies["image"].mask), -1, -1)
        attention: dict[str, Tensor] = {}
        gates = state.new_zeros(0)
        for layer in self.layers:
            if with_attention:
                attention = layer.attention_weights(state, neighbourhood, studies)  # type: ignore[operator]
            state, gates = layer(state, neighbourhood, studies)
        return Joined(state, gates, attention)


def hide(mask: Tensor) -> Tensor:
    """0 where `mask` is True and -inf elsewhere."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, float("-inf"))
