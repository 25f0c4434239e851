"""Agreement of answers, counted by hand."""

import numpy as np
import pytest

from experiments.metrics.hierarchy import consistency_rate, contradiction_rate


def test_a_child_is_at_most_as_probable_as_its_parent():
    said = [[0.2, 0.5], [0.6, 0.5], [0.5, 0.5], [np.nan, 0.1]]
    assert consistency_rate(said, [(0, 1)]) == pytest.approx(2 / 3)
    assert consistency_rate(said, [(0, 1)], tolerance=0.11) == 1
    assert consistency_rate(said, [(0, 1), (1, 0)]) == pytest.approx(4 / 6)
    assert np.isnan(consistency_rate(said, []))


def test_no_finding_contradicts_a_finding():
    said = [[0.9, 0.1, 0.1], [0.9, 0.8, 0.1], [0.1, 0.9, 0.9], [0.7, np.nan, 0.6]]
    assert contradiction_rate(said, [0.5, 0.5, 0.5], 0, [1, 2]) == pytest.approx(2 / 3)
    assert contradiction_rate(said, [0.5, 0.95, 0.5], 0, [1, 2]) == pytest.approx(1 / 3)
    assert np.isnan(contradiction_rate(said, [np.nan, 0.5, 0.5], 0, [1, 2]))
