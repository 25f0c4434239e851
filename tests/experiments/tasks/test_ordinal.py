"""Ordinal: grades of a toy system, by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from encoders.batch import StudyBatch
from experiments.metrics.ranking import auroc
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext
from experiments.tasks.ordinal import Ordinal
from fusion.system import Output
from kg.errors import InputError

GRADES = 3


class Grader(nn.Module):
    """Answers what it was told, study by study."""

    def __init__(self, logits: dict[str, list[float]]) -> None:
        super().__init__()
        self.told, self.weight = logits, nn.Parameter(torch.zeros(1))

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        return Output(torch.tensor([self.told[study] for study in batch.ids]))

    def basis(self, finding: str) -> str:
        return "trained"


@pytest.fixture
def graded(make: Callable[..., RunContext]) -> Callable[..., RunContext]:
    """The small run, as if it had been graded: `(grade, logits)` of each study in turn."""

    def give(*answers: tuple[float, list[float]]) -> RunContext:
        made = make()
        cohort = made.cohorts["train"]
        cut = cohort.studies[: len(answers)]
        targets = torch.full((len(answers), GRADES), float("nan"))
        for row, (grade, _) in enumerate(answers):
            if not np.isnan(grade):
                targets[row] = torch.eye(GRADES)[int(grade)]
        told = {study.study: one for study, (_, one) in zip(cut, answers, strict=True)}
        reader: Any = made.preprocessor
        copied = object.__new__(type(reader))
        copied.__dict__.update(reader.__dict__, findings=reader.findings[:GRADES], exclusive=True)
        whole = {f: None for f in ("text", "evidence", "pictures", "facts")}
        test = replace(cohort, studies=cut, targets=targets, **whole)
        return replace(
            made,
            preprocessor=copied,
            choice=replace(made.choice, ordered=True),
            cohorts={**made.cohorts, "test": test},
            system=Grader(told),  # type: ignore[arg-type]
        )

    return give


def sure(grade: int) -> list[float]:
    return [20.0 if place == grade else 0.0 for place in range(GRADES)]


def test_right_grades_are_perfect(
    graded: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    answers = [(grade, sure(grade)) for grade in (0, 0, 1, 1, 2, 2)]
    found = Ordinal().measure(new_folder(), graded(*answers)).metrics["test"]
    assert found["grade_kappa_quadratic"].value == pytest.approx(1.0)
    assert found["grade_accuracy"].value == 1.0
    assert found["grade_squared_error"].value == pytest.approx(0.0, abs=1e-6)
    assert found["auroc_cumulative"].value == 1.0
    assert set(Ordinal.metrics) <= set(found)


def test_a_far_miss_costs_more_than_a_near_one(
    graded: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    right = [(grade, sure(grade)) for grade in (0, 0, 1, 1, 2)]
    near, far = (
        Ordinal().measure(new_folder(), graded(*right, (2, sure(said)))).metrics["test"]
        for said in (1, 0)
    )
    assert near["grade_accuracy"].value == far["grade_accuracy"].value == pytest.approx(5 / 6)
    assert near["grade_squared_error"].value == pytest.approx(1 / 6, abs=1e-6)
    assert far["grade_squared_error"].value == pytest.approx(4 / 6, abs=1e-6)
    assert (near["grade_kappa_quadratic"].value or 0) > (far["grade_kappa_quadratic"].value or 0)


def test_each_step_and_what_is_kept(
    graded: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    generator = torch.Generator().manual_seed(0)
    grades = [0, 1, 2, 0, 1, 2, 0, 1, float("nan")]
    answers = [(grade, torch.randn(GRADES, generator=generator).tolist()) for grade in grades]
    context, folder = graded(*answers), new_folder()
    found = Ordinal().measure(folder, context).metrics["test"]
    chance = torch.tensor([one for _, one in answers[:8]]).double().softmax(1).numpy()
    label = context.preprocessor.graph.concept(context.preprocessor.findings[1]).label.replace(
        " ", "_"
    )
    (expected,) = auroc(np.array(grades[:8])[:, None] >= 1, chance[:, 1:].sum(1, keepdims=True))
    assert found[f"auroc_at_least_{label}"].value == pytest.approx(float(expected))
    (scores,) = read_scores(folder.scores)
    assert (scores.task, len(scores.studies)) == ("ordinal", 9)
    assert scores.numbers["graded"].sum() == 8


def test_labels_that_are_no_grades_are_refused(
    graded: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    context = graded((0, sure(0)), (1, sure(1)))
    unordered = replace(context, choice=replace(context.choice, ordered=False))
    with pytest.raises(InputError, match="are not grades in order") as caught:
        Ordinal().measure(new_folder(), unordered)
    assert caught.value.hint
    with pytest.raises(InputError, match="no test study has a grade"):
        Ordinal().measure(new_folder(), graded((float("nan"), sure(0)), (float("nan"), sure(1))))
