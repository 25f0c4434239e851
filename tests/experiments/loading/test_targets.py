from __future__ import annotations

import numpy as np
import pytest

from encoders.study import Passage, Study
from experiments.loading.targets import (
    choose_findings,
    label_set_of,
    leakage,
    passages_for,
    positives,
    targets,
)
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.model.graph import LabelSet

A, B, C = "ckg:atelectasis", "ckg:cardiomegaly", "ckg:no_finding"
SET = LabelSet("own", "", (A, B, C), ("a", "b", "c"))


def studies() -> list[Study]:
    return [
        Study("1", "1", stated={A: "present", B: "uncertain"}),
        Study("2", "2", stated={A: "absent", B: "present", C: "present"}),
        Study("3", "3"),
        Study("4", "4", stated={A: "present"}),
    ]


@pytest.mark.parametrize(
    ("uncertain", "blank", "first"),
    [
        ("ignore", "zero", [1, np.nan, 0]),
        ("zero", "zero", [1, 0, 0]),
        ("one", "zero", [1, 1, 0]),
        ("ignore", "ignore", [1, np.nan, np.nan]),
        ("one", "ignore", [1, 1, np.nan]),
    ],
)
def test_the_policy_makes_targets(uncertain: str, blank: str, first: list[float]) -> None:
    made = targets(studies(), (A, B, C), uncertain, blank)  # type: ignore[arg-type]
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made[0], first)
    np.testing.assert_array_equal(made[1], [0, 1, 1])
    assert np.isnan(made[2]).all(), "a study that states nothing was not labelled"
    assert made.shape == (4, 3)


def test_no_studies_and_no_findings() -> None:
    assert targets([], (A,), "ignore", "zero").shape == (0, 1)
    assert targets(studies(), (), "ignore", "zero").shape == (4, 0)


def test_an_exclusive_set_gives_one_hot_rows() -> None:
    sure = Study("1", "1", stated={A: "present", B: "absent", C: "absent"})
    np.testing.assert_array_equal(targets([sure], (A, B, C), "ignore", "ignore"), [[1, 0, 0]])


def test_findings_with_too_few_positives_are_left_out() -> None:
    assert positives(studies()) == {A: 2, B: 1, C: 1}
    assert choose_findings(SET, studies(), 2) == (A,)
    assert choose_findings(SET, studies(), 1) == (A, B, C)
    exclusive = LabelSet("own", "", (B, A), ("b", "a"), exclusive=True)
    assert choose_findings(exclusive, studies(), 20) == (B, A)
    with pytest.raises(InputError, match="no finding of own is present in 3"):
        choose_findings(SET, studies(), 3)


def test_label_sets_come_from_the_data_set_or_the_graph() -> None:
    class Own:
        def label_set(self, root: object, labels: str) -> LabelSet | None:
            return SET if labels == "own" else None

    graph = load_shipped()
    from pathlib import Path

    assert label_set_of(Own(), Path(), "own", graph) is SET
    assert label_set_of(Own(), Path(), "nih14", graph).name == "nih14"
    assert label_set_of(object(), Path(), "covid", graph).findings == ("ckg:covid_19",)
    with pytest.raises(InputError, match="no label set 'own'"):
        label_set_of(object(), Path(), "own", graph)


REPORT = ("findings", "impression")
LEAKS = [
    ("none", REPORT, "none"),
    ("indication", REPORT, "none"),
    ("indication", ("indication",), "label_source_read"),
    ("findings", REPORT, "label_source_read"),
    ("impression", ("findings",), "none"),
    ("full", REPORT, "label_source_read"),
    ("redacted", REPORT, "partial"),
    ("dialogue", REPORT, "none"),
    ("dialogue", ("dialogue",), "label_source_read"),
    ("findings", ("mesh",), "label_source_read"),
    ("redacted", ("mesh",), "partial"),
    ("indication", ("mesh",), "none"),
    ("full", ("image",), "none"),
    ("full", ("record", "note"), "label_source_read"),
    ("redacted", ("record", "note"), "partial"),
    ("findings", ("record",), "partial"),
    ("none", ("record", "note"), "none"),
]


@pytest.mark.parametrize(("policy", "source", "leaks"), LEAKS)
def test_leakage_is_computed(policy: str, source: tuple[str, ...], leaks: str) -> None:
    assert leakage(policy, source) == leaks  # type: ignore[arg-type]


REPORTED = Study(
    "1",
    "1",
    report=(
        Passage("indication", "Cough."),
        Passage("findings", "Large heart."),
        Passage("findings", "心影增大。", "zh"),
        Passage("note", "COVID-19."),
    ),
    dialogue=(Passage("patient", "I cough."),),
)


@pytest.mark.parametrize(
    ("policy", "language", "texts"),
    [
        ("none", "any", []),
        ("indication", "en", ["Cough."]),
        ("findings", "en", ["Large heart."]),
        ("findings", "zh", ["心影增大。"]),
        ("findings", "any", ["Large heart.", "心影增大。"]),
        ("impression", "en", []),
        ("full", "en", ["Cough.", "Large heart.", "COVID-19."]),
        ("dialogue", "en", ["I cough."]),
    ],
)
def test_a_policy_lets_passages_through(policy: str, language: str, texts: list[str]) -> None:
    read = passages_for(REPORTED, policy, language)  # type: ignore[arg-type]
    assert [passage.text for passage in read] == texts


def test_redaction_needs_a_redactor_and_drops_what_is_empty() -> None:
    def cut(passage: Passage) -> Passage:
        return Passage(passage.name, passage.text.replace("COVID-19.", " "), passage.language)

    read = passages_for(REPORTED, "redacted", "en", cut)
    assert [passage.name for passage in read] == ["indication", "findings"]
    with pytest.raises(ValueError, match="redactor"):
        passages_for(REPORTED, "redacted", "en")
