"""Targets of concept supervision: what a report says of the picture, and what the patient tells."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from encoders.study import Passage, Study
from experiments.config.schema import Experiment
from experiments.training.words import WordReader
from kg.store import load_shipped

Target = Callable[..., float]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    graph = load_shipped()
    experiment = Experiment.model_validate(
        {
            "name": "x",
            "data": {"name": "synthetic", "labels": "nih14"},
            "system": {"name": "graph_fusion"},
        }
    )
    words = WordReader(experiment.text, graph, (), tmp_path_factory.mktemp("cache"))

    def of(concept: str, **written: str) -> float:
        report = tuple(Passage(name, text) for name, text in written.items())
        made = words.concept_targets([Study("s", "p", report=report)], ("stated",))
        return float(made[0, graph.index[f"ckg:{concept}"]])

    return of


@pytest.mark.parametrize("section", ["indication", "comparison", "technique"])
def test_the_context_of_a_report_teaches_no_finding(target: Target, section: str) -> None:
    said = {section: "Pneumonia with effusion.", "findings": "No pneumonia."}
    assert target("pneumonia", **said) == 0
    assert target("pleural_effusion", **said) == 0
    assert target("pleural_effusion", findings="Effusion.") == 1


def test_what_the_patient_tells_is_read_wherever_it_is_written(target: Target) -> None:
    assert target("cough", indication="Cough.", findings="Clear lungs.") == 1
    assert target("cough", note="Fever and cough.") == 1
    assert target("cough", indication="Fever.", findings="Clear lungs.") == 0


def test_a_report_that_says_nothing_of_the_picture_teaches_nothing(target: Target) -> None:
    assert np.isnan(target("pneumonia", indication="Pneumonia."))
