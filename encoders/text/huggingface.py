"""Hugging Face: any encoder of the transformers library from a local folder, frozen.

Reference: Wolf: Transformers: State-of-the-Art Natural Language Processing, 2020. Nothing is
downloaded and no code of the folder runs; weights must be safetensors and keep their own licence.
"""

from __future__ import annotations

from pathlib import Path

from encoders.text._frozen import FrozenTransformer
from kg.bounds import Width
from kg.options import Options as BaseOptions

__all__ = ["HuggingFace"]


class HuggingFace(FrozenTransformer):
    """Last hidden states of a pretrained encoder; frozen."""

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            folder: Folder that `save_pretrained` wrote, with model and tokenizer.
            max_length: Largest number of tokens of a study.
        """

        folder: str
        max_length: Width = 192

    def __init__(self, options: Options) -> None:
        super().__init__(Path(options.folder), options.max_length)
