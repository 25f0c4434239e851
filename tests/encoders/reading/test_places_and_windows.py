"""Which slices and frames are shown, how a study's files share them, and windows by hand."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_windowing

from encoders.reading.places import share, spread_out
from encoders.reading.windowing import WINDOWS, Window, window_named
from experiments.config.schema import ImageSection
from kg.errors import InputError


def test_the_middles_of_equal_parts() -> None:
    assert spread_out(100, 4) == (12, 37, 62, 87)
    assert spread_out(5, 1) == (2,)
    assert spread_out(3, 8) == (0, 1, 2)
    assert spread_out(1, 4) == (0,)
    assert spread_out(10, 0) == ()


def test_places_are_distinct_ascending_and_even() -> None:
    for count in range(1, 60):
        for most in range(1, 20):
            places = spread_out(count, most)
            assert len(set(places)) == min(count, most)
            assert list(places) == sorted(places)
            assert places[0] >= 0
            assert places[-1] < count
            if len(places) > 1:
                assert np.ptp(np.diff(places)) <= 1


def test_stills_are_chosen_from_first_to_last() -> None:
    assert share([1] * 7, 4) == [(0,), (), (0,), (), (0,), (), (0,)]
    assert share([1, 1], 4) == [(0,), (0,)]


def test_a_stack_gets_what_stills_leave() -> None:
    assert share([1, 100], 4) == [(0,), (16, 50, 83)]
    assert share([100, 2, 100], 7) == [(16, 50, 83), (0, 1), (25, 75)]
    assert share([100, 100, 1, 100], 2) == [(50,), (), (), (50,)]
    assert share([], 4) == []


@pytest.mark.parametrize("seed", range(20))
def test_shares_never_exceed_the_limit_and_waste_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 30, rng.integers(1, 8)).tolist()
    limit = int(rng.integers(1, 20))
    given = sum(len(places) for places in share(counts, limit))
    assert given == min(limit, sum(counts))


def test_the_lung_window_by_hand() -> None:
    values = np.array([-1400, -1350, -600, 150, 151], np.float32)
    np.testing.assert_allclose(WINDOWS["lung"].apply(values), [0, 0, 0.5, 1, 1], atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_those_of_the_standard(function: str) -> None:
    values = np.arange(0, 4096, dtype=np.uint16)
    header = Dataset()
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsStored, header.PixelRepresentation = 12, 0
    header.WindowCenter, header.WindowWidth, header.VOILUTFunction = 1500, 800, function
    theirs = apply_windowing(values, header) / 4095
    ours = Window(1500, 800, function).apply(values.astype(np.float32))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_names_of_windows_are_those_a_configuration_may_ask_for() -> None:
    allowed = get_args(ImageSection.model_fields["window"].annotation)
    assert set(allowed) == {"", *WINDOWS}
    with pytest.raises(InputError, match="no CT window 'long'") as caught:
        window_named("long")
    assert "lung" in caught.value.hint
