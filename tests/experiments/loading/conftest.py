"""Made-up studies, and preprocessors fitted on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from encoders.study import Study
from experiments.config.schema import Experiment
from experiments.datasets.synthetic import Synthetic
from experiments.loading.graphs import Graphs
from experiments.loading.holdout import NOTHING_HELD, Held
from experiments.loading.preprocessor import StudyPreprocessor
from experiments.synthetic.rules import Rules
from fusion.needs import NO_NEEDS, Needs
from kg.files.store import load_shipped

RULES = Rules(studies=12, cxr=0.5, ct=0.5, size=64)
FINDINGS = ("ckg:pleural_effusion", "ckg:cardiomegaly")

Build = Callable[..., StudyPreprocessor]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture(scope="module")
def studies(root: Path) -> list[Study]:
    return Synthetic(RULES).studies(root, labels="nih14") + Synthetic(RULES).studies(
        root, labels="covid"
    )


@pytest.fixture
def build(small: dict[str, Any], studies: list[Study], root: Path) -> Build:
    """A preprocessor of the small run, fitted, with other needs and sections."""

    def give(
        needs: Needs = NO_NEEDS, held: Held = NOTHING_HELD, **sections: Any
    ) -> StudyPreprocessor:
        made = {**small, **sections}
        graph = load_shipped()
        vectors = torch.zeros(len(graph.concepts), 4)
        preprocessor = StudyPreprocessor(
            Experiment.model_validate(made),
            Graphs(graph, graph, vectors),
            FINDINGS,
            exclusive=False,
            held=held,
            cache=root / "cache",
            needs=needs,
        )
        preprocessor.fit(studies, root)
        return preprocessor

    return give
