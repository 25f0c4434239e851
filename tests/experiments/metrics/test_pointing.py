"""Pointing at marked findings: by hand, on maps of any size."""

import numpy as np
import pytest

from experiments.metrics.pointing import POINTING_METRICS, covered, pointing_sums
from experiments.metrics.sums import measure

LEFT_UPPER = [[0.0, 0.0, 0.5, 0.5]]


def values(maps, boxes):
    sums = pointing_sums(maps, boxes)
    found = measure(sums, POINTING_METRICS, np.arange(len(maps)), rng=np.random.default_rng(0))
    return {name: each.value for name, each in found.items()}


def peak(row, column, size=4):
    one = np.zeros((size, size))
    one[row, column] = 1.0
    return one


def test_a_place_inside_and_one_outside():
    found = values([peak(0, 1), peak(3, 3)], [LEFT_UPPER, LEFT_UPPER])
    assert found == {"pointing_game": 0.5, "energy_in_box": 0.5, "chance": 0.25}


def test_energy_by_hand():
    given = np.array([[4.0, 1.0], [2.0, 3.0]])
    found = values([given], [LEFT_UPPER])
    assert found["pointing_game"] == 1.0
    assert found["energy_in_box"] == pytest.approx(0.4)


@pytest.mark.parametrize("shape", [(2, 2), (8, 8), (7, 5), (64, 48)])
@pytest.mark.parametrize("box", [[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0], [0.4, 0.4, 0.45, 0.5]])
def test_a_map_that_is_the_same_everywhere_has_chance(shape, box):
    area = (box[2] - box[0]) * (box[3] - box[1])
    found = values([np.full(shape, 3.0)], [[box]])
    assert list(found.values()) == pytest.approx([area] * 3)


def test_rows_are_height_and_columns_width():
    """A wide box along the upper edge."""
    assert covered([[0.0, 0.0, 1.0, 0.5]], (2, 3)).tolist() == [[1, 1, 1], [0, 0, 0]]
    assert covered([[0.0, 0.0, 0.25, 1.0]], (2, 2)).tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_several_boxes_are_one_region():
    both = [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]]
    assert covered(both, (2, 2)).tolist() == [[1, 0], [0, 1]]
    assert covered([*both, both[0]], (2, 2)).tolist() == [[1, 0], [0, 1]]
    assert values([peak(3, 3)], [both])["pointing_game"] == 1.0


def test_equal_peaks_are_pointed_at_in_equal_shares():
    assert values([peak(0, 0) + peak(3, 3)], [LEFT_UPPER])["pointing_game"] == 0.5


def test_a_picture_without_a_box_does_not_count():
    with_one = values([peak(0, 0)], [LEFT_UPPER])
    assert values([peak(0, 0), peak(3, 3)], [LEFT_UPPER, np.zeros((0, 4))]) == with_one
    assert covered([], (2, 2)).tolist() == [[0, 0], [0, 0]]


def test_an_empty_map_points_everywhere_and_holds_nothing():
    found = values([np.zeros((4, 4))], [LEFT_UPPER])
    assert found["pointing_game"] == found["chance"] == 0.25
    assert found["energy_in_box"] == 0.0


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_a_map_that_is_none_is_refused(value):
    with pytest.raises(ValueError, match="missing or negative"):
        pointing_sums([np.full((2, 2), value)], [LEFT_UPPER])
