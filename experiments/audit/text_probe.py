"""Probes that read text from which every clause on an asked-for finding was cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from encoders.study import Passage
from encoders.text._words import words_of
from experiments.audit.fitting import scores_of_dense, scores_of_sparse
from experiments.audit.probes import BearsOn, NotPossible, Probed
from experiments.audit.subject import Fold, Subject
from experiments.metrics.arrays import FloatArray
from experiments.systems.logistic_metadata import LogisticMetadata
from experiments.systems.logistic_text import LogisticText
from kg.mentions.linker import MentionLinker
from kg.mentions.redact import redact
from kg.model.graph import KnowledgeGraph

__all__ = ["CutProbe", "Redacted", "RedactedProbe"]

Source = Literal["report", "dialogue"]


class Redacted:
    """Text of studies without the clauses that speak of the asked-for findings; read once.

    Args:
        graph: The graph whose names the linker looks for; nothing mined from the data set.
        subject: Whose text.
    """

    def __init__(self, graph: KnowledgeGraph, subject: Subject) -> None:
        self.linker, self.subject = MentionLinker(graph), subject
        known = [finding for finding in subject.findings if finding in graph.index]
        self.asked = set(known).union(*(graph.descendants(finding) for finding in known))
        self._kept: dict[Source, list[tuple[Passage, ...]]] = {}

    def whole(self, source: Source) -> list[tuple[Passage, ...]]:
        """What is written of each study.

        Raises:
            NotPossible: If nothing is.
        """
        texts = [getattr(study, source) for study in self.subject.studies]
        if not any(texts):
            raise NotPossible(f"no study has a {source}")
        return texts

    def cut(self, source: Source) -> list[tuple[Passage, ...]]:
        """What is left of it.

        Raises:
            NotPossible: If nothing is, as of text in a language that is not read.
        """
        if source not in self._kept:
            self._kept[source] = [
                redact(passages, self.linker.link(passages), self.asked)
                for passages in self.whole(source)
            ]
        if not any(self._kept[source]):
            raise NotPossible(f"nothing is left of any {source}: see its language")
        return self._kept[source]


@dataclass(frozen=True)
class RedactedProbe:
    """TF-IDF of words and word pairs and logistic regression (as `logistic_text`).

    Args:
        texts: Redacted texts.
        source: Which text.
    """

    texts: Redacted
    source: Source
    bears_on: BearsOn = "text"

    @property
    def name(self) -> str:
        """What it is called."""
        return f"redacted {self.source}"

    @property
    def about(self) -> str:
        """What it reads."""
        return f"the {self.source} without the clauses that name an asked-for finding"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If there is no such text, or nothing is left of it.
        """
        written = ["\n".join(one.text for one in text) for text in self.texts.cut(self.source)]
        if not any(words_of(text) for text in written):
            raise NotPossible(f"nothing is left of any {self.source}")

        def features(fold: Fold) -> csr_array:
            words = TfidfVectorizer(
                tokenizer=words_of, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True,
                min_df=2,
            )  # fmt: skip
            words.fit([written[row] for row in fold.train])
            return csr_array(words.transform(written))

        options = LogisticText.Options()
        return Probed(
            scores_of_sparse(subject, features, options.strength, labels),
            reads="words and word pairs that are left",
        )


@dataclass(frozen=True)
class CutProbe:
    """Logistic regression on how much was cut from each text, and on nothing that it says.

    Args:
        texts: Redacted texts.
        source: Which text.
    """

    texts: Redacted
    source: Source
    bears_on: BearsOn = "text"

    @property
    def name(self) -> str:
        """What it is called."""
        return f"cuts in the {self.source}"

    @property
    def about(self) -> str:
        """What it reads."""
        return f"how much of the {self.source} was cut, and how much is left"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If there is no such text, or nothing is left of it.
        """
        before, after = self.texts.whole(self.source), self.texts.cut(self.source)
        counts = torch.tensor(
            [[_size(old) - _size(new), _size(new)] for old, new in zip(before, after, strict=True)],
            dtype=torch.float32,
        )
        rows = torch.cat([counts.log1p(), (counts > 0).float()], 1)

        def features(fold: Fold) -> Tensor:
            return rows

        options = LogisticMetadata.Options()
        return Probed(
            scores_of_dense(subject, features, options, labels),
            reads="characters cut, characters left",
        )


def _size(passages: Sequence[Passage]) -> int:
    return int(np.sum([len(one.text) for one in passages]))
