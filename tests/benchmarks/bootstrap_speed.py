"""The patient bootstrap beside a scikit-learn loop: 2,000 resamples, 14 findings, 3,000 studies.

    python tests/benchmarks/bootstrap_speed.py

Both take the AUROC of every finding in every resample of patients, in one process on one thread.
The loop is timed over 50 resamples and counted up to 2,000; on those 50, both are compared number
by number.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.metrics import roc_auc_score

from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import draw_counts, replicates

RESULT = Path(__file__).parent / "results" / "bootstrap_speed.md"
RESAMPLES, FINDINGS, STUDIES, LOOPED, TURNS = 2000, 14, 3000, 50, 3


def loop(labels, scores, member, counts):
    """AUROC of each finding in each resample, as one would write it with scikit-learn."""
    found = np.empty((len(counts), labels.shape[1]))
    for place, count in enumerate(counts):
        rows = np.repeat(np.arange(len(labels)), count[member])
        for finding in range(labels.shape[1]):
            found[place, finding] = roc_auc_score(labels[rows, finding], scores[rows, finding])
    return found


def main() -> None:
    """Time both in turn, hold them equal, write the line."""
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 2000, STUDIES)
    labels = (rng.random((STUDIES, FINDINGS)) < 0.1).astype(float)
    scores = rng.random((STUDIES, FINDINGS)) + 0.3 * labels
    units = Units(patients)
    counts = draw_counts(units, RESAMPLES, rng)
    ours, theirs = [], []
    for _ in range(TURNS):
        began = time.perf_counter()
        fast = replicates(labels, scores, units, counts)
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        slow = loop(labels, scores, units.member, counts[:LOOPED])
        theirs.append((time.perf_counter() - began) * RESAMPLES / LOOPED)
    worst = float(np.abs(fast[:LOOPED] - slow).max())
    if worst > 1e-9:
        raise SystemExit(f"the two differ by {worst}")
    mine, other = statistics.median(ours), statistics.median(theirs)
    about = " ".join((__doc__ or "").split("\n\n")[2].split())
    RESULT.write_text(
        f"# The patient bootstrap beside scikit-learn\n\n{about} Median of {TURNS} turns.\n\n"
        "| resamples | findings | studies | kgdx, seconds | loop, seconds | loop / kgdx "
        "| largest difference |\n|---|---|---|---|---|---|---|\n"
        f"| {RESAMPLES} | {FINDINGS} | {STUDIES} | {mine:.2f} | {other:.0f} | {other / mine:.0f} "
        f"| {worst:.0e} |\n",
        encoding="utf-8",
    )
    sys.stdout.write(RESULT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
