"""The matrix of trained here and tested there, and how labels were carried over."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments.cli.main import main
from experiments.compare.transfer import transfer
from experiments.metrics.bootstrap import Plan
from experiments.records.predictions import (
    ScoredSubset,
    evaluation_subset,
    read_predictions,
    write_predictions,
)

QUICK = Plan(resamples=20, at_least=5)
LABELS = (np.random.default_rng(5).random((40, 1)) < 0.5).astype(float)


def elsewhere(folder, dataset, *, basis="trained", seed=0, **changed):
    """Adds a test of one finding on a data set to a run."""
    name = evaluation_subset(dataset, "nih14", basis, without=changed.get("without", ()))
    part = ScoredSubset(
        name,
        *(tuple(f"{kind}{row:02}" for row in range(40)) for kind in "xp"),
        ("ckg:a",),
        LABELS,
        np.random.default_rng(seed).random((40, 1)),
    )
    write_predictions(folder.predictions, [*read_predictions(folder.predictions), part])
    test = {
        **{"dataset": dataset, "labels": "nih14", "label_source": ["findings"]},
        **{"label_policy": {"blank": "ignore"}, "part": "development", "external": True},
        **{"inputs_at_test": ["image"], "text_policy": "none", "leakage": "none"},
        **{"data_fingerprint": "f", "metrics": {basis: {}}, "warnings": []},
        "findings": [{"finding": "ckg:a", "label": "a", "basis": basis}],
        "matches": [
            {"finding": "ckg:a", "asked": "ckg:a2", "how": "exact_match", "basis": basis},
            {"finding": "ckg:z", "asked": None, "how": "no_equivalent", "basis": "not_possible"},
        ],
        **changed,
    }
    record = folder.load_record()
    replace(record, evaluations=(*record.evaluations, test)).save(folder.record)
    return part


def test_every_test_is_a_cell_and_every_label_is_told(write) -> None:
    fixed = {"split": {"kind": "fixed"}}
    one, other = write("full", changes=fixed), write("names", changes=fixed)
    part = elsewhere(one, "openi")
    elsewhere(one, "padchest", basis="zero_shot", seed=1)
    elsewhere(one, "openi", without=("image",), seed=2)
    elsewhere(one, "synthetic", external=False, seed=3)  # the own test set once more
    made = transfer({"full": [one], "names": [other]}, QUICK)
    row = "full (synthetic nih14)"
    assert [(c.trained_on, c.tested_on, c.basis, c.own) for c in made.cells] == [
        (row, "synthetic nih14", "trained", True),
        (row, "openi nih14", "trained", False),
        (row, "padchest nih14", "zero_shot", False),
        (row, "openi nih14 without image", "trained", False),
        ("names (synthetic nih14)", "synthetic nih14", "trained", True),
    ]
    area = roc_auc_score(part.labels[:, 0], part.probabilities[:, 0])
    assert made.cells[1].value.value == pytest.approx(area)
    assert (made.cells[1].asked, made.cells[1].studies) == (1, 40)
    told = [(c.tested_on, c.finding, c.asked, c.how) for c in made.crossings]
    assert told == [
        (place, finding, asked, how)
        for place in ("openi nih14", "padchest nih14", "openi nih14 without image")
        for finding, asked, how in (
            ("ckg:a", "ckg:a2", "exact_match"),
            ("ckg:z", None, "no_equivalent"),
        )
    ]


def test_a_test_that_not_every_fold_had_is_no_cell(crossed) -> None:
    folds = crossed("full", seeds=1)
    elsewhere(folds[0], "openi")
    assert len(transfer({"full": folds}, QUICK).cells) == 1
    elsewhere(folds[1], "openi", seed=1)
    assert len(transfer({"full": folds}, QUICK).cells) == 2


def test_the_command(write, tmp_path, capsys) -> None:
    run = write("full", changes={"split": {"kind": "fixed"}})
    elsewhere(run, "openi")
    words = ("experiment", "transfer", run.run, "--runs", str(tmp_path / "runs"))
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 2
    assert main([*words]) == 0
    matrix, carried = capsys.readouterr().out.split("\n\n")
    head, line = (row.split("\t") for row in matrix.splitlines())
    assert head[1:] == ["synthetic nih14", "openi nih14"]
    assert "own test set" in line[1]
    assert "of 1 findings, 40 studies" in line[2]
    assert "ckg:z\t-\tno_equivalent" in carried
