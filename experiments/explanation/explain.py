"""Explanation of predictions: answers for studies, each finding with its evidence and certainty."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from encoders.batch import StudyBatch
from encoders.reading.picture import shape_of
from encoders.study import Passage, Study
from experiments.explanation.answer import (
    Certainty,
    FactPath,
    FindingAnswer,
    ImageMap,
    MapMethod,
    Model,
    ShownImage,
    StatementShare,
    StudyAnswer,
    WordShare,
)
from experiments.explanation.conformal import ConformalSets, conformal_sets, subsets_of
from experiments.explanation.deletion import (
    Span,
    Words,
    logits,
    places_of,
    shares,
    with_tokens,
    word_spans,
)
from experiments.explanation.facts import fact_paths
from experiments.explanation.image_maps import cells_of, image_maps, unique_pictures
from experiments.explanation.unusual import Familiar
from experiments.inference.predict import Predicted, ReadInputs
from experiments.records.predictions import read_predictions
from experiments.runs.restore import Restored
from kg.errors import InputError
from kg.mentions.statement import Statement
from kg.model.graph import KnowledgeGraph

__all__ = ["Background", "Wanted", "explain"]

Answered = tuple[Predicted, ReadInputs]
"""Predictions of a run, and what it read for them."""

EXPLAINED = 5
"""Findings whose facts are measured, the most important ones, where none are named."""


@dataclass(frozen=True)
class Wanted:
    """Evidence that is measured.

    Args:
        findings: Concept ids of findings whose facts are measured; empty = the most important.
        methods: Methods of image maps.
        measured: Whether any evidence is measured.
    """

    findings: tuple[str, ...] = ()
    methods: tuple[MapMethod, ...] = ("occlusion",)
    measured: bool = True


@dataclass(frozen=True)
class Background:
    """What a run knows of its own studies, against which an answer is held.

    Args:
        sets: Conformal sets of its findings; none where it was not measured by classification.
        familiar: Its training pictures; None where they were not described.
    """

    sets: Mapping[str, ConformalSets]
    familiar: Familiar | None

    @classmethod
    def of(cls, restored: Restored) -> Background:
        """That of a run."""
        return cls(_sets(restored), Familiar.load(restored.folder))


def explain(
    predictions: Sequence[Answered], wanted: Wanted, background: Background | None = None
) -> list[StudyAnswer]:
    """Answers for the studies of a prediction, with evidence.

    Args:
        predictions: Predictions of one or more runs for the same inputs and findings; the
            evidence is that of the first.
        wanted: Evidence that is measured.
        background: That of the first run; None = it is read.

    Raises:
        InputError: If the runs do not answer for the same studies and findings.
    """
    first, read = predictions[0]
    for other, of in predictions[1:]:
        same = (other.prediction.studies, other.prediction.findings)
        if same != (first.prediction.studies, first.prediction.findings):
            raise InputError(
                f"{of.restored.folder.run} does not answer for the studies and findings of "
                f"{read.restored.folder.run}",
                "name runs of the same inputs, or findings that all of them know with --findings",
            )
    known = background or Background.of(read.restored)
    return [_answer(predictions, place, wanted, known) for place in range(len(read.cohort))]


def _sets(restored: Restored) -> Mapping[str, ConformalSets]:
    """Conformal sets of a run's findings; none where it was not measured by classification."""
    if restored.calibration is None or not restored.folder.predictions.is_file():
        return {}
    subsets = subsets_of(read_predictions(restored.folder.predictions))
    return {} if subsets is None else conformal_sets(*subsets)


