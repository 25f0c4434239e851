"""Means over studies: columns with denominators of their own are as if each stood alone."""

from __future__ import annotations

import numpy as np

from experiments.metrics.bootstrap import Plan
from experiments.metrics.means import ratios


def test_columns_with_their_own_denominators() -> None:
    rng = np.random.default_rng(0)
    among = rng.random((40, 3)) < 0.7
    counted = (rng.random((40, 3)) < 0.5) & among
    patients = np.repeat(np.arange(20), 2)
    plan = Plan(resamples=200)
    found = ratios(counted, among, patients, rng=np.random.default_rng(1), plan=plan)
    for column, one in enumerate(found):
        (alone,) = ratios(
            counted[:, column : column + 1],
            among[:, column],
            patients,
            rng=np.random.default_rng(1),
            plan=plan,
        )
        assert one == alone
        assert one.value == counted[:, column].sum() / among[:, column].sum()
