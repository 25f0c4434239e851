"""Generation of reports for the test studies, measured by words and clinical statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.nn import functional as F

from encoders.reading.plain import language_of
from encoders.study import Passage
from experiments.inference.score import evaluating
from experiments.loading.cohort import Cohort, batches
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
from experiments.privacy.free_text import TextChoice, kept_passages, text_of_examples
from experiments.records.atomic import atomic_path
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._measured import save_and_measure
from fusion.capabilities import Generates, able
from kg.errors import InputError
from kg.mentions.labels import STYLES, Labeler, Style, Value
from kg.mentions.linker import MentionLinker
from kg.mentions.statement import Statement

__all__ = ["Generation"]

WRITERS = ("", "most_common_", "nearest_", "random_")
"""Prefixes of metrics: the system, and as controls the most common training report, that of the
training study with the nearest images, and that of a random training study."""

OF_LABELS = ("precision_micro", "recall_micro", "f1_micro", "f1_macro")
"""Metrics of labels in the record."""

THUMBNAIL = 8
"""Side of the thumbnails for the nearest images, where no tokens are cached."""

STREAMED = 2000
"""Largest number of streamed training studies for the controls."""


def _metrics(writer: str, numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of what one of the `WRITERS` has written."""
    of_labels = label_metrics(labels_in(numbers))
    metrics = {
        **TEXT_METRICS,
        **{f"label_{name}": of_labels[name] for name in OF_LABELS},
        **STATEMENT_METRICS,
    }
    return {f"{writer}{name}": metric for name, metric in metrics.items()}


