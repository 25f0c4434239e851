"""Template reports: sentences, thresholds of validation, and what is denied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from encoders.batch import StudyBatch
from encoders.study import Passage
from experiments.loading.cohort import Cohort
from experiments.records.folder import RunFolder
from experiments.records.scores import read_scores
from experiments.runs.build import RunContext
from experiments.tasks import template_generation
from experiments.tasks.template_generation import SENTENCES, TemplateGeneration, written_by
from fusion.system import Output
from kg.errors import InputError

Make = Callable[..., RunContext]


@pytest.mark.parametrize(
    ("present", "usual", "language", "text"),
    [
        ((1, 0, 0), (1, 1, 0), "en", "There is edema. No effusion."),
        ((0, 1, 1), (0, 0, 0), "en", "There is effusion. There is mass."),
        ((0, 0, 0), (0, 0, 0), "en", ""),
        ((1, 0, 0), (0, 1, 0), "zh", "\u53ef\u89c1edema\u3002 \u672a\u89c1effusion\u3002"),
    ],
)
def test_sentences(
    present: tuple[int, ...], usual: tuple[int, ...], language: str, text: str
) -> None:
    there, denied = (np.array(row, dtype=bool) for row in (present, usual))
    names = ["edema", "effusion", "mass"]
    assert written_by(there, denied, names, SENTENCES[language]) == text


def knowing(context: RunContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system answer as the reports state."""
    graph = context.preprocessor.graph
    stated: dict[str, torch.Tensor] = {}
    subsets: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    for name in subsets:
        cohort = context.with_training_text(name)
        assert cohort.concept_targets is not None
        rows = zip(cohort.studies, cohort.concept_targets, strict=True)
        stated |= {study.study: row for study, row in rows}

    def predict(batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        rows = torch.stack([stated[study] for study in batch.ids])
        columns = rows[:, [graph.index[finding] for finding in findings]]
        return Output(torch.where(columns == 1, 4.0, -4.0))

    monkeypatch.setattr(context.system, "predict", predict)


def test_one_that_knows_what_reports_state_is_right_and_others_are_not(
    make: Make, new_folder: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, folder = make(), new_folder()
    untrained = TemplateGeneration().measure(folder, context).metrics["test"]
    assert set(untrained) == set(TemplateGeneration.metrics)
    knowing(context, monkeypatch)
    found = TemplateGeneration().measure(folder, context).metrics["test"]
    # what validation never states has no threshold and is left out; indexing terms say more
    assert (found["template_nih14_f1_micro"].value or 0.0) > 0.7
    for name in ("template_nih14_f1_micro", "template_chexpert14_f1_micro", "template_abnormal_f1"):
        assert (found[name].value or 0.0) > (untrained[name].value or 0.0)
    assert [one.task for one in read_scores(folder.scores)] == ["template_generation"]


@pytest.mark.parametrize(("silent", "denied"), [(0, True), (1, True), (2, False)])
def test_what_most_training_reports_deny_is_denied(
    silent: int,
    denied: bool,
    make: Make,
    new_folder: Callable[[], RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = make()
    train = context.cohorts["train"]
    assert isinstance(train, Cohort)
    deny, say_nothing = (
        (Passage("findings", text),) for text in ("No pleural effusion.", "The patient is rotated.")
    )
    studies = tuple(
        replace(study, report=say_nothing if place < silent else deny)
        for place, study in enumerate(train.studies[:3])
    )
    some = replace(train, studies=studies, concept_targets=train.concept_targets)
    cohorts: Any = {**context.cohorts, "train": some}
    usual: list[np.ndarray[Any, Any]] = []

    def written(_present: Any, denied: np.ndarray[Any, Any], *_: Any) -> str:
        usual.append(denied)
        return ""

    monkeypatch.setattr(template_generation, "written_by", written)
    TemplateGeneration().measure(new_folder(), replace(context, cohorts=cohorts))
    assert usual[0].sum() == denied  # what is not mentioned is not denied


def test_a_diagnosis_that_no_report_states_is_not_written_of(
    make: Make, new_folder: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make()
    trained = [
        context.preprocessor.graph.index[finding] for finding in context.preprocessor.findings
    ]
    train = context.cohorts["train"]
    assert isinstance(train, Cohort)
    assert train.concept_targets is not None
    targets = train.concept_targets.clone()
    targets[:, trained] = 0.0
    cohorts: Any = {**context.cohorts, "train": replace(train, concept_targets=targets)}
    named: list[str] = []

    def written(_present: Any, _denied: Any, names: list[str], *_: Any) -> str:
        named.extend(names)
        return ""

    monkeypatch.setattr(template_generation, "written_by", written)
    monkeypatch.setattr(context.preprocessor, "supervised", ("ckg:lung_opacity", "ckg:lung"))
    TemplateGeneration().measure(new_folder(), replace(context, cohorts=cohorts))
    assert set(named) == {"lung opacity"}  # and not of the site


def test_test_studies_without_a_report_are_refused(
    make: Make, new_folder: Callable[[], RunFolder]
) -> None:
    context = make()
    test = context.cohorts["test"]
    silent = replace(test, reports={study.study: "" for study in test.studies})
    cohorts: Any = {**context.cohorts, "test": silent}
    with pytest.raises(InputError, match="has image and report") as caught:
        TemplateGeneration().measure(new_folder(), replace(context, cohorts=cohorts))
    assert caught.value.hint


def test_a_system_that_predicts_no_finding_of_reports_is_refused(
    make: Make, new_folder: Callable[[], RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make()
    monkeypatch.setattr(context.system, "basis", lambda finding: "not_possible")
    with pytest.raises(InputError, match="no finding to write of") as caught:
        TemplateGeneration().measure(new_folder(), context)
    assert caught.value.hint
