"""Retrieval of cases: training studies with the same findings come first where images tell them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext, build_context
from experiments.tasks.case_retrieval import CaseRetrieval
from kg.errors import InputError

Embed = Callable[[StudyBatch], Tensor]


@pytest.fixture(scope="module")
def untrained(small: dict[str, Any], small_runs: Path) -> RunContext:
    system = {"name": "convirt", "options": {"width": 16, "space": 16}}
    stages = [{"objectives": {"contrast": 1.0}, "monitor": "none"}]
    values = {**small, "system": system, "stages": stages}
    return build_context(Experiment.model_validate(values), small_runs, cache=small_runs / "cache")


@pytest.fixture
def measure(
    untrained: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Embed], tuple[dict[str, float], RunFolder]]:
    def run(embed: Embed) -> tuple[dict[str, float], RunFolder]:
        monkeypatch.setattr(untrained.system, "embed_image", embed)
        folder = RunFolder.create(tmp_path, untrained.experiment)
        metrics = CaseRetrieval().measure(folder, untrained).metrics["test"]
        return {name: float(one.value or 0.0) for name, one in metrics.items()}, folder

    return run


def present(batch: StudyBatch) -> Tensor:
    return (batch.targets == 1).float()


def test_images_that_tell_the_findings_find_all_cases(
    untrained: RunContext, measure: Callable[[Embed], tuple[dict[str, float], RunFolder]]
) -> None:
    def by_findings(batch: StudyBatch) -> Tensor:
        each = torch.cat([present(batch), 1 - present(batch)], 1)
        return torch.nn.functional.normalize(each, dim=1)

    metrics, folder = measure(by_findings)
    assert metrics["case_mean_average_precision"] == 1
    assert metrics["case_recall_at_1"] == 1
    assert metrics["case_pool"] == len(untrained.cohorts["train"])
    (rows,) = read_scores(folder.scores)
    assert rows.task == "case_retrieval"
    assert rows.studies == tuple(study.study for study in untrained.cohorts["test"].studies)


def test_images_that_are_all_alike_find_nothing_first(
    measure: Callable[[Embed], tuple[dict[str, float], RunFolder]],
) -> None:
    metrics, _ = measure(lambda batch: torch.ones(len(batch.ids), 1))
    assert metrics["case_recall_at_1"] == 0
    assert 0 < metrics["case_mean_average_precision"] < 1


def test_a_study_without_an_image_asks_nothing(
    untrained: RunContext, measure: Callable[[Embed], tuple[dict[str, float], RunFolder]]
) -> None:
    first = untrained.cohorts["test"].studies[0].study

    def without_first(batch: StudyBatch) -> Tensor:
        made = torch.nn.functional.normalize(present(batch) + 1, dim=1)
        made[np.array(batch.ids) == first] = float("nan")
        return made

    _, folder = measure(without_first)
    (rows,) = read_scores(folder.scores)
    assert rows.studies == tuple(study.study for study in untrained.cohorts["test"].studies[1:])


def test_without_any_image_it_is_refused(
    measure: Callable[[Embed], tuple[dict[str, float], RunFolder]],
) -> None:
    with pytest.raises(InputError, match="no study has an image"):
        measure(lambda batch: torch.full((len(batch.ids), 2), float("nan")))
