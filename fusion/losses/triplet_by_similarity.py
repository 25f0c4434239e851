"""Triplets by label similarity: studies that share more labels should be nearer."""

from __future__ import annotations

import torch
from torch import Tensor

from fusion.devices import gathered

__all__ = ["triplet_by_similarity"]


def triplet_by_similarity(
    embeddings: Tensor, labels: Tensor, *, margin: float = 0.1, positive_at: float = 1.0
) -> Tensor:
    """Triplet loss of studies with many labels (LesaNet, Yan 2019).

    Two studies are as similar as the number of labels they share times their share among the
    labels of either. A positive is at least `positive_at` similar to the anchor, a negative less
    than the positive. The paper draws 5,000 triplets of a batch; this is the mean over all of them.

    Args:
        embeddings: `[B, D]`, usually of unit length.
        labels: 1 = positive; 0 and NaN are no label, `[B, C]`.
        margin: How much farther than the positive a negative should lie.
        positive_at: Least similarity of a positive.

    Returns:
        Mean over the triplets of the batch, `B^3` at most; zero where there is none.
    """
    embeddings, labels = gathered(embeddings), gathered(labels)
    similarity = _similarity((labels == 1).to(embeddings.dtype))
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (similarity >= positive_at) & ~itself
    # [anchor, positive, negative]; nobody is the negative of itself
    less_similar = similarity[:, None] < similarity[:, :, None]
    triplets = positive[:, :, None] & less_similar & ~itself[:, None]
    distance: Tensor = torch.linalg.vector_norm(embeddings[:, None] - embeddings[None], dim=-1)
    each = (distance[:, :, None] - distance[:, None] + margin).relu()
    return (each * triplets).sum() / triplets.sum().clamp_min(1)


def _similarity(labels: Tensor) -> Tensor:
    """Shared labels times Jaccard index of every two rows, `[B, B]`."""
    shared = labels @ labels.T
    number = labels.sum(1)
    either = number[:, None] + number[None] - shared
    return shared * shared / either.clamp_min(1)
