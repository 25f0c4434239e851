"""Ask findings that were held out of training, at both levels, and write the table.

    python tests/benchmarks/zero_shot.py --root ../shared/data --runs runs

Four rotations hold out a quarter of the findings each; `labels` removes a finding's label column
from training, `concept` everything training could learn of it. Only the second is zero-shot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from real_data import RESULTS, Job, finished, run_missing

from experiments.metrics.rank_correlation import rank_correlation
from experiments.metrics.ranking import auroc
from experiments.records.predictions import read_predictions
from experiments.records.record import DISTANCE, FindingRow, Measured, RunRecord

CONFIG = "graph_fusion_openi"
ROTATIONS = 4
LEVELS = ("labels", "concept")


def job(level: str | None, rotation: int = 0) -> Job:
    """A run on the fixed split, with nothing or one rotation held out."""
    settings = ("split.kind=fixed", "split.fold=0", "seed=0")
    if level is None:
        return Job(CONFIG, settings)
    held = f"{{level: {level}, rotation: {rotation}, rotations: {ROTATIONS}}}"
    return Job(CONFIG, (*settings, f"hold_out={held}"))


def rows(record: RunRecord, basis: str) -> dict[str, FindingRow]:
    """Test rows of a record that were answered on one basis."""
    return {row.label: row for row in record.findings if row.part == "test" and row.basis == basis}


def merely_ill(run: Path) -> dict[str, float]:
    """AUROC of each finding when every study is answered by how little normal it looks.

    A zero-shot answer that is not better than this knows no more than that something is wrong.
    """
    test = next(p for p in read_predictions(run / "predictions.parquet") if p.part == "test")
    ill = 1 - test.probabilities[:, [test.findings.index("ckg:no_finding")]]
    areas = auroc(test.labels, ill.repeat(len(test.findings), 1))
    return dict(zip(test.findings, areas.tolist(), strict=True))


def cell(row: FindingRow | None) -> str:
    """AUROC of a row with its interval."""
    return row.metrics["auroc"].words() if row else ""


def far(row: FindingRow | None) -> float | None:
    """Distance in the run's graph to the nearest finding taught; None where there is no path."""
    measured = row.metrics.get(DISTANCE) if row is not None else None
    return measured.value if measured is not None else None


def with_distance(rows: Iterable[FindingRow]) -> str:
    """Rank correlation of AUROC and distance, with the interval of resampled findings."""
    pairs = [(row.metrics["auroc"].value, far(row)) for row in rows]
    known = [pair for pair in pairs if None not in pair]
    found = rank_correlation(*zip(*known, strict=True), rng=np.random.default_rng(0))
    said = Measured.of(found.value, found.low, found.high).words(sign=True)
    return f"{said} over {len(known)} findings"


def main() -> None:
    """Run what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    turns = range(ROTATIONS)
    wanted = {(level, turn): job(level, turn) for level in LEVELS for turn in turns}
    run_missing([job(None), *wanted.values()], given.root, given.runs, given.workers)
    done = finished(given.runs)
    trained = rows(RunRecord.load(done[job(None).digest] / "record.json"), "trained")
    held: dict[str, dict[str, FindingRow]] = {level: {} for level in LEVELS}
    for (level, _), each in wanted.items():
        if each.digest in done:
            record = RunRecord.load(done[each.digest] / "record.json")
            held[level] |= rows(record, "zero_shot")
    ill = merely_ill(done[job(None).digest])
    head = (
        *("finding", "positives of test", "trained", "labels held out", "concept held out"),
        *("merely not normal", "distance to the nearest taught"),
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for label, row in trained.items():
        cells = [label, f"{row.positives} of {row.studies}", cell(row)]
        cells += [cell(held[level].get(label)) for level in LEVELS]
        cells.append(f"{ill[row.finding]:.3f}")
        away = far(held["concept"].get(label))
        cells.append("" if away is None else f"{away:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        f"AUROC against distance, Spearman: {with_distance(held['concept'].values())}.",
    ]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "openi_zero_shot.md"
    title = "# openi: findings held out of training, pictures alone at test, one fixed split"
    path.write_text("\n".join([title, "", *lines]) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
