"""Unusual pictures: distances under the fitted Gaussian, and what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.explanation.unusual import Familiar, write_familiar
from experiments.records.folder import RunFolder
from experiments.runs.build import RunContext


def cloud(studies: int, rng: np.random.Generator) -> np.ndarray:
    """Points in twenty directions of which three vary much."""
    scale = np.r_[10.0, 5.0, 3.0, np.full(17, 0.1)]
    return rng.normal(0, 1, (studies, 20)) * scale + 4


@pytest.mark.parametrize("studies", [40, 1000])
def test_distance_is_one_in_expectation_and_grows_off_the_cloud(studies: int) -> None:
    rng = np.random.default_rng(0)
    familiar = Familiar.fit(cloud(studies, rng))
    again = familiar.distances(cloud(2000, rng))
    assert again.mean() == pytest.approx(1, rel=0.7)
    off = np.full((1, 20), 4.0)
    off[0, 19] = 5.0  # small, in a direction that never varies
    along = np.full((1, 20), 4.0)
    along[0, 0] = 9.0  # large, in one that does
    assert familiar.distances(off)[0] > 3 * familiar.distances(along)[0]
    assert familiar.distances(off)[0] > np.quantile(again, 0.99)


def test_pictures_that_are_all_alike_leave_anything_else_unusual() -> None:
    familiar = Familiar.fit(np.ones((10, 4)))
    assert familiar.distances(np.ones((1, 4)))[0] == 0
    assert familiar.distances(np.zeros((1, 4)))[0] > 1e6


def test_a_run_describes_its_pictures(
    make: Callable[..., RunContext], new_folder: Callable[[], RunFolder], tmp_path: Path
) -> None:
    context, folder = make(), new_folder()
    assert Familiar.load(folder) is None
    write_familiar(folder, context)
    kept = Familiar.load(folder)
    assert kept is not None
    assert kept.threshold > 0
    assert 0 <= (kept.false_alarms.value or 0.0) <= 1
    cohort = context.cohorts["test"]
    found = kept.of(context.system, cohort.batch([0]))
    assert found is not None
    assert bool(found.flagged) == (found.distance > kept.threshold)


def test_a_trainable_encoder_is_asked_for_the_features(
    make: Callable[..., RunContext], new_folder: Callable[[], RunFolder]
) -> None:
    context, folder = make(frozen=False), new_folder()
    write_familiar(folder, context)
    assert Familiar.load(folder) is not None