def _answer(
    predictions: Sequence[Answered],
    place: int,
    wanted: Wanted,
    known: Background,
) -> StudyAnswer:
    """Answer for one study."""
    first, read = predictions[0]
    subject = Subject(first, read, place)
    plain = [
        FindingAnswer(
            finding,
            first.labels[column],
            first.prediction.basis[column],
            first.prediction.thresholds[column],
            _certainty(predictions, place, column, known.sets.get(read.answered[column])),
        )
        for column, finding in enumerate(first.prediction.findings)
    ]
    order = sorted(range(len(plain)), key=lambda column: importance(plain[column]))
    chosen = [first.prediction.findings.index(one) for one in wanted.findings]
    facts = chosen or order[:EXPLAINED]
    evidence = subject.evidence(wanted.methods, facts) if wanted.measured else {}
    findings = tuple(replace(plain[c], **evidence.get(c, {})) for c in order)
    return StudyAnswer(
        study=subject.study.study,
        models=tuple(_model(of.restored) for _, of in predictions),
        images=unique_pictures(subject.shown),
        passages=subject.passages,
        findings=findings,
        unusual=None
        if known.familiar is None
        else known.familiar.of(read.restored.system, subject.encoded),
        exposed=read.exposed(subject.study),
        refused=tuple((path, why) for study, path, why in first.rejected if study == subject.id),
        notes=first.notes,
        names=_names(findings, read.restored.graph),
    )


def _names(findings: Sequence[FindingAnswer], graph: KnowledgeGraph) -> dict[str, str]:
    """Preferred names of the concepts in the facts."""
    facts = [fact for answer in findings for fact in answer.facts]
    edges = [one.edge for fact in facts for one in fact.edges]
    ends = [end for edge in edges for end in (edge.subject, edge.object)]
    return {name: graph.concept(name).label for name in (*(f.concept for f in facts), *ends)}


def importance(answer: FindingAnswer) -> tuple[int, float]:
    """Order of findings: present, uncertain and zero-shot ones, absent, not possible."""
    ranks = {"present": 0, "uncertain": 1, "no threshold": 1, "absent": 2, "not possible": 3}
    probability = answer.certainty.probability or 0.0
    return ranks[answer.verdict], -probability / (answer.threshold or 0.5)


def _certainty(
    predictions: Sequence[Answered], place: int, column: int, sets: ConformalSets | None
) -> Certainty:
    first = predictions[0][0].prediction
    given = [float(one.prediction.probabilities[place, column]) for one, _ in predictions]
    calibrated = bool(first.calibration) and first.calibration[column] is not None
    if first.basis[column] == "not_possible" or not np.isfinite(given).all():
        return Certainty(None, calibrated=False, runs=len(given))
    several = len(given) > 1
    return Certainty(
        float(np.mean(given)),
        calibrated,
        min(given) if several else None,
        max(given) if several else None,
        len(given),
        # the sets of a run hold for its own probabilities alone
        None if several or sets is None else sets.of(given[0]),
    )


def _model(restored: Restored) -> Model:
    record = restored.record
    return Model(
        run=record.run,
        system=record.system,
        dataset=record.dataset,
        inputs=record.inputs_at_test,
        weights=restored.weights,
        graph=record.graph.fingerprint if record.graph else "",
        version=record.version,
    )


