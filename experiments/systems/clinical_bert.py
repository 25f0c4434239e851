"""Clinical-BERT: diagnoses, medical words and their match taught to one stream (Yan 2022).

Reference: Yan and Pei: Clinical-BERT: Vision-Language Pre-training for Radiograph Diagnosis and
Reports Generation, AAAI 2022. Fidelity: reconstruction; there is no public code, the objectives are
those of the abstract and of works that describe it, and what they leave open is decided here.

Pretraining adds three objectives to hidden words: the state of every finding in the report
(present, absent, uncertain, not mentioned) is told from the picture alone; medical words are hidden
and told with the picture; and medical words of a report are matched with the picture, each looking
at few regions, and few of them deciding. Hidden words are told by everything or by what stands
before them, as chance has it. Then findings are read from the picture, or its report is written.

What differs, and why:
- Medical words are those that this project's linker finds, in English and Chinese, in place of a
  list of MeSH; the states are read by it too, of the findings of the run.
- Sparse attention keeps the few largest weights (`regions`, `terms`); the paper's form of it is not
  known. Wrong words are those of a report in the batch with other labels, as in MedViLL.
- Each objective has its weight in a stage, and is off without one. The stream begins as a BERT
  where the text encoder is one; else it is small, and random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import Features, Statements, StudyBatch, Text
from fusion.devices import mean_of
from fusion.layers.hidden_words import WordHead, hide_words
from fusion.layers.mismatched import mismatch
from fusion.layers.pools import masked_softmax
from fusion.layers.single_stream import Attention
from fusion.layers.stream_classifier import StreamClassifier
from fusion.layers.stream_writer import hidden_report, write_reports
from fusion.needs import Needs
from fusion.stage import Stage
from fusion.system import Setting
from kg.bounds import Few, Share, Width
from kg.errors import InputError
from kg.model.graph import KnowledgeGraph

__all__ = ["ClinicalBERT"]

STATES = 4
"""States of a finding in a report: not mentioned, absent, uncertain, present."""


class Words(NamedTuple):
    """Words of reports in the order of the stream.

    Args:
        ids: Word ids with the mark of their end, `[B, T]`.
        mask: True where there is one, `[B, T]`.
        terms: True where it is a medical word, `[B, T]`.
    """

    ids: Tensor
    mask: Tensor
    terms: Tensor


class ClinicalBERT(StreamClassifier):
    """A single stream that is taught what reports state.

    Args:
        options: Sizes.
        setting: What the run is about.
        stages: Stages of training.
    """

    class Options(StreamClassifier.Options):
        """Options of the system.

        Args:
            hidden_words: Share of the words that are hidden.
            hidden_terms: Share of the medical words that are hidden.
            hidden_to_write: Share of the words that are hidden where reports are learnt to write.
            wrong: Share of the pictures shown with wrong medical words.
            regions: Number of image tokens that a medical word looks at.
            terms: Number of medical words that decide a match.
            limit: Largest number of words of a report.
            beams: Number of beams in generation; 1 = greedy.
        """

        hidden_words: Share = 0.15
        hidden_terms: Share = 0.5
        hidden_to_write: Share = 0.5
        wrong: Share = 0.5
        regions: Few = 4
        terms: Few = 4
        limit: Width = 60
        beams: Few = 1

    PRETRAINING: ClassVar[Mapping[str, float]] = {
        "states": 1.0,
        "hidden_terms": 1.0,
        "matching": 1.0,
        "hidden_words": 1.0,
    }
    options: Options
    covered: Tensor

    @classmethod
    def loss_names(cls, options: Any) -> tuple[str, ...]:
        """Those of pretraining, of writing and of the findings."""
        return (*cls.PRETRAINING, "report", "classification")

    @classmethod
    def needs(cls, options: Any, stages: tuple[Stage, ...]) -> Needs:
        """Words by number; reports where they are paired, with their statements in pretraining."""
        named = _named(stages)
        paired = bool(named - {"classification"})
        stated = bool(named & {"states", "hidden_terms", "matching"})
        return Needs(paired_report=paired, statements=stated, vocabulary=True)

    def __init__(self, options: Options, setting: Setting, stages: tuple[Stage, ...] = ()) -> None:
        super().__init__(options, setting, stages)
        width, named = self.stream.width, _named(self.stages)
        if named - {"classification"} and not setting.text_width:
            raise InputError("clinical_bert learns from reports", "give it data with reports")
        self.tell: WordHead | None = None
        if named & {"hidden_words", "hidden_terms", "report"}:
            self.tell = WordHead(width, self.stream.vocabulary.size)
        if "states" in named:
            self.states = nn.Linear(width, len(setting.findings) * STATES)
            covered = _covered(setting.graph, setting.findings)
            self.register_buffer("covered", covered, persistent=False)
        if "matching" in named:
            self.key, self.query = nn.Linear(width, width), nn.Linear(width, width)
            self.weigh, self.fits = (nn.Linear(2 * width, 1) for _ in range(2))

    def made(self, batch: StudyBatch) -> dict[str, Callable[[], Tensor]]:
        """Each loss by name, as a function that computes it."""
        share = self.options
        return {
            **super().made(batch),
            "states": lambda: self.diagnosis(batch),
            "hidden_terms": lambda: self.hidden(batch, share.hidden_terms, terms=True),
            "matching": lambda: self.matching(batch),
            "hidden_words": lambda: self.hidden(batch, share.hidden_words, terms=False),
            "report": lambda: self.report(batch),
        }

    def diagnosis(self, batch: StudyBatch) -> Tensor:
        """Cross-entropy of the state of each finding in the report, from the picture alone."""
        assert batch.statements is not None
        text = _paired(batch)
        logits = self.states(self.stream(self.image_tower(batch), None).first)
        logits = logits.unflatten(1, (-1, STATES)).transpose(1, 2)
        truth = stated_states(batch.statements, self.covered)
        each = F.cross_entropy(logits, truth, reduction="none").mean(1)
        return mean_of(each, text.mask.any(1) & batch.image_mask.any(1))

    def hidden(self, batch: StudyBatch, rate: float, *, terms: bool) -> Tensor:
        """Loss of hidden words, or of hidden medical words, told with the picture.

        Hidden medical words are told by everything; others by everything or, in every other step
        by chance, by what stands before them.
        """
        assert self.tell is not None
        words, image = self.words(batch), self.image_tower(batch)
        attention: Attention = "full"
        if not terms and bool(torch.rand(()) < 0.5):
            attention = "seq2seq"
        chosen = words.terms if terms else words.mask
        chosen = chosen & (words.ids != self.stream.vocabulary.end)
        shown, hidden = hide_words(words.ids, chosen, self.stream.vocabulary, rate=rate)
        joint = self.stream(image, self.stream.embed(shown, words.mask), attention)
        return self.tell.loss(joint.text.tokens, words.ids, hidden)

    def matching(self, batch: StudyBatch) -> Tensor:
        """Loss of telling whether medical words are those of the picture's own report."""
        words, image = self.words(batch), self.image_tower(batch)
        pairs = words.terms.any(1) & batch.image_mask.any(1)
        at, own = mismatch(batch.targets, pairs, share=self.options.wrong)
        vectors = self.stream.embed(words.ids[at], words.terms[at])
        fits = self.match_terms(image, vectors)
        each = F.binary_cross_entropy_with_logits(fits, own.to(fits.dtype), reduction="none")
        return mean_of(each, pairs)

    def match_terms(self, image: Features, terms: Features) -> Tensor:
        """Logit that medical words fit a picture, `[B]`: few words, each by few regions."""
        scores = self.query(terms.tokens) @ self.key(image.tokens).transpose(1, 2)
        scores = scores / terms.tokens.shape[-1] ** 0.5
        seen = sparse_softmax(scores, image.mask[:, None], self.options.regions) @ image.tokens
        pairs = torch.cat([terms.tokens, seen], -1)
        weights = sparse_softmax(self.weigh(pairs)[..., 0], terms.mask, self.options.terms)
        fits: Tensor = (weights * self.fits(pairs)[..., 0]).sum(1)
        return fits

    def report(self, batch: StudyBatch) -> Tensor:
        """Loss of the hidden words of reports, each told from the picture and earlier words."""
        assert self.tell is not None
        image, rate = self.image_tower(batch), self.options.hidden_to_write
        return hidden_report(self.stream, self.tell, image, _paired(batch), rate=rate)

    def generate(self, batch: StudyBatch) -> list[str]:
        """A report for each study from its images; empty without one.

        Raises:
            InputError: If no stage has learnt words.
        """
        if self.tell is None:
            raise InputError(
                "this run of clinical_bert has not learnt words", "train it in a stage of `report`"
            )
        image, options = self.image_tower(batch), self.options
        return write_reports(
            self.stream, self.tell, image, limit=options.limit, beams=options.beams
        )

    def words(self, batch: StudyBatch) -> Words:
        """Words of the reports, and which are medical."""
        text = _paired(batch)
        ids, mask = self.stream.words(text)
        if batch.statements is None:
            return Words(ids, mask, torch.zeros_like(mask))
        return Words(ids, mask, mask & _in_order(text, _spanned(text, batch.statements)))


