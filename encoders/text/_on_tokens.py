"""What stands on another text encoder: it reads with that one and works on its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from encoders.study import Passage
from encoders.text import TEXT_ENCODERS, Vocabulary
from encoders.text._tokens import Tokenized
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part, parse_options


class OnTokensOptions(BaseOptions):
    """Options of every encoder that stands on another.

    Args:
        encoder: The encoder below: a language model, frozen or trained on, or a small one.
        width: Width of a token.
        dropout: Share of the tokens' channels dropped in training.
    """

    encoder: Part = Part(name="tiny_transformer")
    width: int = 128
    dropout: float = 0.2


class OnTokens(nn.Module):
    """The encoder below, and what all that stand on one have in common."""

    frozen = False

    def __init__(self, options: OnTokensOptions) -> None:
        super().__init__()
        part = TEXT_ENCODERS.load(options.encoder.name)
        where = f"encoder.{options.encoder.name}"
        self.below = part(parse_options(part.Options, options.encoder.options, where=where))
        self.width = options.width
        self.drop = nn.Dropout(options.dropout)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Learn what the encoder below must learn from the training texts."""
        self.below.fit(texts)

    def mark_ends(self) -> None:
        """Have the encoder below mark a text's start and end."""
        self.below.mark_ends()

    def vocabulary(self) -> Vocabulary:
        """The words of the encoder below."""
        words: Vocabulary = self.below.vocabulary()
        return words

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Tokens of the encoder below, and where they stand."""
        made: Tokenized = self.below.tokenized(texts)
        return made

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]`, mask `[B, T]` (True = word), part `[B, T]`, as the encoder below."""
        return self.tokenized(texts).inputs

    def tokens(self, words: Tensor, mask: Tensor, part: Tensor) -> Tensor:
        """Tokens of the encoder below, `[B, T, D]`; zeros where there is no word."""
        read: Tensor = self.below(words, mask, part)
        dropped: Tensor = self.drop(read)
        return dropped

    def state(self) -> dict[str, Any]:
        """What the encoder below learnt, ready for JSON."""
        return {"below": self.below.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, before the weights are loaded.

        Raises:
            InputError: If it is the state of another encoder.
        """
        if "below" not in state:
            raise InputError(
                "the state of the text encoder holds no encoder below it",
                "it must be what a run with the same text encoder wrote",
            )
        self.below.restore(state["below"])

    def weights_hash(self) -> str:
        """SHA-256 that names the encoder below."""
        name: str = self.below.weights_hash()
        return name
