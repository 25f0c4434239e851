"""Reports written by template from a classifier's probabilities: a control for generated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.inference.score import probabilities
from experiments.loading.cohort import Cohort, batches
from experiments.metrics.decisions import choose_thresholds
from experiments.metrics.sums import MetricsOf
from experiments.records.folder import RunFolder
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._reports import Reported, measured_reports, metrics_of, training_studies
from fusion.capabilities import Classifies, able
from fusion.system import Basis
from kg.errors import InputError
from kg.mentions.labels import ABNORMAL_KINDS
from kg.mentions.own_tables import table_rows

__all__ = ["TemplateGeneration"]

WRITER = "template_"
"""Prefix of its metrics."""

SENTENCES: Mapping[str, tuple[str, str]] = {
    "en": ("There is {}.", "No {}."),
    "zh": ("\u53ef\u89c1{}\u3002", "\u672a\u89c1{}\u3002"),
}
"""Sentences that state a finding and that deny it, by language; others are written in English."""

Decided = NDArray[np.bool_]


class TemplateGeneration:
    """States what reaches its threshold, and denies what most training reports deny.

    It writes of the findings trained on; where training reports state none of them, as of a
    diagnosis made elsewhere, of the concepts that they state often enough for concept supervision.
    Thresholds have the highest F1 against what reports of validation state.
    """

    capability: ClassVar[type] = Classifies
    table: ClassVar[str] = "scores.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = metrics_of([WRITER])
    metrics: ClassVar[tuple[str, ...]] = tuple(
        name for metrics in sums.values() for name in metrics(())
    )

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Write a report for each test study with images and a report.

        Raises:
            InputError: If there is none, or no finding that it could write of.
        """
        test = context.cohorts["test"]
        reported = Reported.of(test)
        findings = _findings(context)
        validation = context.with_training_text("validation")
        thresholds = choose_thresholds(
            _present(context, validation, findings).astype(float),
            _probabilities(context, validation, findings),
            [study.patient for study in validation.studies],
        )
        thresholds.refuse(reported.patients)
        chances = _probabilities(context, test, findings)[list(reported.places)]
        present: Decided = chances >= np.array(thresholds.values)
        names = [_name(context, finding) for finding in findings]
        usual = _usually_denied(context, findings)
        sentences = SENTENCES.get(context.experiment.text.language, SENTENCES["en"])
        written = [written_by(row, usual, names, sentences) for row in present]
        return measured_reports(folder, context, reported, {WRITER: written})


def written_by(
    present: Decided, usual: Decided, names: Sequence[str], sentences: tuple[str, str]
) -> str:
    """A report: the findings present first, then denials of the usual ones.

    Args:
        present: Whether each finding is stated, `[C]`.
        usual: Whether it is denied where it is not, `[C]`.
        names: Names of the findings, `C`.
        sentences: Sentences that state and that deny one.
    """
    stated = [
        sentences[0].format(name) for name, there in zip(names, present, strict=True) if there
    ]
    denied = [
        sentences[1].format(name)
        for name, there, usually in zip(names, present, usual, strict=True)
        if usually and not there
    ]
    return " ".join([*stated, *denied])


def _findings(context: RunContext) -> tuple[str, ...]:
    """Abnormal findings to write of.

    Raises:
        InputError: If there is none.
    """
    system: Classifies = able(context.system, Classifies)
    graph, train = context.preprocessor.graph, training_studies(context)

    def abnormal(names: Sequence[str], *bases: Basis) -> tuple[str, ...]:
        return tuple(
            name
            for name in names
            if graph.concept(name).kind in ABNORMAL_KINDS and system.basis(name) in bases
        )

    trained = abnormal(context.preprocessor.findings, "trained")
    if _present(context, train, trained).any():
        return trained
    learnt = abnormal(context.preprocessor.supervised, "trained", "zero_shot")
    if not learnt:
        raise InputError(
            f"{context.experiment.system.name} knows no finding to write of",
            "measure it in a run that is trained towards findings that reports state",
        )
    return learnt


def _probabilities(
    context: RunContext, cohort: Cohort, findings: tuple[str, ...]
) -> NDArray[np.float64]:
    """Probabilities of findings, each its own."""
    rows = batches(cohort, range(len(cohort)))
    return probabilities(context.system, rows, findings, exclusive=False)


def _present(context: RunContext, cohort: Cohort, findings: Sequence[str]) -> Decided:
    """Whether report and coding of each study state each finding present, `[n, C]`."""
    assert cohort.concept_targets is not None
    places = [context.preprocessor.graph.index[finding] for finding in findings]
    present: Decided = (cohort.concept_targets[:, places] == 1).numpy()
    return present


def _usually_denied(context: RunContext, findings: Sequence[str]) -> Decided:
    """Whether more than half of the training reports deny a finding, `[C]`."""
    studies = training_studies(context).studies
    stated = context.preprocessor.text.evidence(studies, "full", training=True)
    places = [context.preprocessor.graph.index[finding] for finding in findings]
    usual: Decided = ((stated[:, places] < 0).double().mean(0) > 0.5).numpy()
    return usual


def _name(context: RunContext, finding: str) -> str:
    """Name of a finding in the run's language."""
    chinese = _chinese() if context.experiment.text.language == "zh" else {}
    return chinese.get(finding) or context.preprocessor.graph.concept(finding).label.lower()


@cache
def _chinese() -> Mapping[str, str]:
    """The first Chinese name of each concept."""
    names: dict[str, str] = {}
    for row in table_rows("chinese.tsv"):
        if not row["asserts"]:
            names.setdefault(row["concept"], row["phrase"])
    return names
