"""Small run folders written by hand: nothing is trained, every score is drawn here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.config.hashing import config_hash
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset, write_predictions
from experiments.records.record import FindingRow, RunRecord

FINDINGS = ("ckg:a", "ckg:b", "ckg:rare")
STUDIES = 60
"""Studies of each fold; every third patient has two."""

Write = Callable[..., RunFolder]


def truth(fold: int, *, studies: int = STUDIES) -> np.ndarray[Any, Any]:
    """Labels `[n, C]`: two findings often, one seldom, some of the first not stated."""
    rng = np.random.default_rng(1000 + fold)
    labels = (rng.random((studies, 3)) < [0.4, 0.3, 0.06]).astype(float)
    labels[rng.random(studies) < 0.1, 0] = np.nan
    return labels


def settings(name: str, seed: int, fold: int, changes: Mapping[str, Any]) -> Experiment:
    values = {
        "name": name,
        "data": {"name": "synthetic", "labels": "nih14"},
        "system": {"name": "graph_fusion"},
        "stages": [{"epochs": 1, "objectives": {"classification": 1.0}}],
        "split": {"kind": "folds", "folds": 2, "fold": fold},
        "seed": seed,
        **changes,
    }
    return Experiment.model_validate(values)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a finished run: `lift` is how well it ranks, `seed` the noise it adds."""

    def made(
        name: str = "full",
        *,
        seed: int = 0,
        fold: int = 0,
        lift: float = 1.0,
        changes: Mapping[str, Any] | None = None,
        scored: Callable[[ScoredSubset], ScoredSubset] = lambda part: part,
        **record: Any,
    ) -> RunFolder:
        experiment = settings(name, seed, fold, changes or {})
        folder = RunFolder.create(tmp_path / "runs", experiment)
        labels = truth(fold)
        shared = np.random.default_rng(fold).normal(size=labels.shape)
        noise = np.random.default_rng([seed, fold, len(name)]).normal(size=labels.shape)
        logits = shared + 0.5 * noise + lift * np.nan_to_num(labels)
        part = ScoredSubset(
            part="test",
            studies=tuple(f"s{fold}-{row:03}" for row in range(STUDIES)),
            patients=tuple(f"p{fold}-{row - row % 3 // 2:03}" for row in range(STUDIES)),
            findings=FINDINGS,
            labels=labels,
            probabilities=np.round(1 / (1 + np.exp(-logits)), 2),
        )
        write_predictions(folder.predictions, [replace(part, part="validation"), scored(part)])
        rows = [
            FindingRow(finding, label, "test", STUDIES, 0, "trained")
            for finding, label in zip(FINDINGS, ("edema", "effusion", "hernia"), strict=True)
        ]
        values = RunRecord(
            run=folder.run,
            status="finished",
            experiment=experiment.model_dump(mode="json"),
            config_hash=config_hash(experiment),
            command="kgdx experiment run",
            version="0.1.0",
            commit="c0ffee" * 7,
            packages={"numpy": "2.0"},
            system="graph_fusion",
            dataset="synthetic",
            labels="nih14",
            inputs_at_test=("image",),
            split_manifest=f"manifest of fold {fold}",
            data_fingerprint="data",
            seed=seed,
            seconds=10.0,
            parameters=1000,
            findings=tuple(rows),
        )
        replace(values, **record).save(folder.record)
        return folder

    return made


@pytest.fixture
def crossed(write: Write) -> Callable[..., list[RunFolder]]:
    """Writes all runs of a configuration over two folds and some seeds."""

    def made(name: str = "full", *, seeds: int = 3, **rest: Any) -> list[RunFolder]:
        return [
            write(name, seed=seed, fold=fold, **rest) for seed in range(seeds) for fold in (0, 1)
        ]

    return made
