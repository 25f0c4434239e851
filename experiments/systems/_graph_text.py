"""The graph as text: a text encoder learns facts and definitions (KAD, Zhang 2023).

Reference: Zhang: Knowledge-enhanced visual-language pre-training on chest radiology images, 2023,
arXiv 2302.14042.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from encoders.batch import Statements, Text
from fusion.devices import gathered
from fusion.layers.pools import masked_mean
from fusion.layers.projection import Projection
from fusion.losses.soft_info_nce import soft_info_nce
from fusion.system import ConceptTexts

__all__ = ["GraphText", "joined"]

SCALE = 1 / 0.07
"""Factor on the similarities of texts."""


class GraphText(nn.Module):
    """Names, definitions and facts of the graph as vectors of unit length.

    Args:
        texts: The texts, as words.
        width: Width of the text encoder.
        space: Width of the vectors.
    """

    names_mask: Tensor
    relations_mask: Tensor

    def __init__(self, texts: ConceptTexts, width: int, space: int) -> None:
        super().__init__()
        for kind in ("names", "definitions", "relations"):
            text = getattr(texts, kind)
            for part in ("words", "mask", "section"):
                self.register_buffer(f"{kind}_{part}", getattr(text, part), persistent=False)
        self.project = Projection(width, space, (width,))

    def text(self, kind: str, places: Tensor) -> Text:
        """Texts of a kind at these places, `[K]`."""
        words, mask, section = (
            getattr(self, f"{kind}_{part}")[places] for part in ("words", "mask", "section")
        )
        return Text(words, None, mask, section)

    def vectors(self, text: Text, encoder: Any) -> Tensor:
        """Vectors of texts, `[K, D]`."""
        tokens = encoder(text.words, text.mask, text.section)
        made: Tensor = self.project(masked_mean(tokens, text.mask))
        return made

    def facts(self, triples: Tensor, encoder: Any) -> tuple[Tensor, Tensor]:
        """Head with relation, and relation with tail, of triples `[K, 3]`, `[K, D]` each."""
        head, relation, tail = triples.unbind(1)
        between = self.text("relations", relation)
        return (
            self.vectors(joined(self.text("names", head), between), encoder),
            self.vectors(joined(between, self.text("names", tail)), encoder),
        )

    def triples(self, triples: Tensor, encoder: Any) -> Tensor:
        """Loss of finding the tail by head and relation, and the head by relation and tail.

        Args:
            triples: Head, relation and tail, `[K, 3]`.
            encoder: The text encoder.
        """
        head, relation, tail = triples.unbind(1)
        count = self.relations_mask.shape[0]
        forth, back = self.facts(triples, encoder)
        heads, tails = (self.vectors(self.text("names", ends), encoder) for ends in (head, tail))
        finds_tail = _of_same(forth, tails, head * count + relation, tail)
        return (finds_tail + _of_same(back, heads, tail * count + relation, head)) / 2

    def definitions(self, concepts: Tensor, encoder: Any) -> Tensor:
        """Loss of finding the definition of each of the concepts `[K]` by its name, and back."""
        names, said = (
            self.vectors(self.text(kind, concepts), encoder) for kind in ("names", "definitions")
        )
        return _of_same(names, said, concepts, concepts)

    def stated(self, statements: Statements, denial: int, longest: int) -> Text:
        """Names of the concepts that each report states, as one text of the report.

        Args:
            statements: Statements of the reports.
            denial: Word before those that a report denies.
            longest: Most words of a text.
        """
        reports = len(statements.concept)
        names = self.text("names", statements.concept.clamp_min(0).flatten())
        assert names.words is not None
        denied = torch.full_like(names.words[:, :1], denial)
        real = torch.cat([(statements.assertion < 0).flatten()[:, None], names.mask], 1)
        whole = joined(
            Text(
                torch.cat([denied, names.words], 1).reshape(reports, -1),
                None,
                (real & statements.mask.flatten()[:, None]).reshape(reports, -1),
                torch.cat([names.section[:, :1], names.section], 1).reshape(reports, -1),
            )
        )
        assert whole.words is not None
        first = slice(longest)
        return Text(whole.words[:, first], None, whole.mask[:, first], whole.section[:, first])

    def relate(self, triples: Tensor, encoder: Any) -> Tensor:
        """Similarity of head and relation of triples `[K, 3]` to every concept, `[K, N]`."""
        everyone = torch.arange(self.names_mask.shape[0], device=triples.device)
        names = self.vectors(self.text("names", everyone), encoder)
        return self.facts(triples, encoder)[0] @ names.T


def joined(*texts: Text) -> Text:
    """Texts behind one another, row by row, without the padding between them."""
    words, mask, section = (
        torch.cat([getattr(text, part) for text in texts], 1)
        for part in ("words", "mask", "section")
    )
    order = (~mask).long().argsort(dim=1, stable=True)[:, : max(int(mask.sum(1).max()), 1)]
    there = mask.gather(1, order)
    return Text(
        words.gather(1, order).masked_fill(~there, 0),
        None,
        there,
        section.gather(1, order).masked_fill(~there, 0),
    )


def _of_same(a: Tensor, b: Tensor, of_a: Tensor, of_b: Tensor) -> Tensor:
    """Contrast of rows, where all of the same key on either side are partners."""
    of_a, of_b = gathered(of_a), gathered(of_b)
    partners = (of_a[:, None] == of_a[None]) | (of_b[:, None] == of_b[None])
    return soft_info_nce(a, b, partners.to(a.dtype), scale=SCALE)
