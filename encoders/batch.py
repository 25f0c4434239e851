"""StudyBatch and Features: tensors on the way from the reading of studies to the classifier.

Shape letters: `B` studies, `V` images of a study, `S` image tokens, `T` text tokens, `N` concepts,
`C` requested findings, `D` width.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Statements:
    """Statements of texts in order, each row padded to the longest.

    Args:
        concept: Index of the concept in the graph, `[B, M]`; -1 = no further statement.
        assertion: 1 present, -1 absent, 0.5 uncertain, 0 no further statement, `[B, M]`.
        site: Index of the anatomy concept of its site, `[B, M]`; -1 = none is named.
        sentence: Sentence of the text that states it, as `Text.sentence`, `[B, M]`; -1 =
            beyond the limit of the text encoder.
        first: The first word of it, as `Text.word`, `[B, M]`; -1 likewise.
        last: The last word of it, `[B, M]`.
    """

    concept: Tensor
    assertion: Tensor
    site: Tensor
    sentence: Tensor
    first: Tensor
    last: Tensor

    @property
    def mask(self) -> Tensor:
        """True where there is a statement, `[B, M]`."""
        return self.concept >= 0

    def rows(self, at: Tensor) -> Statements:
        """The statements of the studies at these rows, cut to the largest number."""
        most = max(int(self.mask[at].sum(1).max()) if len(at) else 0, 1)
        return Statements(*(getattr(self, f.name)[at][:, :most] for f in fields(self)))


@dataclass(frozen=True)
class Text:
    """Text of a batch, as word ids for a trainable encoder or as tokens of a frozen one.

    Args:
        words: Word ids, `[B, T]`; None where `tokens` is given and nothing is written.
        tokens: Token vectors of a frozen encoder, `[B, T, D]`, or None.
        mask: True where there is a word, `[B, T]`; a study without text has an all-False row.
        section: Index of the section or speaker of each word, `[B, T]`.
        sentence: Sentence of the text that each token belongs to, `[B, T]`; -1 = none, as of
            padding and of a language model's marks of start and end.
        word: Word of the text that each token is or belongs to, `[B, T]`; -1 = none.
        statements: Statements of the texts, where the system requires them; None = none.
    """

    words: Tensor | None
    tokens: Tensor | None
    mask: Tensor
    section: Tensor
    sentence: Tensor | None = None
    word: Tensor | None = None
    statements: Statements | None = None

    def rows(self, at: Tensor) -> Text:
        """The texts at these rows, cut to the longest of them."""
        mask = self.mask[at]
        longest = max(int(mask.any(0).nonzero().max()) + 1 if mask.any() else 1, 1)
        cut = {
            f.name: value[at][:, :longest]
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        if self.tokens is not None:
            cut["tokens"] = cut["tokens"].float()
        stated = None if self.statements is None else self.statements.rows(at)
        return replace(self, **cut, statements=stated)

    def silenced(self, where: Tensor) -> Text:
        """The texts, as if those at the True places `[B]` said nothing."""
        gone, stated = where[:, None], self.statements
        if stated is not None:
            concept = stated.concept.masked_fill(gone, -1)
            stated = replace(
                stated, concept=concept, assertion=stated.assertion.masked_fill(gone, 0.0)
            )
        return replace(self, mask=self.mask & ~gone, statements=stated)


@dataclass(frozen=True)
class StudyBatch:
    """Studies on their way into a system; a field that no study of the run has is None.

    Args:
        ids: Study identifiers, length `B`.
        pixels: Normalised pixels `[B, V, c, H, W]`, or None where tokens are cached.
        image_tokens: Cached tokens of a frozen image encoder `[B, V, S, D]`, or None.
        image_mask: True where there is an image, `[B, V]`.
        view: Index into `VIEWS`, `[B, V]`.
        modality: Index into `MODALITIES`, `[B, V]`.
        text: Text the system may read at test by the text policy, or None.
        evidence: Assertion of each concept by the allowed text, `[B, N]`: 1 present, -1 absent,
            0.5 uncertain, 0 not stated; or None.
        targets: Targets by the label policy, `[B, C]`, NaN = not stated.
        concept_targets: Training only: concepts by the full report or coding, `[B, N]`, NaN = not
            stated; or None.
        metadata: Encoded metadata of the studies, `[B, F]`, for probes only; or None.
        paired_text: Training only: text of the report for contrast, never an input; or None.
        statements: Training only: statements of the paired report; or None.
        triples: Training only: edges of the graph that chance drew, as many as studies: subject,
            relation (of `encoders.graph_arrays.CLINICAL`) and object, `[B, 3]`; none, `[0, 3]`,
            where the graph has no edges. None where no system asks.
        boxes: Box of the lesion in question, `[B, V, 4]`: left, top, right and bottom in shares of
            the square view; NaN without one. None where no system asks.
    """

    ids: tuple[str, ...]
    pixels: Tensor | None
    image_tokens: Tensor | None
    image_mask: Tensor
    view: Tensor
    modality: Tensor
    text: Text | None
    evidence: Tensor | None
    targets: Tensor
    concept_targets: Tensor | None = None
    metadata: Tensor | None = None
    paired_text: Text | None = None
    statements: Statements | None = None
    triples: Tensor | None = None
    boxes: Tensor | None = None

    def to(self, device: torch.device | str) -> StudyBatch:
        """The same batch with every tensor on `device`."""

        def move(value: object) -> object:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=True)
            if isinstance(value, Text | Statements):
                moved = {f.name: move(getattr(value, f.name)) for f in fields(value)}
                return type(value)(**moved)  # type: ignore[arg-type]
            return value

        moved = {f.name: move(getattr(self, f.name)) for f in fields(self)}
        return replace(self, **moved)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Features:
    """Output of an encoder.

    Args:
        tokens: `[B, L, D]`, `L` = all image tokens of a study, or its words.
        mask: True where a token is real, `[B, L]`.
        pooled: One vector for each study, `[B, D]`; zeros where nothing is real.
    """

    tokens: Tensor
    mask: Tensor
    pooled: Tensor