class Generation:
    """Word overlap with the true report, and clinical efficacy, beside three controls."""

    capability: ClassVar[type] = Generates
    table: ClassVar[str] = "texts.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = {
        f"{writer}generation": partial(_metrics, writer) for writer in WRITERS
    }
    metrics: ClassVar[tuple[str, ...]] = tuple(
        name for metrics in sums.values() for name in metrics(())
    )

    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Generate a report for each test study with images and a report; write both to a table.

        Raises:
            InputError: If no test or no training study has both.
        """
        test, train = context.cohorts["test"], _training(context)
        places, known = _with_both(test), _with_both(train)
        if not places or not known:
            lacking = "training" if places else "test"
            raise InputError(
                f"no {lacking} study has image and report",
                "generation needs both: see `data check`",
            )
        studies = tuple(test.studies[at].study for at in places)
        patients = tuple(test.studies[at].patient for at in places)
        references = [test.report_text(study) for study in studies]
        written = {
            "": _generated(context, test, places),
            **_controls(train, known, test, places, seed=context.experiment.seed),
        }
        choice = text_of_examples(context.experiment.examples)
        _write_texts(folder, studies, references, written[""], choice)
        sums = _sums(context, written, references)
        rows = [
            ScoredStudies(TEST, f"{writer}generation", studies, patients, sums[writer])
            for writer in WRITERS
        ]
        measured = save_and_measure(folder, rows, self.sums, context.experiment.seed)
        return TaskResult(metrics={TEST: measured})


def _training(context: RunContext) -> Cohort:
    """Training studies, evenly spaced ones where they are streamed."""
    train = context.cohorts["train"]
    if isinstance(train, Cohort):
        return train
    step = -(-len(train) // STREAMED)
    some = [train.studies[place] for place in range(0, len(train), step)]
    return context.preprocessor.read(some, context.root, training=True)


def _with_both(cohort: Cohort) -> list[int]:
    """Places of the studies with images and a report."""
    if cohort.pictures is None:
        return []
    pictured = (cohort.pictures.rows >= 0).any(1).tolist()
    return [
        place
        for place, study in enumerate(cohort.studies)
        if pictured[place] and cohort.report_text(study.study)
    ]


@torch.no_grad()
def _generated(context: RunContext, cohort: Cohort, places: Sequence[int]) -> list[str]:
    """Reports generated by the system."""
    system: Generates = able(context.system, Generates)
    device = next(context.system.parameters()).device
    with evaluating(context.system):
        return [
            text for batch in batches(cohort, places) for text in system.generate(batch.to(device))
        ]


def _controls(
    train: Cohort, known: Sequence[int], test: Cohort, places: Sequence[int], *, seed: int
) -> dict[str, list[str]]:
    """Reports of training studies for test studies, by the name of the control."""
    reports = [train.report_text(train.studies[at].study) for at in known]
    common = Counter(reports).most_common(1)[0][0]
    near = _nearest(_pooled(train, known), _pooled(test, places))
    drawn = np.random.default_rng(seed).integers(len(reports), size=len(places))
    return {
        "most_common_": [common] * len(places),
        "nearest_": [reports[at] for at in near],
        "random_": [reports[at] for at in drawn],
    }


def _pooled(cohort: Cohort, places: Sequence[int]) -> Tensor:
    """Mean image token of each study, or mean thumbnail where no tokens are cached, `[n, D]`."""
    pictures = cohort.pictures
    assert pictures is not None
    values = pictures.values.float()
    as_pixels = bool(pictures.mean)
    pooled = F.adaptive_avg_pool2d(values, THUMBNAIL).flatten(1) if as_pixels else values.mean(1)
    rows = pictures.rows[list(places)]
    there = (rows >= 0)[..., None]
    return (pooled[rows.clamp_min(0)] * there).sum(1) / there.sum(1)


def _nearest(known: Tensor, tested: Tensor) -> list[int]:
    """Place of the training study nearest to each test study, by cosine about the training mean."""
    mean = known.mean(0)
    near = F.normalize(tested - mean, dim=1) @ F.normalize(known - mean, dim=1).T
    found: list[int] = near.argmax(1).tolist()
    return found


def _labels(
    context: RunContext, statements: Sequence[Sequence[Statement]]
) -> list[dict[str, Value]]:
    """Labels stated by texts, without that of normal studies, which is easily right."""
    label_set = context.label_set
    labeler = Labeler(context.preprocessor.graph, label_set, STYLES.get(label_set.name, Style()))
    pairs = zip(label_set.columns, label_set.findings, strict=True)
    columns = [column for column, name in pairs if name != label_set.no_finding]
    found = labels_of(statements, labeler)
    return [{column: each[column] for column in columns} for each in found]


def _sums(
    context: RunContext, written: Mapping[str, Sequence[str]], references: Sequence[str]
) -> dict[str, StudySums]:
    """Contributions of each study to the metrics, by writer; repeated texts are read once."""
    graph = context.preprocessor.graph
    linker = MentionLinker(graph)  # that of the run may know fewer names
    texts = list({*references, *(text for each in written.values() for text in each)})
    stated = dict(zip(texts, statements_of(texts, linker), strict=True))
    labels = dict(zip(texts, _labels(context, list(stated.values())), strict=True))
    true_words = [words_of(text) for text in references]
    return {
        writer: text_sums([words_of(text) for text in each], true_words)
        | label_sums([labels[text] for text in each], [labels[text] for text in references])
        | statement_sums(
            [stated[text] for text in each], [stated[text] for text in references], graph
        )
        for writer, each in written.items()
    }


def _write_texts(
    folder: RunFolder,
    studies: Sequence[str],
    references: Sequence[str],
    generated: Sequence[str],
    choice: TextChoice,
) -> None:
    """Write the true and the generated report of each study atomically; empty where left out."""

    def kept(text: str) -> str:
        passages = [Passage("other", text, language_of(text))]
        return "\n".join(one.text for one in kept_passages(passages, choice))

    columns = {
        "study": studies,
        "reference": [*map(kept, references)],
        "generated": [*map(kept, generated)],
    }
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    with atomic_path(folder.texts) as temporary:
        pq.write_table(table, temporary, compression="zstd")
