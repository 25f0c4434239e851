"""TF-IDF: words weighted by inverse document frequency, reduced by latent semantic analysis.

Reference: Deerwester: Indexing by Latent Semantic Analysis, 1990. A word's token is its inverse
document frequency times its direction among the training texts, so that the sum over a text is its
TF-IDF row reduced; one linear layer on top trains with the system. The order of words is lost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize
from torch import Tensor, nn

from encoders.study import Passage
from encoders.text._words import WordEncoder, WordOptions, words_of

__all__ = ["TfIdf"]


class TfIdf(WordEncoder):
    """Fixed word vectors by inverse document frequency, and a trained linear layer."""

    class Options(WordOptions):
        """Options of the encoder."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.options = options
        self.turn = nn.Linear(options.width, options.width, bias=False)
        nn.init.eye_(self.turn.weight)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn vocabulary, document frequencies and directions from the training texts."""
        super().fit(texts)
        counts = self._counts(texts)
        seen = np.bincount(counts.indices, minlength=counts.shape[1])
        # smoothed inverse document frequency, as in scikit-learn's TfidfTransformer
        frequency = np.log((1 + len(texts)) / (1 + seen)) + 1
        directions = _directions(counts.multiply(frequency).tocsr(), self.width)
        with torch.no_grad():
            self.words.weight.copy_(torch.as_tensor(frequency[:, None] * directions))

    def _use(self, words: Sequence[str]) -> None:
        super()._use(words)
        self.words.weight.requires_grad_(False)

    def _counts(self, texts: Sequence[Sequence[Passage]]) -> csr_array:
        """Occurrences of each known word in each text, `[n, words]`."""
        places = [
            (row, place)
            for row, passages in enumerate(texts)
            for passage in passages
            for place in map(self.index.get, words_of(passage.text))
            if place is not None
        ]
        rows, columns = np.array(places, dtype=np.int64).reshape(-1, 2).T
        counts = csr_array(
            (np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(self.index))
        )
        counts.sum_duplicates()
        return counts

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        tokens: Tensor = self.turn(self.words(words)) + self.parts(section)
        return tokens * mask.unsqueeze(-1)


def _directions(rows: csr_array, width: int) -> NDArray[np.float64]:
    """Principal directions of each word over the rows, `[words, width]`."""
    made = np.zeros((rows.shape[1], width))
    most = min(width, *(size - 1 for size in rows.shape))
    if most >= 1 and rows.nnz:
        plane = TruncatedSVD(most, random_state=0).fit(normalize(rows))
        made[:, :most] = plane.components_.T
    return made
