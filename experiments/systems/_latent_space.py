"""Latent space of one modality: a kernel to the training cases, rebuilt from few dimensions.

Reference: Lara 2020 (M-LSA), with the losses of the authors' code (juselara1/MLSA).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fusion.devices import mean_of
from fusion.layers.tf_idf import inverse_frequency, tf_idf
from kg.bounds import Positive, ShareBelow1, Width
from kg.options import Options

__all__ = [
    "Distance",
    "Embedded",
    "Kernel",
    "LatentSpace",
    "SpaceOptions",
    "distance_of",
    "kernel_error",
    "kernel_of",
]

Kernel = Literal["linear", "cosine", "rbf", "chi2"]
Distance = Literal["cosine", "euclidean", "manhattan"]


class SpaceOptions(Options):
    """Options of both latent spaces.

    Args:
        cases: Largest number of training cases that a study is compared to.
        gamma: Factor in the exponent of the kernels `rbf` and `chi2`.
        latent: Width of the latent spaces.
        hidden: Width of the layer between latent space and findings.
        dropout: Dropout on that layer.
    """

    cases: Width = 2048
    gamma: Positive = 0.1
    latent: Width = 256
    hidden: Width = 32
    dropout: ShareBelow1 = 0.2


class Embedded(NamedTuple):
    """Studies in a latent space.

    Args:
        there: True where a study has any word, `[B]`.
        kernel: Similarity to each training case, `[B, N]`.
        rebuilt: The same, rebuilt from the latent space.
        latent: `[B, D]`.
        logits: Of the findings, `[B, C]`.
    """

    there: Tensor
    kernel: Tensor
    rebuilt: Tensor
    latent: Tensor
    logits: Tensor


class LatentSpace(nn.Module):
    """Bags of words to a kernel, to a latent space, to the kernel again and to findings.

    Args:
        words: Number of words.
        prevalence: Share of positives of each finding, with which answers begin.
        options: Sizes.
        kernel: Similarity of two bags.
    """

    frequency: Tensor
    cases: Tensor
    between: Tensor

    def __init__(
        self, words: int, prevalence: Sequence[float], options: SpaceOptions, kernel: Kernel
    ) -> None:
        super().__init__()
        self.kernel, self.gamma = kernel, options.gamma
        self.encode = nn.Linear(options.cases, options.latent, bias=False)
        self.decode = nn.Linear(options.latent, options.cases, bias=False)
        # from random weights the error grows with the cases, and training begins by shrinking all
        nn.init.xavier_uniform_(self.encode.weight)
        nn.init.zeros_(self.decode.weight)
        self.head = nn.Sequential(
            nn.Linear(options.latent, options.hidden),
            nn.ReLU(),
            nn.Dropout(options.dropout),
            last := nn.Linear(options.hidden, len(prevalence)),
        )
        with torch.no_grad():
            last.bias.copy_(torch.tensor(prevalence).clamp(1e-3, 1 - 1e-3).logit())
        self.register_buffer("frequency", torch.ones(words))
        self.register_buffer("cases", torch.zeros(options.cases, words))
        between = torch.zeros(options.cases, options.cases)
        self.register_buffer("between", between, persistent=False)
        hooks: Any = self
        hooks.register_load_state_dict_post_hook(lambda space, _: space.compare())

    def keep(self, counts: Tensor) -> None:
        """Take training cases `[n, F]` to compare to; of too many, some are drawn."""
        self.frequency.copy_(inverse_frequency((counts > 0).sum(0), len(counts)))
        counts = counts[torch.randperm(len(counts))[: len(self.cases)].sort().values]
        self.cases.zero_()[: len(counts)] = tf_idf(counts, self.frequency)
        self.compare()

    def compare(self) -> None:
        """Compare the training cases to each other."""
        self.between.copy_(kernel_of(self.cases, self.cases, self.kernel, self.gamma))

    def forward(self, counts: Tensor) -> Embedded:
        """Embed studies by the counts of their words, `[B, F]`."""
        rows = tf_idf(counts, self.frequency)
        kernel = kernel_of(rows, self.cases, self.kernel, self.gamma)
        latent = self.encode(kernel)
        return Embedded(counts.any(1), kernel, self.decode(latent), latent, self.head(latent))


def kernel_of(rows: Tensor, cases: Tensor, kernel: Kernel, gamma: float) -> Tensor:
    """Similarity of each row `[B, F]` to each case `[N, F]`; zero where one of them is empty."""
    if kernel in ("linear", "cosine"):
        if kernel == "cosine":
            rows, cases = F.normalize(rows, dim=1), F.normalize(cases, dim=1)
        return rows @ cases.T
    if kernel == "rbf":
        apart = torch.cdist(rows, cases).square()
    else:
        apart = torch.stack(
            [((row - cases).square() / (row + cases).clamp_min(1e-12)).sum(1) for row in rows]
        )
    there = rows.any(1)[:, None] & cases.any(1)[None]
    return torch.exp(-gamma * apart) * there


def kernel_error(
    kernel: Tensor,
    rebuilt: Tensor,
    between: Tensor,
    there: Tensor,
    pairs: Literal["own", "all"] = "own",
) -> Tensor:
    """Error of rebuilt studies in the space of the kernel, but for a constant.

    Args:
        kernel: Similarity to each training case, `[B, N]`.
        rebuilt: The same, rebuilt: the weights of a sum of training cases.
        between: Similarity of the training cases to each other, `[N, N]`.
        there: True where a study counts, `[B]`.
        pairs: Each study with its `own`, or the mean over `all` pairs of studies, which is what
            the authors' code comes to.
    """
    if pairs == "own":
        each = ((rebuilt @ between) * rebuilt).sum(1) - 2 * (kernel * rebuilt).sum(1)
        return mean_of(each, there)
    kernel, rebuilt = kernel * there[:, None], rebuilt * there[:, None]
    every = rebuilt @ between @ rebuilt.T - 2 * kernel @ rebuilt.T
    return every.sum() / there.sum().clamp_min(1) ** 3


def distance_of(image: Tensor, text: Tensor, distance: Distance) -> Tensor:
    """Distance of each row of `[B, D]` to the same row of the other, `[B]`."""
    if distance == "cosine":
        return 1 - F.cosine_similarity(image, text, dim=1)
    order = 2 if distance == "euclidean" else 1
    apart: Tensor = torch.linalg.vector_norm(image - text, order, dim=1)
    return apart
