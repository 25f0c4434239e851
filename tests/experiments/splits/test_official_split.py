"""A configuration that asks for the published parts gets them, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.runs.build import build_context
from kg.errors import InputError


def test_a_run_trains_and_tests_on_the_published_parts(tmp_path: Path) -> None:
    part = DATASETS.load("chexpert")
    root = tmp_path / "chexpert"
    root.mkdir()
    part().tiny(root)
    wanted = {
        "name": "official",
        "data": {"name": "chexpert", "labels": "chexpert14", "at_least": 1},
        "split": {"kind": "official"},
        "image": {"encoder": None},
        "metadata": ["view"],
        "system": {"name": "logistic_metadata"},
    }
    made = build_context(Experiment.model_validate(wanted), tmp_path, cache=tmp_path / "cache")
    assert made.manifest.kind == "official"
    published = part().official_split(root)
    for name, cohort in made.cohorts.items():
        assert len(cohort) == list(published.values()).count(name)
        assert {published[study.study] for study in cohort.studies} == {name}
    (root / "test_labels.csv").unlink()
    (root / "valid.csv").unlink()
    with pytest.raises(InputError, match="chexpert: no official split is here"):
        build_context(Experiment.model_validate(wanted), tmp_path, cache=tmp_path / "cache")
