"""Which answers are compared: held-out findings over rotations, evaluations, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments.compare.compare import compare
from experiments.compare.gather import gather
from experiments.compare.tables import about, entry_table, finding_table
from experiments.metrics.bootstrap import Plan
from experiments.records.predictions import (
    ZERO_SHOT,
    ScoredSubset,
    evaluation_subset,
    read_predictions,
    write_predictions,
)
from experiments.records.record import DISTANCE, FindingRow, Measured
from experiments.reports.write_comparison import render
from kg.errors import InputError

QUICK = Plan(resamples=60, at_least=5)
HELD = (("ckg:a", "ckg:b"), ("ckg:b", "ckg:c"))
"""What each rotation holds out; one finding is held out in both."""
LABELS = np.random.default_rng(5).random((80, 3)) < 0.4
AWAY = {"ckg:a": 1.0, "ckg:b": 2.0, "ckg:c": 3.0}


def zero_shot(folder, rotation, noise):
    """Adds answers on what a rotation holds out to a run, with its rows in the record."""
    findings = HELD[rotation]
    columns = ["abc".index(name[-1]) for name in findings]
    labels = LABELS[:, columns].astype(float)
    rng = np.random.default_rng([rotation, noise])
    part = ScoredSubset(
        ZERO_SHOT,
        *(tuple(f"{kind}{row}" for row in range(len(labels))) for kind in "sp"),
        findings,
        labels,
        1 / (1 + np.exp(noise * rng.normal(size=labels.shape) - labels)),
    )
    write_predictions(folder.predictions, [*read_predictions(folder.predictions), part])
    rows = tuple(
        FindingRow(
            *(name, name[-1], "test", 80, 0, "zero_shot"), metrics={DISTANCE: Measured(AWAY[name])}
        )
        for name in findings
    )
    record = folder.load_record()
    replace(record, findings=(*record.findings, *rows)).save(folder.record)
    return part


@pytest.fixture
def held(write):
    """Writes the runs of a configuration that hold findings out in rotations."""

    def made(name, noise, rotations=(0, 1)):
        runs, parts = [], []
        for rotation in rotations:
            changes = {"hold_out": {"rotation": rotation, "rotations": 2}}
            run = write(name, changes={**changes, "split": {"kind": "fixed"}})
            parts.append(zero_shot(run, rotation, noise))
            runs.append(run)
        return runs, parts

    return made


def test_held_out_findings_of_all_rotations_are_one_mean(held) -> None:
    (full, parts), (names, _) = held("full", 1), held("names", 3)
    found = compare(gather([*full, *names]), on="zero_shot", plan=QUICK)
    assert (found.on, found.studies, len(found.entries)) == (ZERO_SHOT, 80, 2)
    first, second = parts
    areas = [
        roc_auc_score(part.labels[:, column], part.probabilities[:, column])
        for part, column in ((first, 0), (first, 1), (second, 1))  # b is that of the first
    ]
    one = found.entry("full")
    assert [row.finding for row in one.findings] == ["ckg:a", "ckg:b", "ckg:c"]
    assert [row.value.value for row in one.findings] == pytest.approx(areas)
    assert one.metrics["auroc_macro"].value == pytest.approx(np.mean(areas))
    assert one.metrics["auroc_macro"].findings == 3
    macro = found.differences[0]
    other = found.entry("names").metrics["auroc_macro"].value
    assert macro.value.value == pytest.approx(np.mean(areas) - other)
    assert len(found.between("full", "names")) == 4


def test_scores_stand_beside_distances_and_pages_say_what_was_compared(held) -> None:
    (full, _), (names, _) = held("full", 1), held("names", 3)
    found = compare(gather([*full, *names]), on="zero_shot", plan=QUICK)
    one = found.entry("full")
    order = np.argsort(np.argsort([row.value.value for row in one.findings]))
    by_hand = 1 - 6 * np.sum((order - np.arange(3)) ** 2) / (3 * (9 - 1))
    assert one.by_distance.value == pytest.approx(by_hand)
    assert one.by_distance.findings == 3
    assert [row.distance for row in one.findings] == [1, 2, 3]
    said = "test set, findings held out of training (zero-shot)"
    assert about(found).startswith(f"Predictions compared: {said}. 80 studies")
    assert "distance to the nearest trained" in finding_table(found).columns
    assert "rank correlation with distance" in entry_table(found).columns
    page = render(found, ".md")
    assert f"On {said}: " in page
    assert "Rank correlation with distance" in page
    assert "auroc by distance" in render(found, ".csv")


def test_a_rotation_that_is_missing_is_named(held) -> None:
    (full, _), (names, _) = held("full", 1), held("names", 3, rotations=(1,))
    with pytest.raises(InputError, match="names has no finished run of fold 0 seed 0 rotation 0"):
        compare({"full": full, "names": names}, on="zero_shot", plan=QUICK)


def elsewhere(folder, *, studies=range(50), noise=1.0, external=True, **changed):
    """Adds a test on `figure1` to a run."""
    labels = LABELS[list(studies), :2].astype(float)
    seed = [folder.load_record().seed, int(folder.load_record().experiment["split"]["fold"])]
    scores = np.random.default_rng([*seed, int(noise)]).normal(size=(80, 2))[list(studies)]
    name = evaluation_subset("figure1", "covid", "trained")
    part = ScoredSubset(
        name,
        *(tuple(f"{kind}{row}" for row in studies) for kind in "xp"),
        ("ckg:a", "ckg:b"),
        labels,
        1 / (1 + np.exp(noise * scores - labels)),
    )
    before = [one for one in read_predictions(folder.predictions) if one.part != name]
    write_predictions(folder.predictions, [*before, part])
    test = {
        **{"dataset": "figure1", "labels": "covid", "label_source": ["record"]},
        **{"label_policy": {"blank": "ignore"}, "part": "development", "external": external},
        **{"inputs_at_test": ["image"], "text_policy": "none", "leakage": "none"},
        **{"data_fingerprint": "f", "metrics": {"trained": {}}, "warnings": ["said there"]},
        "findings": [
            {"finding": one, "label": one[-1], "basis": "trained"} for one in part.findings
        ],
        **changed,
    }
    record = folder.load_record()
    replace(record, evaluations=(*record.evaluations, test)).save(folder.record)
    return part


def test_folds_that_answer_for_the_same_studies_are_averaged(crossed) -> None:
    full, names = crossed("full", seeds=2), crossed("names", seeds=2)
    parts = [elsewhere(run) for run in full]
    elsewhere(names[0], studies=range(48), noise=4)
    for run in names[1:]:
        elsewhere(run, noise=4)
    found = compare({"full": full, "names": names}, on="figure1", plan=QUICK)
    assert (found.on, found.studies, found.groups) == ("figure1-covid-trained", 48, 48)
    order = sorted(range(48), key=lambda row: f"x{row}")
    score = np.mean([part.probabilities[order] for part in parts], axis=0)
    truth = parts[0].labels[order]
    areas = [roc_auc_score(truth[:, column], score[:, column]) for column in (0, 1)]
    one = found.entry("full")
    assert one.metrics["auroc_macro"].value == pytest.approx(np.mean(areas))
    alone = np.mean([part.probabilities[order] for part in parts[:2]], axis=0)
    assert one.by_seed.values[0] == pytest.approx(
        np.mean([roc_auc_score(truth[:, column], alone[:, column]) for column in (0, 1)])
    )
    assert (one.dataset, one.labels, one.split_kind) == ("figure1", "covid", "external")
    assert (one.seeds, one.folds, one.by_distance) == ((0, 1), (0, 1), None)
    assert "2 studies that some runs were trained on are left out for all" in found.notes
    assert any("scores of 2 folds are averaged" in note for note in found.notes)
    assert any("said there" in note for note in found.notes)
    assert "external data" in render(found, ".html")


def test_few_studies_without_a_finding_are_said(write) -> None:
    run = write("full")
    part = elsewhere(run, studies=range(25))
    a, b = (int(np.sum(part.labels[:, column] == 0)) for column in (0, 1))
    assert max(a, b) < 20
    notes = compare({"full": [run]}, on="figure1", plan=QUICK).notes
    assert f"too few negatives for a conclusion: a ({a}), b ({b})" in notes


def test_runs_of_other_splits_may_meet_on_data_that_neither_has_seen(write) -> None:
    one, other = write("full"), write("names", split_manifest="another", dataset="openi")
    for run in (one, other):
        elsewhere(run)
    found = compare({"full": [one], "names": [other]}, on="figure1", plan=QUICK)
    assert found.studies == 50
    assert {entry.dataset for entry in found.entries} == {"figure1"}


def test_answers_that_are_not_there_are_refused_with_the_way_to_get_them(write) -> None:
    run = write("full")
    with pytest.raises(InputError, match="'figure1' was not predicted") as caught:
        compare({"full": [run]}, on="figure1", plan=QUICK)
    assert "kgdx experiment evaluate" in caught.value.hint
    with pytest.raises(InputError, match="no test_zero_shot predictions"):
        compare({"full": [run]}, on="zero_shot", plan=QUICK)
    elsewhere(run)
    elsewhere(run, metrics={"trained": {}, "zero_shot": {}})
    with pytest.raises(InputError, match="'figure1' is a prefix of several predictions") as caught:
        compare({"full": [run]}, on="figure1", plan=QUICK)
    assert "figure1-covid-trained, figure1-covid-zero_shot" in caught.value.hint
    assert compare({"full": [run]}, on="figure1-covid-trained", plan=QUICK).studies == 50


def test_own_and_other_data_are_no_table(write) -> None:
    one, other = write("full"), write("names")
    elsewhere(one)
    elsewhere(other, external=False)
    with pytest.raises(InputError, match="do not share their studies: own and other data"):
        compare({"full": [one], "names": [other]}, on="figure1", plan=QUICK)
