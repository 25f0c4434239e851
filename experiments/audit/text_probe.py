"""Text probes: texts without the clauses on the audited findings."""

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

TextKind = Literal["report", "dialogue"]


class Redacted:
    """Texts of studies without the clauses on the audited findings; each is redacted once.

    Args:
        graph: Graph with the names the linker looks for; nothing mined from the data set.
        subject: Audited studies.
    """

    def __init__(self, graph: KnowledgeGraph, subject: Subject) -> None:
        self.linker, self.subject = MentionLinker(graph), subject
        known = [finding for finding in subject.findings if finding in graph.index]
        self.concepts = set(known).union(*(graph.descendants(finding) for finding in known))
        self._redacted: dict[TextKind, list[tuple[Passage, ...]]] = {}

    def whole(self, kind: TextKind) -> list[tuple[Passage, ...]]:
        """Full texts of each study.

        Raises:
            NotPossible: If there are none.
        """
        texts = [getattr(study, kind) for study in self.subject.studies]
        if not any(texts):
            raise NotPossible(f"no study has a {kind}")
        return texts

    def cut(self, kind: TextKind) -> list[tuple[Passage, ...]]:
        """Redacted texts of each study.

        Raises:
            NotPossible: If nothing is left, e.g. of text in an unsupported language.
        """
        if kind not in self._redacted:
            self._redacted[kind] = [
                redact(passages, self.linker.link(passages), self.concepts)
                for passages in self.whole(kind)
            ]
        if not any(self._redacted[kind]):
            raise NotPossible(f"nothing is left of any {kind}: see its language")
        return self._redacted[kind]


@dataclass(frozen=True)
class RedactedProbe:
    """TF-IDF of words and word pairs and logistic regression (as `logistic_text`).

    Args:
        texts: Redacted texts.
        kind: Report or dialogue.
    """

    texts: Redacted
    kind: TextKind
    bears_on: BearsOn = "text"

    @property
    def name(self) -> str:
        """Name of the probe."""
        return f"redacted {self.kind}"

    @property
    def about(self) -> str:
        """Description of its input."""
        return f"the {self.kind} without the clauses that name an audited finding"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If there is no such text, or nothing is left of it.
        """
        written = ["\n".join(one.text for one in text) for text in self.texts.cut(self.kind)]
        if not any(words_of(text) for text in written):
            raise NotPossible(f"nothing is left of any {self.kind}")

        def features(fold: Fold) -> csr_array:
            vectorizer = TfidfVectorizer(
                tokenizer=words_of, token_pattern=None, ngram_range=(1, 2), sublinear_tf=True,
                min_df=2,
            )  # fmt: skip
            vectorizer.fit([written[row] for row in fold.train])
            return csr_array(vectorizer.transform(written))

        options = LogisticText.Options()
        return Probed(
            scores_of_sparse(subject, features, options.strength, labels),
            reads="remaining words and word pairs",
        )


@dataclass(frozen=True)
class CutProbe:
    """Logistic regression on the length of redacted and remaining text, not on its content.

    Args:
        texts: Redacted texts.
        kind: Report or dialogue.
    """

    texts: Redacted
    kind: TextKind
    bears_on: BearsOn = "text"

    @property
    def name(self) -> str:
        """Name of the probe."""
        return f"cuts in the {self.kind}"

    @property
    def about(self) -> str:
        """Description of its input."""
        return f"length of redacted and remaining text of the {self.kind}"

    def run(self, subject: Subject, labels: FloatArray) -> Probed:
        """Scores of the probe.

        Raises:
            NotPossible: If there is no such text, or nothing is left of it.
        """
        before, after = self.texts.whole(self.kind), self.texts.cut(self.kind)
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
            reads="characters redacted, characters remaining",
        )


def _size(passages: Sequence[Passage]) -> int:
    return int(np.sum([len(one.text) for one in passages]))
