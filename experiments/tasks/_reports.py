"""Reports of test studies measured by words and clinical statements, shared by two tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from experiments.loading.cohort import Cohort
from experiments.metrics.efficacy import (
    STATEMENT_METRICS,
    label_metrics,
    label_sums,
    labels_in,
    labels_of,
    statement_sums,
    statements_of,
)
from experiments.metrics.sums import Metric, MetricsOf, StudySums
from experiments.metrics.texts import TEXT_METRICS, text_sums, words_of
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._measured import save_and_measure
from kg.errors import InputError
from kg.mentions.labels import STYLES, Labeler, Style, Value, labeler
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

__all__ = ["Reported", "measured_reports", "metrics_of", "training_studies", "with_both"]

LABEL_SETS = ("chexpert14", "nih14")
"""Label sets that every report is read by, beside the run's own."""

OF_LABELS = ("precision_micro", "recall_micro", "f1_micro", "f1_macro")
"""Metrics of labels in the record."""

STREAMED = 2000
"""Largest number of streamed training studies that are read for controls."""


@dataclass(frozen=True)
class Reported:
    """Test studies with images and a report.

    Args:
        places: Their places in the cohort.
        studies: Their identifiers.
        patients: Group key of each.
        references: Their true reports.
    """

    places: tuple[int, ...]
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    references: tuple[str, ...]

    @classmethod
    def of(cls, test: Cohort) -> Reported:
        """Those of a cohort.

        Raises:
            InputError: If there is none.
        """
        places = with_both(test)
        if not places:
            raise InputError(
                "no test study has image and report", "generation needs both: see `data check`"
            )
        chosen = [test.studies[at] for at in places]
        return cls(
            tuple(places),
            tuple(one.study for one in chosen),
            tuple(one.patient for one in chosen),
            tuple(test.report_text(one.study) for one in chosen),
        )


def with_both(cohort: Cohort) -> list[int]:
    """Places of the studies with images and a report."""
    if cohort.pictures is None:
        return []
    pictured = (cohort.pictures.rows >= 0).any(1).tolist()
    return [
        place
        for place, study in enumerate(cohort.studies)
        if pictured[place] and cohort.report_text(study.study)
    ]


def training_studies(context: RunContext) -> Cohort:
    """Training studies, evenly spaced ones where they are streamed."""
    train = context.cohorts["train"]
    if isinstance(train, Cohort):
        return train
    step = -(-len(train) // STREAMED)
    some = [train.studies[place] for place in range(0, len(train), step)]
    return context.preprocessor.read(some, context.root, training=True)


def metrics_of(writers: Sequence[str]) -> dict[str, MetricsOf]:
    """Metrics of what each writer has written, by the row of scores.parquet.

    Args:
        writers: Prefixes of the metrics.
    """
    return {f"{writer}generation": partial(_metrics, writer) for writer in writers}


def measured_reports(
    folder: RunFolder,
    context: RunContext,
    reported: Reported,
    written: Mapping[str, Sequence[str]],
) -> TaskResult:
    """Measure the reports of each writer, given by its prefix, and write down their sums."""
    sums = _sums(context, written, reported.references)
    rows = [
        ScoredStudies(
            TEST, f"{writer}generation", reported.studies, reported.patients, sums[writer]
        )
        for writer in written
    ]
    seed = context.experiment.seed
    return TaskResult(
        metrics={TEST: save_and_measure(folder, rows, metrics_of(list(written)), seed)}
    )


def _metrics(writer: str, numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of what a writer has written, of numbers with these names."""
    metrics = {**TEXT_METRICS}
    for name in ("", *LABEL_SETS):
        of_labels = label_metrics(labels_in(numbers, name))
        metrics |= {f"{name or 'label'}_{metric}": of_labels[metric] for metric in OF_LABELS}
    return {f"{writer}{name}": one for name, one in (metrics | dict(STATEMENT_METRICS)).items()}


def _labelers(context: RunContext) -> dict[str, Labeler]:
    """Labelers of the run's own label set, by an empty name, and of `LABEL_SETS`."""
    graph, own = context.preprocessor.graph, context.label_set
    known = {one.name for one in graph.label_sets}
    return {
        "": Labeler(graph, own, STYLES.get(own.name, Style())),
        **{name: labeler(graph, name) for name in LABEL_SETS if name in known},
    }


def _labels(reads: Labeler, statements: Sequence[Sequence[Statement]]) -> list[dict[str, Value]]:
    """Labels stated by texts, without that of normal studies, which is easily right."""
    label_set = reads.label_set
    pairs = zip(label_set.columns, label_set.findings, strict=True)
    columns = [column for column, name in pairs if name != label_set.no_finding]
    found = labels_of(statements, reads)
    return [{column: each[column] for column in columns} for each in found]


def _sums(
    context: RunContext, written: Mapping[str, Sequence[str]], references: Sequence[str]
) -> dict[str, StudySums]:
    """Contributions of each study to the metrics, by writer; repeated texts are read once."""
    graph = context.preprocessor.graph
    linker = MentionLinker(graph)  # that of the run may know fewer names
    texts = list({*references, *(text for each in written.values() for text in each)})
    stated = dict(zip(texts, statements_of(texts, linker), strict=True))
    labels = {
        name: dict(zip(texts, _labels(reads, list(stated.values())), strict=True))
        for name, reads in _labelers(context).items()
    }
    true_words = [words_of(text) for text in references]
    made = {}
    for writer, each in written.items():
        sums = text_sums([words_of(text) for text in each], true_words)
        for name, of in labels.items():
            sums |= label_sums([of[text] for text in each], [of[text] for text in references], name)
        made[writer] = sums | statement_sums(
            [stated[text] for text in each], [stated[text] for text in references], graph
        )
    return made
