"""Fine-tuned: any encoder of the transformers library from a local folder, trained with the system.

Reference: Devlin: BERT, 2019; Wolf: Transformers: State-of-the-Art Natural Language Processing,
2020. Nothing is downloaded and no code of the folder runs; weights must be safetensors and keep
their own licence. The first token stands for the whole text (`[CLS]`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from encoders.text._frozen import FrozenTransformer
from encoders.weights import MINILM, shipped_file
from kg.bounds import Width
from kg.errors import InputError
from kg.options import Options as BaseOptions

__all__ = ["FineTuned"]


class FineTuned(FrozenTransformer):
    """Last hidden states of a pretrained encoder that is fine-tuned."""

    frozen = False

    class Options(BaseOptions):
        """Options of the encoder.

        Args:
            folder: Folder that `save_pretrained` wrote, with model and tokenizer; empty = the
                MiniLM that comes with the installation.
            max_length: Largest number of tokens of a study.
        """

        folder: str = ""
        max_length: Width = 192

    def __init__(self, options: Options) -> None:
        folder = Path(options.folder) if options.folder else shipped_file(MINILM).parent
        super().__init__(folder, options.max_length)
        self.options = options
        self.model.requires_grad_(True)

    def train(self, mode: bool = True) -> FineTuned:
        """Training or evaluation mode, dropout of the model included."""
        nn.Module.train(self, mode)
        return self

    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        return self.read(words, mask)

    def state(self) -> dict[str, Any]:
        """Hash of the tokenizer; the weights are the module's own state."""
        return {"tokenizer": self.weights_hash()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Check that the tokenizer is the one of the training.

        Raises:
            InputError: If it is another.
        """
        if state.get("tokenizer") != self.weights_hash():
            raise InputError(
                "the tokenizer of the text encoder is not the one of the run",
                "give the folder of the model that the run was trained from",
            )

    def weights_hash(self) -> str:
        """SHA-256 over tokenizer and length."""
        read = [self.tokenizer.get_vocab(), self.max_length]
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()
