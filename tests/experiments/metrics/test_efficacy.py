"""Efficacy of written reports: read by the labelers, counted as sklearn counts."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from experiments.metrics.efficacy import (
    STATEMENT_METRICS,
    label_metrics,
    label_sums,
    labels_in,
    labels_of,
    statement_sums,
    statements_of,
)
from experiments.metrics.sums import measure
from kg.files.store import load_shipped
from kg.mentions.labels import labeler
from kg.mentions.linker import MentionLinker

TRUE = (
    "The heart is enlarged. There is a small left pleural effusion. No pneumothorax.",
    "The lungs are clear. No acute disease.",
    "Right lower lobe consolidation. Possible pneumonia.",
    "Stable cardiomegaly without edema.",
)
WRITTEN = (
    "Cardiomegaly. No pleural effusion. No pneumothorax.",  # the effusion is left out
    "The lungs are clear. There is no acute disease.",
    "Consolidation in the left lower lobe. There is a pneumothorax.",  # other side, one made up
    "The heart is enlarged. There is no pulmonary edema.",
)


@pytest.fixture(scope="module")
def graph():
    return load_shipped()


@pytest.fixture(scope="module")
def linker(graph):
    return MentionLinker(graph)


def values(sums, metrics):
    found = measure(sums, metrics, np.arange(len(sums.values)), rng=np.random.default_rng(0))
    return {name: each.value for name, each in found.items()}


def test_labels_of_reports_by_hand(graph, linker):
    reader = labeler(graph, "chexpert14")
    said, true = (labels_of(statements_of(texts, linker), reader) for texts in (WRITTEN, TRUE))
    sums = label_sums(said, true)
    assert sums["Cardiomegaly tp"].tolist() == [1, 0, 0, 1]
    assert sums["Pleural Effusion fn"].tolist() == [1, 0, 0, 0]
    assert sums["Pleural Effusion fp"].sum() == 0
    assert sums["Pneumothorax fp"].tolist() == [0, 0, 1, 0]
    assert sums["Consolidation tp"].tolist() == [0, 0, 1, 0]
    assert sums["Pneumonia fn"].sum() == 0  # only possible
    assert label_sums(said, true, uncertain=True)["Pneumonia fn"].tolist() == [0, 0, 1, 0]
    found = values(sums, label_metrics(reader.columns))
    assert found["f1 Cardiomegaly"] == 1.0
    assert found["f1 Pleural Effusion"] == 0.0
    assert np.isnan(found["f1 Fracture"])


def test_the_true_reports_are_fully_right(graph, linker):
    reader = labeler(graph, "chexpert14")
    statements = statements_of(TRUE, linker)
    labels = labels_of(statements, reader)
    found = values(label_sums(labels, labels), label_metrics(reader.columns))
    assert found["f1_micro"] == found["f1_macro"] == 1.0
    found = values(statement_sums(statements, statements, graph), STATEMENT_METRICS)
    assert found.pop("denied_per_report") == 0.0
    assert set(found.values()) == {1.0}


@pytest.mark.parametrize("seed", range(4))
def test_counts_are_those_of_sklearn(seed):
    rng = np.random.default_rng(seed)
    columns = ("a", "b", "c", "d")
    choice = np.array([1, 0, -1, None], dtype=object)
    said, true = (
        [dict(zip(columns, choice[row], strict=True)) for row in rng.integers(0, 4, (40, 4))]
        for _ in range(2)
    )
    found = values(label_sums(said, true), label_metrics(columns))
    predicted, labels = (
        np.array([[row[c] == 1 for c in columns] for row in rows]) for rows in (said, true)
    )
    precision, recall, f1, _ = precision_recall_fscore_support(labels, predicted, average="micro")
    assert found["precision_micro"] == pytest.approx(precision)
    assert found["recall_micro"] == pytest.approx(recall)
    assert found["f1_micro"] == pytest.approx(f1)
    each = f1_score(labels, predicted, average=None)
    assert [found[f"f1 {c}"] for c in columns] == pytest.approx(each)
    assert found["f1_macro"] == pytest.approx(each.mean())


def test_statements_by_hand(graph, linker):
    """A denied effusion is not a stated one, and a finding on the other side is no such site."""
    said, true = (statements_of(texts, linker) for texts in (WRITTEN, TRUE))
    sums = statement_sums(said, true, graph)
    first = [sums[f"finding {outcome}"][0] for outcome in ("tp", "fp", "fn")]
    assert first == [2, 1, 1]  # heart and pneumothorax; the effusion is denied, not stated
    assert sums["finding tp"][2] >= 1
    assert sums["finding fp"][2] >= 1
    assert sums["site fp"][2] >= 1
    assert sums["site fn"][2] >= 1
    found = values(sums, STATEMENT_METRICS)
    assert 0 < found["finding_f1"] < 1
    assert found["site_f1"] < found["finding_f1"]


def test_one_normal_report_for_all_is_right_in_what_it_denies_alone(graph, linker):
    normal = "The heart is normal in size. No pleural effusion. No pneumothorax. No edema."
    said, true = statements_of([normal] * 4, linker), statements_of(TRUE, linker)
    sums = statement_sums(said, true, graph)
    assert sums["finding tp"].sum() > 0
    assert sums["abnormal tp"].sum() == sums["abnormal fp"].sum() == 0
    assert sums["abnormal fn"].tolist() == [2, 0, 1, 1]
    assert values(sums, STATEMENT_METRICS)["abnormal_recall"] == 0.0


@pytest.mark.parametrize(
    ("written", "true", "denied"),
    [
        ("There is a pneumothorax.", "No pneumothorax.", 1),
        ("Pneumothorax. Cardiomegaly.", "No pneumothorax. No cardiomegaly.", 2),
        ("There is a pneumothorax.", "The heart is enlarged.", 0),  # silent
        ("Possible pneumothorax.", "No pneumothorax.", 0),  # not stated present
        ("No pneumothorax.", "There is a pneumothorax.", 0),  # left out, not made up
        ("Left pleural effusion.", "No right pleural effusion. Left pleural effusion.", 0),
    ],
)
def test_a_statement_that_the_true_report_denies_is_counted(graph, linker, written, true, denied):
    sums = statement_sums(*(statements_of([text], linker) for text in (written, true)), graph)
    assert sums["denied"].tolist() == [denied]
    two = statement_sums(*(statements_of([text, ""], linker) for text in (written, true)), graph)
    assert values(two, STATEMENT_METRICS)["denied_per_report"] == denied / 2


def test_labels_of_two_sets_are_told_apart():
    columns = [{"Edema": 1, "Mass": 0}], [{"Edema": 1, "Mass": 1}]
    plain, named = label_sums(*columns), label_sums(*columns, "nih14")
    both = plain | named
    assert labels_in(both.names) == ["Edema", "Mass"]
    assert labels_in(both.names, "nih14") == ["nih14: Edema", "nih14: Mass"]
    assert labels_in(both.names, "chexpert14") == []
    assert values(both, label_metrics(labels_in(both.names, "nih14")))["recall_micro"] == 0.5
    assert np.isnan(values(both, label_metrics([]))["f1_micro"])


def test_nothing_written_states_nothing(graph, linker):
    said, true = statements_of(["", ""], linker), statements_of(TRUE[:2], linker)
    found = values(statement_sums(said, true, graph), STATEMENT_METRICS)
    assert found["finding_recall"] == found["finding_f1"] == 0.0
    assert np.isnan(found["finding_precision"])


def test_as_many_reports_as_references(graph, linker):
    said = statements_of(TRUE, linker)
    with pytest.raises(ValueError, match="zip"):
        statement_sums(said[:1], said, graph)
    labels = labels_of(said, labeler(graph, "nih14"))
    with pytest.raises(ValueError, match="zip"):
        label_sums(labels[:1], labels)
