"""Base of encoders on top of another text encoder, whose tokens they process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from encoders.study import Passage
from encoders.text import TEXT_ENCODERS, Vocabulary
from encoders.text._tokens import Tokenized
from kg.bounds import ShareBelow1, Width
from kg.errors import InputError
from kg.options import Options as BaseOptions
from kg.options import Part, parse_options


class OnTokensOptions(BaseOptions):
    """Options of every encoder on top of another.

    Args:
        encoder: The encoder below: a language model, frozen or trained on, or a small one.
        width: Width of a token.
        dropout: Share of the tokens' channels dropped in training.
    """

    encoder: Part = Part(name="tiny_transformer")
    width: Width = 128
    dropout: ShareBelow1 = 0.2


class OnTokens(nn.Module):
    """An encoder on top of another one."""

    frozen = False

    def __init__(self, options: OnTokensOptions) -> None:
        super().__init__()
        below = TEXT_ENCODERS.load(options.encoder.name)
        where = f"encoder.{options.encoder.name}"
        self.below = below(parse_options(below.Options, options.encoder.options, where=where))
        self.width = options.width
        self.drop = nn.Dropout(options.dropout)

    def fit(self, texts: Sequence[Sequence[Passage]]) -> None:
        """Fit the encoder below on the training texts."""
        self.below.fit(texts)

    def mark_ends(self) -> None:
        """Add marks of start and end to the encoder below."""
        self.below.mark_ends()

    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the encoder below."""
        words: Vocabulary = self.below.vocabulary()
        return words

    def tokenized(self, texts: Sequence[Sequence[Passage]]) -> Tokenized:
        """Tokens of the encoder below, with their positions."""
        made: Tokenized = self.below.tokenized(texts)
        return made

    def tokenize(self, texts: Sequence[Sequence[Passage]]) -> tuple[Tensor, Tensor, Tensor]:
        """Words `[B, T]`, mask `[B, T]` (True = word), section `[B, T]`, as the encoder below."""
        return self.tokenized(texts).inputs

    def tokens(self, words: Tensor, mask: Tensor, section: Tensor) -> Tensor:
        """Tokens of the encoder below, `[B, T, D]`; zeros where there is no word."""
        tokens: Tensor = self.below(words, mask, section)
        dropped: Tensor = self.drop(tokens)
        return dropped

    def state(self) -> dict[str, Any]:
        """State of the encoder below, ready for JSON."""
        return {"below": self.below.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `state` gave, before the weights are loaded.

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
