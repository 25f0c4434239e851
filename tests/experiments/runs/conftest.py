"""A finished run, and a copy of it that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, find_run
from experiments.runner.run import run_experiment


@pytest.fixture(scope="package")
def finished(small: dict[str, Any], small_runs: Path) -> RunFolder:
    experiment = Experiment.model_validate({**small, "name": "verified"})
    return find_run(run_experiment(experiment, root=Path(), runs=small_runs), small_runs)


@pytest.fixture
def copied(finished: RunFolder) -> RunFolder:
    """A copy beside the run, so that it finds the same caches."""
    there = finished.path.with_name("verified-copy")
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(finished.path, there)
    return RunFolder(there)
