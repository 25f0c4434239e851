"""TF-IDF: counts of words, visual or written, weighted by inverse document frequency."""

from __future__ import annotations

from torch import Tensor, log, where
from torch.nn import functional as F

__all__ = ["inverse_frequency", "tf_idf"]


def inverse_frequency(seen: Tensor, documents: int) -> Tensor:
    """Smoothed inverse document frequency, as in scikit-learn's `TfidfTransformer`.

    Args:
        seen: Number of documents with each word, `[F]`.
        documents: Number of documents.
    """
    return log((1 + documents) / (1 + seen)) + 1


def tf_idf(counts: Tensor, frequency: Tensor) -> Tensor:
    """Rows of unit length of counts `[B, F]`, sublinear in them; zeros where nothing is counted."""
    return F.normalize(where(counts > 0, 1 + counts.clamp_min(1).log(), counts) * frequency, dim=1)
