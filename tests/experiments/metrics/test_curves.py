"""Curves agree with the numbers printed beside them."""

import numpy as np
import pytest

from experiments.metrics.curves import curve
from experiments.metrics.ranking import auprc, auroc


@pytest.fixture
def finding():
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.3).astype(float)
    scores = np.round(rng.normal(size=400) + labels, 1)
    labels[::17] = np.nan
    return labels, scores


def test_area_under_the_drawn_curve(finding):
    roc = curve(*finding, range(400), kind="roc", rng=np.random.default_rng(0), points=4001)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(auroc(*finding)[0], abs=1e-3)
    pr = curve(*finding, range(400), kind="pr", rng=np.random.default_rng(0), points=4001)
    assert np.mean(pr.y) == pytest.approx(auprc(*finding)[0], abs=2e-3)


def test_the_band_holds_the_curve(finding):
    for kind in ("roc", "pr"):
        drawn = curve(*finding, range(400), kind=kind, rng=np.random.default_rng(0))
        inside = (drawn.low <= drawn.y + 1e-9) & (drawn.y <= drawn.high + 1e-9)
        assert inside.mean() > 0.95


def test_by_hand():
    drawn = curve(
        [1, 0, 1, 0], [4, 3, 2, 1], range(4), kind="roc", rng=np.random.default_rng(0), points=3
    )
    assert drawn.y.tolist() == [0.5, 1, 1]


def test_one_class_has_no_curve():
    assert curve([1, 1], [0.1, 0.2], "ab", kind="roc", rng=np.random.default_rng(0)) is None
