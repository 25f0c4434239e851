"""Shared by frozen language models: a model folder opened and read without its code."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoModel, AutoTokenizer

from encoders.model_folder import check_model_folder, folder_tensors, snapshot
from encoders.study import Passage
from encoders.text import Vocabulary
from encoders.text._tokens import NOWHERE, Piece, Token, Tokenized, located, tokenized
from encoders.weights import load_into, seeded, state_hash
from kg.errors import InputError

log = logging.getLogger(__name__)


class FrozenTransformer(nn.Module):
    """A pretrained language model that is read, never trained.

    Args:
        folder: Folder with `config.json`, the tokenizer and `model*.safetensors`.
        max_length: Largest number of tokens of a study; later ones are left out.
    """

    frozen = True

    def __init__(self, folder: Path, max_length: int) -> None:
        super().__init__()
        folder = snapshot(folder)
        check_model_folder(folder)
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            shape: Any = AutoConfig.from_pretrained(folder, **local)
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **local)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"{folder}: cannot be opened ({error})", "save the model and tokenizer again"
            ) from None
        longest = int(getattr(shape, "max_position_embeddings", max_length))
        if getattr(shape, "is_encoder_decoder", False) or max_length > longest:
            raise InputError(
                f"{folder}: not an encoder that reads {max_length} tokens",
                f"choose an encoder such as BERT, and max_length of at most {longest}",
            )
        with seeded(0):
            model: Any = AutoModel.from_config(shape, attn_implementation="sdpa")
        if hasattr(model, "pooler"):
            model.pooler = None
        load_into(model, folder_tensors(folder, model), name=str(folder))
        self.model: nn.Module = model.requires_grad_(False).eval()
        self.width = int(shape.hidden_size)
        self.max_length = max_length
        self.first = _special(self.tokenizer, "cls_token_id", "bos_token_id")
        self.last = _special(self.tokenizer, "sep_token_id", "eos_token_id")
        self.padding = int(self.tokenizer.pad_token_id or 0)

    def train(self, mode: bool = True) -> FrozenTransformer:
        """Stay in evaluation mode."""
        return super().train(False)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn nothing."""

    def state(self) -> dict[str, Any]:
        """Empty: nothing is learnt."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to restore."""

    def mark_ends(self) -> None:
        """Do nothing: the model has marks of start and end."""

    def vocabulary(self) -> Vocabulary:
        """The tokenizer's words."""
        unknown, mask = self.tokenizer.unk_token_id, self.tokenizer.mask_token_id
        silent = {self.padding, self.first, self.last, mask}

        def decode(ids: Sequence[int]) -> str:
            text: str = self.tokenizer.decode([number for number in ids if number not in silent])
            return text

        return Vocabulary(
            len(self.tokenizer), self.padding, unknown, mask, self.first, self.last, decode
        )

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Tokens of each text, with their positions; no text gives no token."""
        rows = [self._row(passages) for passages in texts]
        cut = sum(len(row) == self.max_length for row in rows)
        if cut:
            log.info("%d of %d texts reach the limit of %d tokens", cut, len(rows), self.max_length)
        return tokenized(rows, self.padding)

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]`, mask `[B, T]` (True = word), section `[B, T]`; no text gives no word."""
        return self.tokenized(texts).inputs

    def _row(self, passages: Sequence[Passage]) -> list[Token]:
        """The tokens of one study, special tokens included."""
        row = located(passages, self._pieces)[: self.max_length - 2]
        if not row:
            return []
        first, last = (
            Token(mark, at.section, *[NOWHERE] * 5)
            for mark, at in ((self.first, row[0]), (self.last, row[-1]))
        )
        return [first, *row, last]

    def _pieces(self, passage: Passage) -> list[Piece]:
        """The tokens of one passage; without positions from the tokenizer it is one sentence."""
        places = bool(self.tokenizer.is_fast)
        read = self.tokenizer(
            passage.text,
            add_special_tokens=False,
            truncation=True,
            max_length=self.max_length,
            return_offsets_mapping=places,
        )
        ids = [int(word) for word in read["input_ids"]]
        if not places:
            return [Piece(word, number, 0, 0) for number, word in enumerate(ids)]
        words = read.word_ids()
        return [
            Piece(id_, word, *span)
            for id_, word, span in zip(ids, words, read["offset_mapping"], strict=True)
        ]

    @torch.no_grad()
    def forward(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Encode into tokens `[B, T, D]`; zeros where there is no word."""
        return self.read(words, mask)

    def read(self, words: Tensor, mask: Tensor) -> Tensor:
        """Tokens `[B, T, D]` of the model, with gradients if it trains."""
        # A row without a word attends to its first padding, so that nothing becomes NaN
        first = torch.arange(mask.shape[1], device=mask.device) == 0
        attended = mask | (first & ~mask.any(dim=1, keepdim=True))
        tokens: Tensor = self.model(input_ids=words, attention_mask=attended).last_hidden_state
        return tokens * mask.unsqueeze(-1)

    def sentences(self, texts: Sequence[str], batch: int = 64) -> Tensor:
        """Mean token of each text, length 1, `[n, D]`."""
        # Texts of similar length together: less padding to compute.
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        vectors = torch.zeros(len(texts), self.width)
        for start in range(0, len(order), batch):
            places = order[start : start + batch]
            words, mask, section = self.tokenize([(Passage("other", texts[p]),) for p in places])
            tokens = self(words, mask, section).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
            vectors[places] = tokens.to(vectors)
        return normalize(vectors, dim=1)

    def weights_hash(self) -> str:
        """SHA-256 over weights, tokenizer and length."""
        read = hashlib.sha256(json.dumps(self.tokenizer.get_vocab(), sort_keys=True).encode())
        return state_hash(self.model, f"{read.hexdigest()} {self.max_length}")


def _special(tokenizer: Any, *names: str) -> int:
    for name in names:
        found = getattr(tokenizer, name, None)
        if found is not None:
            return int(found)
    raise InputError("the tokenizer has no token for the start or end of a text", "choose another")
