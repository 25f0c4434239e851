"""Numbers, intervals and verdicts as a page says them."""

import pytest

from experiments.metrics.bootstrap import Estimate
from experiments.records.record import Measured
from experiments.reports.example_cards import example_cards, picture
from experiments.reports.html import breakable
from experiments.reports.wording import exact, metric_name, metric_note, number, span


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, "0.500"),
        ({"value": 1}, "1.000"),
        ({"value": None}, "n/a"),
        (None, "n/a"),
        (float("nan"), "n/a"),
        (True, "n/a"),
        ("0.5", "n/a"),
    ],
)
def test_number(value, words):
    assert number(value) == words


def test_span():
    assert span({"low": 0.1, "high": 0.25}) == "0.100 to 0.250"
    assert span({"low": None, "high": 0.2}) == span(0.3) == ""
    assert span(Estimate(0.2, 0.1, 0.25)) == span(Measured(0.2, 0.1, 0.25)) == "0.100 to 0.250"
    assert span(Estimate(0.2)) == span(Measured(0.2)) == ""
    assert [number(Estimate(0.2)), number(Estimate(float("nan")))] == ["0.200", "n/a"]


def test_long_words_break_at_their_joints_and_stay_escaped():
    assert breakable("full at 0.05") == "full at 0.05"
    assert breakable("stages.0.objectives") == "stages.<wbr>0.<wbr>objectives"
    assert breakable("a graph_fusion_openi <b>") == "a graph_<wbr>fusion_<wbr>openi &lt;b&gt;"
    assert breakable("<script>.alert_1(1)") == "&lt;script&gt;.<wbr>alert_<wbr>1(1)"


def test_metric_names():
    assert metric_name("auroc_macro") == "AUROC, macro"
    assert metric_name("balanced_accuracy") == "Balanced accuracy"
    assert metric_note("sensitivity_macro").startswith("share")
    assert metric_note("unheard_of") == ""
    assert exact(float("inf")) is None


@pytest.mark.parametrize(
    ("label", "probability", "threshold", "words"),
    [
        (1, 0.5, 0.5, "true positive"),
        (1, 0.4, 0.5, "false negative"),
        (0, 0.6, 0.5, "false positive"),
        (0, 0.4, 0.5, "true negative"),
        (None, 0.4, 0.5, "predicted absent, not labelled"),
        (1, 0.4, None, "present"),
        (1, None, 0.5, "not possible"),
    ],
)
def test_verdicts(label, probability, threshold, words):
    row = {"finding": "f", "label": label, "probability": probability, "threshold": threshold}
    card = example_cards([{"study": "s", "findings": [row]}], {"f": "Finding"})[0]
    assert card["findings"][0]["verdict"][1] == words
    assert card["findings"][0]["label"] == "Finding"


def test_only_pictures_are_pictures():
    assert picture("iVBORw0KGgo=") == "data:image/png;base64,iVBORw0KGgo="
    assert picture("/9j/") == "data:image/jpeg;base64,/9j/"
    for other in (None, "", "no base64!", "PHN2Zy8+", 'iVBORw0KGgo=" onload="x'):
        assert picture(other) is None