def sparse_softmax(scores: Tensor, mask: Tensor, kept: int) -> Tensor:
    """Softmax over the `kept` largest unmasked scores of the last dimension; zeros elsewhere."""
    lowest = torch.finfo(scores.dtype).min
    known = scores.masked_fill(~mask, lowest)
    least = known.topk(min(kept, known.shape[-1]), -1).values[..., -1:]
    return masked_softmax(scores, mask & (known >= least))


def stated_states(statements: Statements, covered: Tensor) -> Tensor:
    """State of each finding in each report, `[B, C]`: the strongest of what is stated of it.

    Args:
        statements: What the reports state.
        covered: True where a concept states a finding, `[N, C]`.
    """
    strength = (statements.assertion == 1) * 3 + (statements.assertion == 0.5) * 2
    strength = (strength + (statements.assertion == -1)) * statements.mask
    about = covered[statements.concept.clamp_min(0)]
    return (about * strength[..., None]).amax(1)


def _covered(graph: KnowledgeGraph, findings: tuple[str, ...]) -> Tensor:
    """True where a concept is a finding or narrower by `is_a`, `[N, C]`."""
    covered = torch.zeros(len(graph.concepts), len(findings), dtype=torch.bool)
    for place, finding in enumerate(findings):
        if finding in graph.index:
            for concept in (finding, *graph.descendants(finding)):
                covered[graph.index[concept], place] = True
    return covered


def _spanned(text: Text, statements: Statements) -> Tensor:
    """True where a token is in the words of a statement, `[B, T]`."""
    assert text.word is not None
    word = text.word[:, :, None]
    first, last = statements.first[:, None], statements.last[:, None]
    return ((word >= first) & (word <= last) & (first >= 0)).any(-1)


def _in_order(text: Text, values: Tensor) -> Tensor:
    """Values of tokens `[B, T]` in the order of `SingleStream.words`, `[B, T + 1]`."""
    assert text.word is not None
    order = (~(text.mask & (text.word >= 0))).long().argsort(dim=1, stable=True)
    return F.pad(values.gather(1, order), (0, 1))


def _paired(batch: StudyBatch) -> Text:
    """The reports of a batch."""
    if batch.paired_text is None:
        raise ValueError("the batch has no reports beside its images")
    return batch.paired_text


def _named(stages: tuple[Stage, ...]) -> set[str]:
    """Losses that any stage weighs."""
    return {name for stage in stages for name in stage.objectives}
