"""A run small enough to train in a second, assembled once and copied for every test."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder, find_run
from experiments.runner.run import run_experiment
from experiments.runs.build import RunContext, build_context
from fusion.stage import Stage

OBJECTIVES = {
    "classification": 1.0,
    "concept_supervision": 1.0,
    "hierarchy": 0.1,
    "contrast": 0.05,
    "link_prediction": 0.1,
}

SMALL: dict[str, Any] = {
    "name": "small",
    "data": {
        "name": "synthetic",
        "labels": "nih14",
        "options": {"studies": 40, "cxr": 1.0, "ct": 0.0, "size": 64},
        "at_least": 4,
        "blank": "ignore",
    },
    "split": {"kind": "fixed"},
    "text": {"train": "full", "test": "redacted"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64, "weights": "random"}},
        "grid": 2,
        "reduce": 16,
    },
    "graph": {"width": 16},
    "system": {
        "name": "graph_fusion",
        "options": {"width": 32, "neighbourhood": 4, "message_passing": {"name": "identity"}},
    },
    "stages": [{"epochs": 2, "batch_size": 6, "learning_rate": 1e-3, "objectives": OBJECTIVES}],
    "concept_studies": 3,
}


@pytest.fixture(scope="session")
def small_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of runs that share the made-up data set and the caches."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def small() -> dict[str, Any]:
    """Configuration of the small run, as plain values."""
    return SMALL


@pytest.fixture(scope="session")
def finished_copy(small_runs: Path) -> Callable[[str], RunFolder]:
    """Copies the finished small run, trained once, to a name beside it that tests may change."""
    made: list[RunFolder] = []

    def give(name: str) -> RunFolder:
        if not made:
            experiment = Experiment.model_validate({**SMALL, "name": "finished"})
            run = run_experiment(experiment, root=Path(), runs=small_runs)
            made.append(find_run(run, small_runs))
        return RunFolder(Path(shutil.copytree(made[0].path, small_runs / name)))

    return give


@pytest.fixture(scope="session")
def _assembled(small_runs: Path) -> Callable[[bool], RunContext]:
    made: dict[bool, RunContext] = {}

    def give(frozen: bool) -> RunContext:
        if frozen not in made:
            image = {**SMALL["image"], "frozen": frozen}
            torch.manual_seed(0)
            experiment = Experiment.model_validate({**SMALL, "image": image})
            made[frozen] = build_context(experiment, small_runs, cache=small_runs / "cache")
        return made[frozen]

    return give


@pytest.fixture
def make(_assembled: Callable[[bool], RunContext]) -> Callable[..., RunContext]:
    """A fresh copy of the small run, with other stages where some are given."""

    def give(*stages: dict[str, Any], frozen: bool = True) -> RunContext:
        first = _assembled(frozen)
        graph = first.preprocessor.graph  # large, and never changed
        system = copy.deepcopy(first.system, {id(graph): graph})
        if stages:
            system.stages = tuple(
                Stage(**{**SMALL["stages"][0], **stage})  # type: ignore[arg-type]
                for stage in stages
            )
        torch.manual_seed(1)
        return replace(first, system=system)

    return give


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[[], RunFolder]:
    """An empty folder of a run."""
    return lambda: RunFolder.create(tmp_path, Experiment.model_validate(SMALL))
