"""Text loading for a cohort: allowed passages, their statements, and training-only text."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from encoders.batch import Statements, Text
from encoders.cache import FeatureCache
from encoders.graph_arrays import CLINICAL
from encoders.study import DESCRIBING, Passage, Stated, Study
from encoders.text import TEXT_ENCODERS, Vocabulary
from encoders.text._tokens import Tokenized
from experiments.config.schema import TextPolicy, TextSection
from experiments.loading.targets import passages_for
from experiments.privacy.rare_words import without_rare_words
from fusion.needs import NO_NEEDS, Needs
from fusion.system import ConceptTexts
from kg.controls.graph_controls import labels_only
from kg.mentions.evidence import study_evidence
from kg.mentions.linker import MentionLinker
from kg.mentions.redact import redact
from kg.mentions.sections import labelled_passages
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph
from kg.options import parse_options

__all__ = ["TextLoader"]

Passages = tuple[Passage, ...]
EVIDENCE: dict[Stated, float] = {"present": 1.0, "absent": -1.0, "uncertain": 0.5}
TOLD_KINDS = frozenset({"symptom", "comorbidity", "exposure", "risk_factor", "lab_sign"})
"""Kinds of concepts no picture shows, which the indication of a report tells as well."""
TARGET: dict[Stated, float] = {"present": 1.0, "absent": 0.0, "uncertain": float("nan")}


class TextLoader:
    """Loads the text of studies by the text section of a configuration.

    Args:
        section: Policies and encoder.
        graph: The run's graph, whose names are linked.
        findings: Concept ids of the findings, which `redacted` cuts.
        cache: Folder of feature caches.
        masked: Concepts held out of training, whose clauses training text loses.
        lexicon: Names that are linked: `all`, or concepts' `labels` alone.
        needs: Inputs that the system requires.
    """

    def __init__(
        self,
        section: TextSection,
        graph: KnowledgeGraph,
        findings: Sequence[str],
        cache: Path,
        *,
        masked: frozenset[str] = frozenset(),
        lexicon: Literal["all", "labels"] = "all",
        needs: Needs = NO_NEEDS,
    ) -> None:
        self.section, self.graph, self.cache, self.needs = section, graph, cache, needs
        self.linker = MentionLinker(graph if lexicon == "all" else labels_only(graph))
        self.masked = masked
        self.redacted: set[str] = set()
        self.redact_findings(findings)
        part = TEXT_ENCODERS.load(section.encoder.name)
        where = f"text.encoder.{section.encoder.name}"
        options = parse_options(part.Options, section.encoder.options, where=where)
        self.encoder: Any = part(options)
        if needs.vocabulary:
            self.encoder.mark_ends()

    @property
    def vocabulary(self) -> Vocabulary | None:
        """Vocabulary of the encoder, where the system requires it."""
        return self.encoder.vocabulary() if self.needs.vocabulary else None

    @property
    def trainable_encoder(self) -> nn.Module | None:
        """Encoder that trains with the system; None where it is frozen."""
        return None if self.encoder.frozen else self.encoder

    @property
    def training_policy(self) -> TextPolicy:
        """Text policy in training."""
        same = self.section.train == "same"
        return self.section.test if same else cast(TextPolicy, self.section.train)

    def redact_findings(self, findings: Sequence[str]) -> None:
        """Cut these findings, and all narrower, from redacted text too."""
        known = [finding for finding in findings if finding in self.graph.index]
        self.redacted |= set(known).union(*(self.graph.descendants(finding) for finding in known))

    def fit(self, studies: Sequence[Study], *, paired: bool) -> None:
        """Learn a vocabulary from the training text, and from reports where they pair."""
        policies: set[TextPolicy] = {self.training_policy} - {"none"}
        if paired:
            policies.add(self.needs.paired_policy)
        texts = [
            self.passages(study, policy, training=True)
            for policy in sorted(policies)
            for study in studies
        ]
        patients = [study.patient for study in studies] * len(policies)
        texts = [tuple(each) for each in without_rare_words(texts, patients)]
        if self.needs.definitions:
            texts += [_plain(text) for about in texts_of(self.graph) for text in about]
        self.encoder.fit(texts)

    def passages(self, study: Study, policy: TextPolicy, *, training: bool = False) -> Passages:
        """Passages of a study that a policy allows; training loses clauses on held-out concepts."""

        def cut(passage: Passage) -> Passage:
            return self._without(passage, self.redacted)

        allowed = passages_for(study, policy, self.section.language, cut)
        if not (training and self.masked):
            return allowed
        left = (self._without(passage, self.masked) for passage in allowed)
        return tuple(passage for passage in left if passage.text.strip())

    def text(self, studies: Sequence[Study], policy: TextPolicy, *, training: bool = False) -> Text:
        """Words or frozen tokens of the studies."""
        passages = [self.passages(study, policy, training=training) for study in studies]
        return self.read(passages, training=training)

    def read(
        self, passages: Sequence[Passages], *, training: bool = False, cached: bool = True
    ) -> Text:
        """Words or frozen tokens of texts, and their statements where the system requires them.

        Args:
            passages: Passages of each text.
            training: Whether statements on held-out concepts are left out.
            cached: Whether tokens of a frozen encoder are cached.
        """
        tokenized: Tokenized = self.encoder.tokenized(passages)
        tokens = None
        if self.encoder.frozen:
            tokens = self._cached(passages, tokenized) if cached else self._frozen(tokenized)
        # word ids identify equal texts
        kept = tokens is None or self.needs.vocabulary or self.needs.paired_report
        words = tokenized.words if kept else None
        return Text(
            words,
            tokens,
            tokenized.mask,
            tokenized.section,
            tokenized.sentence,
            tokenized.word,
            self._statements(passages, tokenized, training=training)
            if self.needs.text_statements
            else None,
        )

    def concept_texts(self) -> ConceptTexts:
        """Names, definitions and relations of the graph, for the encoder or read by it."""
        return ConceptTexts(*(self._described(texts) for texts in texts_of(self.graph)))

    def report(self, study: Study, *, training: bool = False) -> str:
        """Findings and impression as one text; training loses clauses on held-out concepts."""
        passages = self.passages(study, "full", training=training)
        written = (passage.text.strip() for passage in passages if passage.name in DESCRIBING)
        return "\n".join(text for text in written if text)

    def evidence(
        self, studies: Sequence[Study], policy: TextPolicy, *, training: bool = False
    ) -> Tensor:
        """Statements of the allowed text on each concept, `[n, N]`; see `StudyBatch.evidence`."""
        passages = [self.passages(study, policy, training=training) for study in studies]
        evidence = self.read_evidence(passages)
        if training:
            evidence[:, [self.graph.index[name] for name in sorted(self.masked)]] = 0.0
        return evidence

    def read_evidence(self, passages: Sequence[Passages]) -> Tensor:
        """Statements of texts on each concept, `[n, N]`."""
        evidence = torch.zeros(len(passages), len(self.graph.concepts))
        for row, one in enumerate(passages):
            for concept, stated in self._stated(one).items():
                evidence[row, self.graph.index[concept]] = EVIDENCE[stated]
        return evidence

    def concept_targets(self, studies: Sequence[Study], sources: Sequence[str]) -> Tensor:
        """Concept targets from report and coding, `[n, N]`: training only.

        Findings are read in the sections that labels are read from, the patient's history in all. A
        concept that a study with report or coding does not name is absent; with a present concept
        all its `is_a` ancestors are present. NaN where there is neither report nor coding, where
        the report is uncertain, for concepts held out of training, and for what follows from those
        alone.
        """
        index = self.graph.index
        targets = torch.full((len(studies), len(index)), float("nan"))
        for row, study in enumerate(studies):
            stated: dict[str, Stated] = {}
            full = self.passages(study, "full") if "stated" in sources else ()
            counted = labelled_passages(full)
            stated |= self._stated(counted) | self._of_patient(full)
            coded = study.coded if "coded" in sources else {}
            stated |= {concept: value for concept, value in coded.items() if concept in index}
            if not counted and not coded:
                continue
            targets[row] = 0.0
            for concept, value in stated.items():
                targets[row, index[concept]] = TARGET[value]
            present = [concept for concept, value in stated.items() if value == "present"]
            hidden = [name for name in present if name in self.masked]
            for concept in self._wider(hidden):
                if stated.get(concept) != "present":
                    targets[row, index[concept]] = float("nan")
            for concept in self._wider(name for name in present if name not in self.masked):
                targets[row, index[concept]] = 1.0
        targets[:, [index[name] for name in sorted(self.masked)]] = float("nan")
        return targets

    def statements(self, studies: Sequence[Study]) -> Statements:
        """Statements of paired reports with their words, for training; none on held-out concepts.

        Sentences and words are counted as in the text of the paired policy.
        """
        policy = self.needs.paired_policy
        passages = [self.passages(study, policy, training=True) for study in studies]
        return self._statements(passages, self.encoder.tokenized(passages), training=True)

    def _statements(
        self, passages: Sequence[Passages], tokenized: Tokenized, *, training: bool
    ) -> Statements:
        """Statements of texts with their words; none on held-out concepts in training."""
        masked = self.masked if training else frozenset[str]()
        rows = [
            [
                (*self._about(stated), *_words(stated, tokenized, row))
                for stated in self.linker.link(allowed)
                if stated.concept in self.graph.index and stated.concept not in masked
            ]
            for row, allowed in enumerate(passages)
        ]
        most = max((len(row) for row in rows), default=0)
        filler = (-1.0, 0.0, -1.0, -1.0, -1.0, -1.0)
        values = torch.tensor([[*row, *[filler] * (max(most, 1) - len(row))] for row in rows])
        concept, assertion, *places = values.view(len(rows), -1, len(filler)).unbind(-1)
        return Statements(concept.long(), assertion, *(place.long() for place in places))

    def state(self) -> dict[str, Any]:
        """Fitted state, ready for JSON."""
        state: dict[str, Any] = self.encoder.state()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the fitted state."""
        self.encoder.restore(state)

    def _about(self, stated: Statement) -> tuple[int, float, int]:
        """Concept, assertion and site of a statement."""
        index = self.graph.index
        site = next((index[name] for name in stated.sites if name in index), -1)
        return index[stated.concept], EVIDENCE[stated.assertion], site

    def _wider(self, concepts: Iterable[str]) -> set[str]:
        """All ancestors of the concepts."""
        return {wide for name in concepts for wide in self.graph.ancestors(name)}

    def _without(self, passage: Passage, concepts: Collection[str]) -> Passage:
        """A passage without the clauses about the concepts."""
        left = redact([passage], self.linker.link([passage]), concepts)
        return left[0] if left else Passage(passage.name, "", passage.language)

    def _stated(self, passages: Passages) -> dict[str, Stated]:
        return dict(study_evidence(self.linker.link(passages), self.graph))

    def _of_patient(self, passages: Passages) -> dict[str, Stated]:
        """Statements about symptoms and history of the patient, in any section."""
        stated = self._stated(passages)
        return {c: one for c, one in stated.items() if self.graph.concept(c).kind in TOLD_KINDS}

    @torch.no_grad()
    def _described(self, texts: Sequence[str]) -> Text:
        """Words of plain texts, or of a frozen encoder one token each: the mean of its tokens."""
        passages = [_plain(text) for text in texts]
        words, mask, section = self.encoder.tokenize(passages)
        if not self.encoder.frozen:
            return Text(words, None, mask, section)

        def means(rows: Tensor) -> Tensor:
            tokens = self.encoder(words[rows], mask[rows], section[rows])
            made: Tensor = tokens.sum(1) / mask[rows].sum(1, keepdim=True).clamp_min(1)
            return made[:, None]

        pooled = self._kept(passages, {"pooled": "mean"}, (1, self.encoder.width), means)
        return Text(None, pooled.float(), mask[:, :1], section[:, :1])

    @torch.inference_mode()
    def _frozen(self, tokenized: Tokenized) -> Tensor:
        """Tokens of a frozen encoder, `[n, T, D]`."""
        tokens: Tensor = self.encoder(*tokenized.inputs)
        return tokens

    def _cached(self, passages: Sequence[Passages], tokenized: Tokenized) -> Tensor:
        """Tokens of a frozen encoder from its cache, each text encoded once, `[n, T, D]`."""
        words, mask, part = tokenized.inputs
        length, width = self.encoder.max_length, self.encoder.width

        def tokens(rows: Tensor) -> Tensor:
            encoded = self.encoder(words[rows], mask[rows], part[rows])
            room = torch.zeros(len(rows), length, width)
            room[:, : encoded.shape[1]] = encoded
            return room

        return self._kept(passages, {}, (length, width), tokens)[:, : mask.shape[1]]

    def _kept(
        self,
        passages: Sequence[Passages],
        about: Mapping[str, str],
        shape: tuple[int, int],
        encode: Callable[[Tensor], Tensor],
    ) -> Tensor:
        """What a frozen encoder makes of texts, from its cache, each text encoded once.

        Args:
            passages: The texts.
            about: What is kept, beside the weights and the length of the encoder.
            shape: Shape of what is kept of a text, tokens and width.
            encode: Makes it of the texts at these places.
        """
        key = {"weights": self.encoder.weights_hash(), "length": str(self.encoder.max_length)}
        cache: FeatureCache[str] = FeatureCache(self.cache, {**key, **about}, shape)
        names = [_digest(text) for text in passages]
        place = {name: row for row, name in reversed(list(enumerate(names)))}

        @torch.inference_mode()
        def missing(wanted: list[str]) -> np.ndarray[Any, Any]:
            made: np.ndarray[Any, Any] = encode(
                torch.tensor([place[name] for name in wanted])
            ).numpy()
            return made

        rows = cache.fill(names, missing)
        return torch.from_numpy(np.asarray(cache.array()[rows]))


def _words(stated: Statement, tokenized: Tokenized, row: int) -> tuple[int, int, int]:
    """Sentence, first and last word of a statement; -1 where its words were cut off."""
    passage, start, end = tokenized.place[row].unbind(-1)
    here = (passage == stated.passage) & (start < stated.end) & (stated.start < end)
    words = tokenized.word[row][here]
    if not len(words):
        return -1, -1, -1
    return int(tokenized.sentence[row][here][0]), int(words[0]), int(words[-1])


def texts_of(graph: KnowledgeGraph) -> tuple[list[str], list[str], list[str]]:
    """Names and definitions of the concepts, and relations in words; see `ConceptTexts`."""
    names = [concept.label for concept in graph.concepts]
    definitions = [concept.definition or concept.label for concept in graph.concepts]
    return names, definitions, [name.replace("_", " ") for name in CLINICAL]


def _plain(text: str) -> Passages:
    """A text without sections of its own, read like findings."""
    return (Passage("findings", text),)


def _digest(passages: Passages) -> str:
    """Hash that names a text."""
    plain = json.dumps([(p.name, p.text, p.language) for p in passages], ensure_ascii=False)
    return hashlib.sha256(plain.encode()).hexdigest()