class Subject:
    """A study before the system that answered for it.

    Args:
        predicted: The prediction.
        read: What was read for it.
        place: Place of the study in its cohort.
    """

    def __init__(self, predicted: Predicted, read: ReadInputs, place: int) -> None:
        self.restored = read.restored
        self.study: Study = read.cohort.studies[place]
        self.id = predicted.prediction.studies[place]
        self.batch: StudyBatch = read.cohort.batch([place])
        basis = predicted.prediction.basis
        self.columns = [c for c, how in enumerate(basis) if how != "not_possible"]
        self.findings = tuple(read.answered[column] for column in self.columns)

    @cached_property
    def encoded(self) -> StudyBatch:
        """The study with its pictures encoded."""
        return with_tokens(self.restored.system, self.batch)

    @cached_property
    def passages(self) -> tuple[Passage, ...]:
        """Passages of text that the system read."""
        preprocessor, policy = self.restored.preprocessor, self.restored.experiment.text.test
        if self.batch.text is None or policy == "none":
            return ()
        return preprocessor.text.passages(self.study, policy)

    @cached_property
    def shown(self) -> tuple[ShownImage, ...]:
        """Images that the system read, tiles apart."""
        loader = self.restored.preprocessor.images
        chosen = loader.chosen(self.study, Path()) if loader else ()
        return tuple(ShownImage(one, shape_of(one.path, one.frame)) for one in chosen)

    def evidence(
        self, methods: Sequence[MapMethod], facts: Iterable[int]
    ) -> dict[int, dict[str, Any]]:
        """Evidence for each finding that can be answered, by its column."""
        maps, (words, statements) = self._maps(methods), self._words()
        inputs, found = self._inputs(), self._facts(facts)
        return {
            column: {
                "maps": maps[at],
                "words": words[at],
                "statements": statements[at],
                "inputs": inputs[at],
                "facts": found.get(column, ()),
            }
            for at, column in enumerate(self.columns)
        }

    def _maps(self, methods: Sequence[MapMethod]) -> list[tuple[ImageMap, ...]]:
        """Maps of each finding."""
        system, loader = self.restored.system, self.restored.preprocessor.images
        places = places_of(self.batch, system)
        made: list[tuple[ImageMap, ...]] = [()] * len(self.findings)
        if places is None or loader is None or not self.findings:
            return made
        view = loader.encoder.preprocessing.size, loader.section.recipe
        for method in methods:
            cells = cells_of(system, places, self.findings, method)
            made = [
                (*maps, *image_maps(one, method, self.shown, view))
                for maps, one in zip(made, cells, strict=True)
            ]
        return made

    def _words(
        self,
    ) -> tuple[list[tuple[WordShare, ...]], list[tuple[StatementShare, ...]]]:
        """Words and statements of each finding."""
        spans = word_spans(self.passages)
        if not spans:
            return [()] * len(self.findings), [()] * len(self.findings)
        loader, graph = self.restored.preprocessor.text, self.restored.graph
        stated: list[Statement] = loader.linker.link(self.passages)
        said = [Span(one.passage, one.start, one.end) for one in stated]
        units = tuple((span,) for span in dict.fromkeys([*spans, *said]))
        found = shares(
            self.restored.system,
            Words(self.encoded, loader, self.passages, units),
            self.findings,
        )
        row = {unit[0]: place for place, unit in enumerate(units)}
        words, statements = [], []
        for of in found.T.tolist():
            words.append(tuple(WordShare(*span, of[row[span]]) for span in spans))
            ranked = [
                StatementShare(one, graph.concept(one.concept).label, of[row[span]])
                for one, span in zip(stated, said, strict=True)
                if one.concept in graph.index
            ]
            statements.append(tuple(sorted(ranked, key=lambda one: -abs(one.share))))
        return words, statements

    def _facts(self, columns: Iterable[int]) -> dict[int, tuple[FactPath, ...]]:
        """Facts of some findings, by column."""
        asked = set(columns)
        chosen = [at for at, column in enumerate(self.columns) if column in asked]
        findings = tuple(self.findings[at] for at in chosen)
        facts = fact_paths(self.restored.system, self.batch, findings)
        return {self.columns[at]: one for at, one in zip(chosen, facts, strict=True)}

    def _inputs(self) -> list[dict[str, float]]:
        """Share of each whole input of a study that has several."""
        without: dict[str, StudyBatch] = {}
        if self.encoded.image_mask.any():
            hidden = torch.zeros_like(self.encoded.image_mask)
            without["image"] = replace(self.encoded, image_mask=hidden)
        if self.encoded.text is not None and self.encoded.text.mask.any():
            silent = self.encoded.text.silenced(self.encoded.text.mask.any(1))
            evidence = self.encoded.evidence
            unsaid = None if evidence is None else torch.zeros_like(evidence)
            without["text"] = replace(self.encoded, text=silent, evidence=unsaid)
        made: list[dict[str, float]] = [{} for _ in self.findings]
        if len(without) < 2:
            return made
        system = self.restored.system
        whole = logits(system, self.encoded, self.findings)[0]
        for name, batch in without.items():
            lost = whole - logits(system, batch, self.findings)[0]
            for at in np.flatnonzero(np.isfinite(lost)).tolist():
                made[at][name] = float(lost[at])
        return made
