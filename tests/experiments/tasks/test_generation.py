"""Generation: the numbers of the record are those of the metrics called one by one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from experiments.config.schema import Experiment
from experiments.loading.cohort import Cohort
from experiments.loading.data_source import Cohorts
from experiments.metrics.efficacy import (
    STATEMENT_METRICS,
    label_metrics,
    label_sums,
    labels_of,
    statement_sums,
    statements_of,
)
from experiments.metrics.sums import measure
from experiments.metrics.texts import TEXT_METRICS, text_sums, words_of
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext, build_context
from experiments.tasks.generation import Generation
from fusion.capabilities import Generates, able
from kg.errors import InputError
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker


@pytest.fixture(scope="module")
def context(small: dict[str, Any], small_runs: Path) -> RunContext:
    system = {
        "name": "tienet",
        "options": {"width": 8, "hidden": 8, "words": 8, "attention": 8, "limit": 12},
    }
    changed = {**small, "text": {}, "system": system, "stages": [], "tasks": ["generation"]}
    torch.manual_seed(0)
    experiment = Experiment.model_validate(changed)
    return build_context(experiment, small_runs, cache=small_runs / "cache")


@pytest.fixture
def folder(context: RunContext, tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, context.experiment)


def writes(context: RunContext, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]) -> None:
    """Have the system write these texts."""
    monkeypatch.setattr(
        context.system, "generate", lambda batch: [said[study] for study in batch.ids]
    )


def test_numbers_are_those_of_the_metrics(
    context: RunContext, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = context.cohorts["test"]
    ids = [study.study for study in test.studies]
    turned = dict(zip(ids, [test.report_text(study) for study in (*ids[1:], ids[0])], strict=True))
    writes(context, monkeypatch, turned)
    metrics = Generation().measure(folder, context).metrics["test"]
    assert set(metrics) == set(Generation.metrics)

    graph, linker = context.preprocessor.graph, MentionLinker(context.preprocessor.graph)
    reads = labeler(graph, "nih14")
    findings = [column for column in reads.columns if column != "normal"]
    assert len(findings) == 14
    pairs = [
        ([turned[study] for study in ids], ""),
        ([common(context)] * len(ids), "most_common_"),
    ]
    truth = [test.report_text(study) for study in ids]
    patients = [study.patient for study in test.studies]
    for written, control in pairs:
        said, true = (statements_of(texts, linker) for texts in (written, truth))
        asked = [
            (text_sums([words_of(t) for t in written], [words_of(t) for t in truth]), TEXT_METRICS),
            (statement_sums(said, true, graph), STATEMENT_METRICS),
            (
                label_sums(labels_of(said, reads), labels_of(true, reads)),
                {"label_f1_macro": label_metrics(findings)["f1_macro"]},
            ),
        ]
        for sums, wanted in asked:
            found = measure(sums, wanted, patients, rng=np.random.default_rng(0))
            if wanted is not TEXT_METRICS and wanted is not STATEMENT_METRICS:
                found |= {f"nih14{name.removeprefix('label')}": found[name] for name in list(found)}
            for name, one in found.items():
                kept = metrics[f"{control}{name}"]
                assert kept.value == pytest.approx(one.value, nan_ok=True)
                assert kept.low == pytest.approx(one.low, nan_ok=True)
                assert kept.high == pytest.approx(one.high, nan_ok=True)


def common(context: RunContext) -> str:
    """The report most training studies have."""
    train = context.cohorts["train"]
    assert isinstance(train, Cohort)
    counts = Counter(train.report_text(study.study) for study in train.studies)
    return counts.most_common(1)[0][0]


def test_the_true_report_is_faultless_and_controls_are_not(
    context: RunContext, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = context.cohorts["test"]
    writes(context, monkeypatch, {s.study: test.report_text(s.study) for s in test.studies})
    found = Generation().measure(folder, context).metrics["test"]
    assert found["denied_per_report"].value == 0.0
    for name in (
        *("bleu_1", "bleu_4", "rouge_l", "label_f1_micro", "chexpert14_f1_micro"),
        *("finding_f1", "abnormal_f1"),
    ):
        assert found[name].value == pytest.approx(1.0)
        for control in ("most_common_", "nearest_", "random_"):
            assert (found[f"{control}{name}"].value or 0.0) < 0.95


def test_texts_and_sums_of_each_study_are_written_down(
    context: RunContext, folder: RunFolder
) -> None:
    Generation().measure(folder, context)
    texts = pq.read_table(folder.texts).to_pandas()
    assert list(texts.columns) == ["study", "reference", "generated"]
    test = context.cohorts["test"]
    assert list(texts["study"]) == [study.study for study in test.studies]
    assert list(texts["reference"]) == [test.report_text(name) for name in texts["study"]]
    system: Generates = able(context.system.eval(), Generates)
    assert list(texts["generated"]) == system.generate(test.batch(range(len(test))))
    scores = {one.task: one for one in read_scores(folder.scores)}
    assert set(scores) == {
        f"{control}generation" for control in ("", "most_common_", "nearest_", "random_")
    }
    counted = [len(words_of(text)) for text in texts["generated"]]
    assert scores["generation"].numbers["written_words"].tolist() == counted
    assert scores["generation"].studies == tuple(texts["study"])


def test_the_nearest_report_of_the_same_pictures_is_their_own(
    context: RunContext, folder: RunFolder
) -> None:
    same: Cohorts = {**context.cohorts, "train": context.cohorts["test"]}
    found = Generation().measure(folder, replace(context, cohorts=same)).metrics["test"]
    assert found["nearest_bleu_4"].value == pytest.approx(1.0)
    assert (found["random_bleu_4"].value or 0.0) < 0.95


@pytest.mark.parametrize("subset", ["test", "train"])
def test_studies_without_a_report_are_refused(
    context: RunContext, folder: RunFolder, subset: Literal["test", "train"]
) -> None:
    cohort = context.cohorts[subset]
    assert isinstance(cohort, Cohort)
    silent = replace(cohort, reports={study.study: "" for study in cohort.studies})
    cohorts = context.cohorts.copy()
    cohorts[subset] = silent
    with pytest.raises(InputError, match="has image and report") as caught:
        Generation().measure(folder, replace(context, cohorts=cohorts))
    assert caught.value.hint
