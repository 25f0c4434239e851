"""Missing modalities at test: predicted as for studies that never had them, and recorded so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.compare.compare import compare
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.evaluation.evaluate import evaluate_run
from experiments.evaluation.missing_modality import INPUT_MODALITIES, without_modalities
from experiments.evaluation.scope import data_of
from experiments.inference.answers import answer
from experiments.metrics.bootstrap import Plan
from experiments.records.folder import RunFolder
from experiments.records.predictions import read_predictions
from experiments.runs.restore import restore
from kg.errors import InputError


@pytest.fixture(scope="module")
def run(finished_copy: Callable[[str], RunFolder]) -> RunFolder:
    return finished_copy("masked")


@pytest.fixture(scope="module")
def tested(run: RunFolder) -> dict[str, Any]:
    """The run's test part without each modality."""
    return {one: evaluate_run(run, "synthetic", Path(), without=(one,)) for one in INPUT_MODALITIES}


def probabilities(run: RunFolder, part: str) -> Any:
    (found,) = [one for one in read_predictions(run.predictions) if one.part == part]
    return found.probabilities


@pytest.mark.parametrize(
    ("source", "left", "policy", "leaks"),
    [
        ("image", ["redacted"], "redacted", "partial"),
        ("text", ["image"], "none", "none"),
        ("evidence", ["image", "redacted"], "redacted", "partial"),
    ],
)
def test_the_record_says_what_was_left(
    run: RunFolder, tested: dict[str, Any], source: str, left: list[str], policy: str, leaks: str
) -> None:
    made = tested[source]
    assert made["without"] == [source]
    assert (made["inputs_at_test"], made["text_policy"], made["leakage"]) == (left, policy, leaks)
    name = f"synthetic-nih14-trained-without-{source}"
    assert np.isfinite(probabilities(run, name)).all()
    assert not np.allclose(probabilities(run, name), probabilities(run, "test"))
    found = compare({"small": [run]}, on=name, plan=Plan(resamples=20))
    assert found.told == f"synthetic, trained findings, without {source}"
    assert found.entries[0].inputs_at_test == tuple(left)
    assert found.entries[0].leakage == leaks


@pytest.mark.parametrize(
    ("source", "missing"), [("image", {"images": ()}), ("text", {"report": (), "dialogue": ()})]
)
def test_it_is_answered_as_for_a_study_that_never_had_it(
    run: RunFolder, tested: dict[str, Any], source: str, missing: dict[str, Any]
) -> None:
    restored = restore(run)
    part = DATASETS.load("synthetic")
    root = run.path.parent / "cache" / "datasets" / "synthetic"
    options = part.Options(**restored.experiment.data.options)
    own = restored.manifest.studies("test")
    studies = sorted(
        (s for s in part(options).studies(root, labels="nih14") if s.study in own),
        key=lambda one: one.study,
    )
    # the first keeps what the second has lost: both kinds stand in one batch
    restored.preprocessor.text.redact_findings(restored.preprocessor.findings)
    cohort = restored.preprocessor.read([studies[0], replace(studies[1], **missing)], root)
    found = answer(restored.system, cohort, restored.preprocessor.findings, restored.calibration)
    name = f"synthetic-nih14-trained-without-{source}"
    assert tested[source]["studies"] == len(studies)
    (kept,) = [one for one in read_predictions(run.predictions) if one.part == name]
    row = kept.studies.index(studies[1].study)
    columns = [found.findings.index(finding) for finding in kept.findings]
    np.testing.assert_allclose(found.probabilities[1, columns], kept.probabilities[row], atol=1e-5)


def test_what_is_not_read_or_would_leave_nothing_is_refused(small: dict[str, Any]) -> None:
    both = Experiment.model_validate(small)
    assert without_modalities(both, ()) == both
    with pytest.raises(InputError, match="without image and text no input is left"):
        without_modalities(both, ("image", "text"))
    pictures = Experiment.model_validate({**small, "text": {"test": "none"}})
    for source in ("text", "evidence"):
        with pytest.raises(InputError, match=f"no {source} is read at test") as caught:
            without_modalities(pictures, (source,))  # type: ignore[arg-type]
        assert caught.value.hint == "it reads image"
    with pytest.raises(InputError, match="no evidence is read at test"):
        without_modalities(both, ("text", "evidence"))


def test_other_data_need_not_have_what_is_not_read(run: RunFolder) -> None:
    restored = restore(run)
    data = restored.experiment.data.model_copy(update={"require": ("frontal", "report")})
    asks = restored.experiment.model_copy(update={"data": data})
    restored = replace(restored, experiment=asks)
    for dataset, without, require in (
        ("nih_chestxray14", ("text",), ("frontal",)),
        ("nih_chestxray14", ("image",), ("report",)),
        ("nih_chestxray14", ("evidence",), ("frontal", "report")),
        ("synthetic", ("text",), ("frontal", "report")),  # its own data: the same studies
    ):
        section = data_of(restored, dataset, None, without)  # type: ignore[arg-type]
        assert section.require == require
    pictures = asks.model_copy(update={"text": asks.text.model_copy(update={"test": "none"})})
    section = data_of(replace(restored, experiment=pictures), "nih_chestxray14", None)
    assert section.require == ("frontal",)
