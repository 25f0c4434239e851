"""Metrics of sums are compared as AUROC is, and their numbers are those of `measure`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments import api as kgdx
from experiments.cli.main import main
from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.metrics.arrays import Units
from experiments.metrics.bootstrap import Plan
from experiments.metrics.efficacy import label_metrics
from experiments.metrics.holm import holm
from experiments.metrics.ordinal import ordinal_sums
from experiments.metrics.retrieval import retrieval_metrics, retrieval_sums
from experiments.metrics.sums import StudySums, measure, measure_difference
from experiments.records.folder import RunFolder
from experiments.records.scores import ScoredStudies, write_scores
from experiments.reports.write_comparison import render
from kg.errors import InputError

STUDIES = 30
QUICK = Plan(resamples=200)
RECALL, RANK = "image_to_text_recall_at_5", "image_to_text_median_rank"
PATIENTS = tuple(f"p{row - row % 3 // 2:02}" for row in range(STUDIES))


def found(name: str, seed: int, fold: int, lift: float) -> StudySums:
    """What looking for reports contributes: the right one is `lift` nearer than chance."""
    rng = np.random.default_rng([seed, fold, len(name)])
    near = rng.normal(size=(STUDIES, STUDIES)) + lift * np.eye(STUDIES)
    return retrieval_sums(near, np.eye(STUDIES, dtype=bool))


@pytest.fixture
def looked(write: Callable[..., RunFolder]) -> Callable[..., RunFolder]:
    """Writes a run that looked for reports, and answers for no finding."""

    def made(
        name: str = "full",
        *,
        seed: int = 0,
        fold: int = 0,
        lift: float = 1.0,
        change: Callable[[ScoredStudies], ScoredStudies] = lambda one: one,
        **rest: Any,
    ) -> RunFolder:
        folder = write(name, seed=seed, fold=fold, **rest)
        folder.predictions.unlink()
        scored = ScoredStudies(
            part="test",
            task="retrieval_image_to_text",
            studies=tuple(f"s{fold}-{row:02}" for row in range(STUDIES)),
            patients=tuple(f"{fold}{patient}" for patient in PATIENTS),
            numbers=found(name, seed, fold, lift),
        )
        write_scores(folder.scores, [change(scored), replace(scored, part="validation")])
        return folder

    return made


def both(looked: Callable[..., RunFolder], seeds: int = 3) -> dict[str, list[RunFolder]]:
    """Two configurations over two folds and some seeds."""
    lifts = {"full": 2.5, "names": 0.5}
    return {
        name: [
            looked(name, seed=seed, fold=fold, lift=lift)
            for seed in range(seeds)
            for fold in (0, 1)
        ]
        for name, lift in lifts.items()
    }


def joined(name: str, lift: float, seeds: int = 3) -> StudySums:
    """The same by hand: folds one after another, seeds averaged study by study."""
    each = [[found(name, seed, fold, lift) for fold in (0, 1)] for seed in range(seeds)]
    return StudySums.mean(
        [StudySums(one.names, np.concatenate([one.values, two.values])) for one, two in each]
    )


UNITS = Units(
    np.asarray([f"{fold}{one}" for fold in (0, 1) for one in PATIENTS], dtype=object),
    folds=np.repeat([0, 1], STUDIES),
)


@pytest.mark.parametrize("metric", [RECALL, RANK, "image_to_text_mean_reciprocal_rank"])
def test_numbers_are_those_of_the_sums(looked, metric: str) -> None:
    made = compare(both(looked), metric=metric, plan=QUICK)
    wanted = {metric: retrieval_metrics()[metric.removeprefix("image_to_text_")]}
    full, names = joined("full", 2.5), joined("names", 0.5)
    for entry, numbers in zip(made.entries, (full, names), strict=True):
        one = measure(numbers, wanted, UNITS, rng=np.random.default_rng(0), plan=QUICK)[metric]
        value = entry.metrics[metric]
        assert (value.value, value.low, value.high) == (one.value, one.low, one.high)
        assert list(entry.metrics) == [metric]
    gap = measure_difference(
        (full, names), wanted, UNITS, rng=np.random.default_rng(0), plan=QUICK
    )[metric]
    (difference,) = made.differences
    value = difference.value
    assert (value.value, value.low, value.high) == (gap.delta, gap.low, gap.high)
    assert (difference.p, difference.p_holm) == (gap.p, gap.p)
    assert difference.verdict == ("lower" if metric == RANK else "higher")
    assert (made.studies, made.groups) == (60, 40)


def test_each_seed_stands_alone_beside_their_mean(looked) -> None:
    made = compare(both(looked), metric=RECALL, plan=QUICK)
    alone = [
        np.mean([found("full", seed, fold, 2.5)["hit@5"].mean() for fold in (0, 1)])
        for seed in range(3)
    ]
    by_seed = made.entries[0].by_seed
    assert by_seed.values == pytest.approx(alone)
    assert by_seed.sd == pytest.approx(np.std(alone, ddof=1))
    assert len(set(by_seed.values)) > 1
    assert made.differences[0].by_seed.p is not None


def test_holm_is_over_the_pairs(looked) -> None:
    groups = {name: [looked(name)] for name in ("full", "names", "other")}
    made = compare(groups, metric=RECALL, plan=QUICK)
    raw = [one.p for one in made.differences]
    assert len(raw) == 2
    assert [one.p_holm for one in made.differences] == list(holm(raw))
    assert made.differences[1].p_holm != raw[1] or made.differences[0].p_holm != raw[0]


def test_runs_are_joined_by_study_never_by_position(looked) -> None:
    def turned(one: ScoredStudies) -> ScoredStudies:
        numbers = StudySums(one.numbers.names, one.numbers.values[::-1])
        return replace(one, studies=one.studies[::-1], patients=one.patients[::-1], numbers=numbers)

    straight = compare({"full": [looked()]}, metric=RECALL, plan=QUICK)
    again = compare({"full": [looked(change=turned)]}, metric=RECALL, plan=QUICK)
    assert again.entries[0].metrics == straight.entries[0].metrics


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: replace(one, studies=("another", *one.studies[1:])), "studies: 2 were"),
        (lambda one: replace(one, patients=("another", *one.patients[1:])), "their patients"),
        (lambda one: replace(one, studies=(one.studies[1], *one.studies[1:])), "predicted twice"),
        (lambda one: replace(one, task="retrieval_text_to_image"), "has no metric"),
        (lambda one: replace(one, part="locked"), "has no metric"),
    ],
)
def test_what_may_not_share_a_table_is_refused(looked, change, said: str) -> None:
    groups = {"full": [looked()], "names": [looked("names", change=change)]}
    with pytest.raises(InputError, match=said):
        compare(groups, metric=RECALL, plan=QUICK)


def test_other_answers_have_no_sums(looked) -> None:
    with pytest.raises(InputError, match="the test part alone"):
        compare({"full": [looked()]}, metric=RECALL, on="zero_shot")


def test_labels_of_written_reports_are_those_of_the_numbers(write) -> None:
    rng = np.random.default_rng(0)
    kinds = ("Edema", "Pneumonia", "finding", "abnormal", "site")
    names = tuple(f"{kind} {outcome}" for kind in kinds for outcome in ("tp", "fp", "fn"))
    numbers = StudySums(names, rng.integers(0, 2, (STUDIES, len(names))).astype(float))
    folder = write()
    studies = tuple(f"s{row:02}" for row in range(STUDIES))
    write_scores(
        folder.scores, [ScoredStudies("test", "nearest_generation", studies, PATIENTS, numbers)]
    )
    made = compare({"full": [folder]}, metric="nearest_label_f1_micro", plan=QUICK)
    one = measure(
        numbers,
        {"f1": label_metrics(["Edema", "Pneumonia"])["f1_micro"]},
        PATIENTS,
        rng=np.random.default_rng(0),
        plan=QUICK,
    )["f1"]
    value = made.entries[0].metrics["nearest_label_f1_micro"]
    assert (value.value, value.low, value.high) == (one.value, one.low, one.high)


@pytest.fixture
def told(tmp_path: Path, capsys, looked):
    """Runs of two configurations, and a command line that compares; returns code and streams."""
    both(looked)

    def run(*words: str) -> tuple[int, str, str]:
        experiments = ("--experiment", "full", "--experiment", "names")
        runs = ("--runs", str(tmp_path / "runs"))
        code = main(["experiment", "compare", *experiments, *words, *runs])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_story(told, tmp_path: Path) -> None:
    code, out, err = told("--metric", RECALL)
    assert code == 0
    entries, differences = out.split("\n\n")
    head, full, _ = (line.split("\t") for line in entries.splitlines())
    assert full[head.index("image to text recall at 5")].startswith("0.")
    assert "seeds" in full[head.index("by seed")]
    row = differences.splitlines()[1].split("\t")
    assert (row[0], row[-1]) == ("full - names", "higher")
    assert "The metric is made of sums over all studies" in err
    assert "positives" not in err

    code, out, _ = told("--metric", RECALL, "--json", "--pair", "names:full")
    made = Comparison.from_json(json.loads(out))
    assert (made.metric, made.differences[0].verdict) == (RECALL, "lower")
    for ending in (".html", ".md", ".tex", ".csv", ".json"):
        file = tmp_path / f"table{ending}"
        assert told("--metric", RECALL, "-o", str(file))[:2] == (0, "")
        assert "full" in file.read_text(encoding="utf-8")


def test_python_is_given_the_same(looked, tmp_path: Path) -> None:
    groups = both(looked, seeds=1)
    runs = [folder.path for each in groups.values() for folder in each]
    found = kgdx.compare(*runs, metric=RECALL)
    made = compare(groups, metric=RECALL)
    assert found.entries[RECALL].tolist() == [e.metrics[RECALL].value for e in made.entries]
    assert found.differences["value"].tolist() == [made.differences[0].value.value]
    assert found.findings.empty


def test_less_is_not_called_better(looked) -> None:
    page = render(compare(both(looked), metric=RANK, plan=QUICK), ".md")
    assert "full is lower than names" in page
    assert "worse" not in page
    assert "Positives" not in page


def test_an_unknown_metric_lists_what_the_runs_have(told) -> None:
    code, out, err = told("--metric", "kappa")
    assert (code, out) == (3, "")
    assert "has no metric 'kappa'" in err
    assert RECALL in err
    assert "auroc_macro" not in err
    assert (
        "did you mean 'image_to_text_recall_at_5'" in told("--metric", "image_to_text_recall5")[2]
    )


@pytest.mark.parametrize("grades", [2, 4])
def test_grades_are_those_of_the_numbers(write, grades: int) -> None:
    rng = np.random.default_rng(0)
    true, chance = rng.integers(0, grades, STUDIES), rng.dirichlet(np.ones(grades), STUDIES)
    numbers = ordinal_sums(true, chance)
    folder = write()
    studies = tuple(f"s{row:02}" for row in range(STUDIES))
    write_scores(folder.scores, [ScoredStudies("test", "ordinal", studies, PATIENTS, numbers)])
    made = compare({"full": [folder]}, metric="grade_accuracy", plan=QUICK)
    value = made.entries[0].metrics["grade_accuracy"].value
    assert value == pytest.approx(np.mean(chance.argmax(1) == true))
