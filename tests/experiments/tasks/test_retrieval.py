"""Retrieval looks for whole reports, and reads the studies it is validated on once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from encoders.batch import Text
from experiments.config.schema import Experiment
from experiments.runs.build import RunContext, build_context
from experiments.tasks.retrieval import mean_reciprocal_rank


@pytest.fixture(scope="module")
def contrasted(small: dict[str, Any], small_runs: Path) -> RunContext:
    """An untrained run of a system that is trained on single sentences."""
    system = {"name": "convirt", "options": {"width": 16, "space": 16}}
    stages = [{"objectives": {"contrast": 1.0}, "monitor": "mean_reciprocal_rank"}]
    values = {**small, "system": system, "stages": stages}
    return build_context(Experiment.model_validate(values), small_runs, cache=small_runs / "cache")


def test_reports_are_looked_for_whole_where_training_draws_sentences(
    contrasted: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Text] = []
    embed = contrasted.system.embed_text  # type: ignore[operator]
    monkeypatch.setattr(
        contrasted.system, "embed_text", lambda text: (seen.append(text), embed(text))[1]
    )
    value = mean_reciprocal_rank(contrasted)
    cohort = contrasted.with_training_text("validation")
    assert cohort.paired_text is not None
    assert cohort.sentences
    assert 0 < value <= 1
    assert torch.equal(seen[0].mask.sum(1), cohort.paired_text.mask.sum(1))
    drawn = cohort.batch(range(len(cohort)), training=True).paired_text
    assert drawn is not None
    assert drawn.mask.sum() < seen[0].mask.sum()


def test_a_part_is_read_once_however_often_it_is_validated(
    contrasted: RunContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = contrasted.with_training_text("validation")
    monkeypatch.delattr(type(contrasted.preprocessor), "read")
    assert contrasted.with_training_text("validation") is first
    assert mean_reciprocal_rank(contrasted) == mean_reciprocal_rank(contrasted)
