"""Retrieval by pairs: a score for each pair, ranked within pools and with chance beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch, Text
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.runs.build import RunContext, build_context
from experiments.tasks import pair_retrieval
from experiments.tasks.pair_retrieval import PairRetrieval


@pytest.fixture(scope="module")
def paired(small: dict[str, Any], small_runs: Path) -> RunContext:
    """An untrained run of a system that matches images and texts."""
    system = {"name": "medvill", "options": {"width": 16, "layers": 1, "heads": 2}}
    stages = [{"objectives": {"matching": 1.0}, "monitor": "loss"}]
    values = {**small, "system": system, "stages": stages}
    return build_context(Experiment.model_validate(values), small_runs, cache=small_runs / "cache")


@pytest.mark.parametrize("pool", [100, 3])
def test_a_system_that_knows_the_pairs_finds_all_within_the_pool(
    paired: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: int
) -> None:
    asked: list[int] = []

    def match(batch: StudyBatch, text: Text) -> Tensor:
        asked.append(len(batch.ids))
        return torch.eye(len(batch.ids))

    monkeypatch.setattr(pair_retrieval, "POOL", pool)
    monkeypatch.setattr(paired.system, "match", match)
    folder = RunFolder.create(tmp_path, paired.experiment)
    measured = PairRetrieval().measure(folder, paired).metrics[TEST]
    assert set(measured) == set(PairRetrieval.metrics)
    size = len(paired.cohorts["test"])
    assert max(asked) == min(pool, size)
    assert sum(asked) == size
    for way in ("image_to_text", "text_to_image"):
        assert measured[f"pair_{way}_recall_at_1"].value == 1.0
    rows = pair_retrieval.ranks(paired, paired.with_training_text("test"), [], torch.zeros(0, 0))
    assert rows is None


def test_scores_that_are_all_alike_find_nothing(
    paired: RunContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        paired.system, "match", lambda batch, text: torch.zeros(len(batch.ids), len(batch.ids))
    )
    folder = RunFolder.create(tmp_path, paired.experiment)
    measured = PairRetrieval().measure(folder, paired).metrics[TEST]
    assert measured["pair_image_to_text_recall_at_1"].value == 0.0
