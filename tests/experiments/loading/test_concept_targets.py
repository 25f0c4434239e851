"""Targets of concept supervision: what a report says of the picture, and what the patient tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders.study import Passage, Study
from experiments.config.schema import Experiment
from experiments.loading.text import TextLoader
from kg.files.store import load_shipped

Target = Callable[..., float]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def words_of(cache: Path, asked: tuple[str, ...] = (), **text: Any) -> TextLoader:
    data = {"name": "synthetic", "labels": "nih14"}
    given = {"name": "x", "data": data, "system": {"name": "graph_fusion"}, "text": text}
    return TextLoader(Experiment.model_validate(given).text, load_shipped(), asked, cache)


@pytest.fixture(scope="module")
def target(cache: Path) -> Target:
    words = words_of(cache)
    graph = words.graph

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


def test_spanish_is_redacted_and_read_where_it_is_asked_for(cache: Path) -> None:
    report = (Passage("findings", " derram pleural . escoliosis dorsal .", "es"),)
    study = Study("s", "p", report=report)
    words = words_of(cache, ("ckg:pleural_effusion",), language="es", test="redacted")
    assert [one.text for one in words.passages(study, "redacted")] == ["escoliosis dorsal ."]
    (evidence,) = words.evidence([study], "redacted")
    index = words.graph.index
    assert evidence[index["ckg:scoliosis"]] == 1
    assert evidence[index["ckg:pleural_effusion"]] == 0
    assert words_of(cache).passages(study, "full") == ()
