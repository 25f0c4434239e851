"""`kgdx compare`: any tables of predictions, against plain loops over scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from experiments.cli.main import main
from experiments.compare.predicted_tables import compare_tables, names_of
from experiments.compare.records import Comparison
from experiments.metrics.bootstrap import Plan
from kg.errors import InputError

FINDINGS = ("Cardiomegaly", "Pleural Effusion", "Hernia")
STUDIES = 160
PATIENTS = np.array([f"p{number * 3 // 4}" for number in range(STUDIES)])
LIFTS = {"good": 1.6, "middle": 1.1, "bad": 0.4}

Scores = dict[str, np.ndarray[Any, Any]]


def write(path: Path, rows: Sequence[Sequence[object]], separator: str = ",") -> Path:
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))
    return path


def truth() -> np.ndarray[Any, Any]:
    return (np.random.default_rng(1).random((STUDIES, 3)) < [0.4, 0.3, 0.06]).astype(int)


def drawn() -> Scores:
    shared = np.random.default_rng(2).normal(size=(STUDIES, 3))
    return {
        name: np.round(shared + lift * truth() + np.random.default_rng(n).normal(size=(160, 3)), 3)
        for n, (name, lift) in enumerate(LIFTS.items())
    }


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    rows = [
        (f"s{n}", patient, *labels)
        for n, (patient, labels) in enumerate(zip(PATIENTS, truth(), strict=True))
    ]
    return write(tmp_path / "gold.csv", [("study", "who", *FINDINGS), *rows])


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    """Tables with names of findings written otherwise, one of them in another order."""
    heads = [name.lower().replace(" ", "_") for name in FINDINGS]
    paths = []
    for place, (name, scores) in enumerate(drawn().items()):
        order = [2, 0, 1] if place else [0, 1, 2]
        head = ("study", *(heads[c] for c in order))
        rows = [(f"s{n}", *(row[c] for c in order)) for n, row in enumerate(scores)]
        path = tmp_path / f"{name}.csv"
        paths.append(write(path, [head, *reversed(rows)], ";" if place else ","))
    return paths


def macro(scores: np.ndarray[Any, Any], rows: np.ndarray[Any, Any] | None = None) -> float:
    """Macro AUROC of the two findings with enough positives, by scikit-learn."""
    kept = np.arange(STUDIES) if rows is None else rows
    return float(np.mean([roc_auc_score(truth()[kept, c], scores[kept, c]) for c in (0, 1)]))


def test_numbers_are_those_of_scikit_learn_and_a_plain_bootstrap(
    gold: Path, tables: list[Path]
) -> None:
    found = compare_tables(tables[::2], gold, patient="who")
    good, _, bad = drawn().values()
    assert found.entry("good").metrics["auroc_macro"].value == pytest.approx(macro(good))
    gap = found.differences[0]
    assert gap.value.value == pytest.approx(macro(good) - macro(bad))
    # patients drawn by another generator, one resample at a time
    rng, names = np.random.default_rng(99), np.unique(PATIENTS)
    places = {name: np.flatnonzero(name == PATIENTS) for name in names}
    deltas = []
    for _ in range(600):
        rows = np.concatenate([places[name] for name in rng.choice(names, len(names))])
        deltas.append(macro(good, rows) - macro(bad, rows))
    low, high = np.quantile(deltas, [0.025, 0.975])
    assert gap.value.low == pytest.approx(low, abs=0.015)
    assert gap.value.high == pytest.approx(high, abs=0.015)
    assert gap.verdict == "higher"
    assert (found.studies, found.groups) == (STUDIES, len(names))


def test_all_pairs_share_holm_and_the_first_is_compared_with_each(
    gold: Path, tables: list[Path]
) -> None:
    found = compare_tables(tables, gold, patient="who", plan=Plan(resamples=400))
    pairs = [one for one in found.differences if not one.finding]
    assert [(one.first, one.second) for one in pairs] == [("good", "middle"), ("good", "bad")]
    small, large = sorted(one.p for one in pairs if one.p is not None)
    corrected = sorted(one.p_holm for one in pairs if one.p_holm is not None)
    assert corrected == pytest.approx([min(1, 2 * small), max(min(1, 2 * small), large)])
    assert len([one for one in found.differences if one.finding]) == 6
    assert [one.metric for one in found.over_all] == ["auroc_macro_all"] * 2


def test_a_table_of_predict_and_every_format(
    gold: Path, tables: list[Path], tmp_path: Path
) -> None:
    rows = [("study", "finding", "label", "probability")]
    for n, scores in enumerate(drawn()["good"]):
        ids = ("ckg:cardiomegaly", "ckg:pleural_effusion", "ckg:hernia")
        rows += [
            (f"s{n}", one, name.lower(), str(score))
            for one, name, score in zip(ids, FINDINGS, scores, strict=True)
        ]
    rows.append(("s9999", "", "", ""))  # a rejected study
    long = write(tmp_path / "long.csv", rows)
    plan = Plan(resamples=100)
    one, other = (
        compare_tables([path, tables[1]], gold, patient="who", plan=plan)
        for path in (long, tables[0])
    )
    assert one.entries[0].metrics == other.entries[0].metrics
    command = ["compare", str(long), str(tables[1]), "--labels", str(gold), "--patient", "who"]
    for ending, told in (
        (".html", "<svg"),
        (".md", "long"),
        (".tex", "tabular"),
        (".csv", "p_holm"),
    ):
        out = tmp_path / f"out{ending}"
        assert main([*command, "-o", str(out)]) == 0
        text = out.read_text()
        assert told in text
        assert "s12" not in text  # ids of studies
        assert "nothing" not in text  # systems of which nothing is known
    assert main([*command, "-o", str(tmp_path / "out.json")]) == 0
    read = Comparison.from_json(json.loads((tmp_path / "out.json").read_text()))
    assert read.entries[0].name == "long"
    report = [
        "experiment",
        "report",
        str(tmp_path / "out.json"),
        "-o",
        str(tmp_path / "again.html"),
    ]
    assert main(report) == 0
    assert (tmp_path / "again.html").read_text() == (tmp_path / "out.html").read_text()


def test_what_is_left_out_is_noted(gold: Path, tmp_path: Path) -> None:
    head = ("study", "patient", "Cardiomegaly", "Edema")
    gold = write(
        tmp_path / "few.csv",
        [head, ("a", 1, 1, 0), ("b", 1, 0, 1), ("c", 2, -1, 0), ("d", 3, "", 1), ("e", 4, 1, 1)],
    )
    one = [("study", "cardiomegaly"), *((study, 0.1 * n) for n, study in enumerate("abcdef"))]
    other = [("study", "cardiomegaly"), ("a", ""), ("b", 0.3), ("c", 0.1), ("d", 1)]
    paths = [write(tmp_path / "x.csv", one), write(tmp_path / "y.csv", other)]
    found = compare_tables(paths, gold, plan=Plan(resamples=20, at_least=1))
    notes = "\n".join(found.notes)
    for told in (
        "leakage cannot be ruled out",
        "no column of patients is named (--patient)",
        "few.csv: 1 studies that are not in every table",
        "x.csv: 2 studies that are not in every table",
        "columns of few.csv not in every table: patient, Edema",
        "1 uncertain labels do not count",
    ):
        assert told in notes
    assert "y.csv" not in notes
    assert found.differences[0].verdict == "too few"
    assert found.entry("x").metrics["auroc_macro"].value == 0.0


def test_scores_that_are_no_probabilities_have_no_brier(gold: Path, tables: list[Path]) -> None:
    found = compare_tables(tables[:2], gold, plan=Plan(resamples=20))
    assert "brier_macro" not in found.entries[0].metrics


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,Cardiomegaly\ns1,0.5\n", "has no column 'study'"),
        ("study,Cardiomegaly\n", "has no column 'study' with rows"),
        ("study,Cardiomegaly\ns1,high\n", "row 2, column 'Cardiomegaly': 'high' is no number"),
        ("study,Cardiomegaly\ns1,inf\n", "'inf' is no number"),
        ("study,Cardiomegaly\ns1,0.5\ns1,0.6\n", "row 3: study 's1' is there twice"),
        ("study,Pleural Effusion,pleural_effusion\ns1,1,1\n", "are one finding"),
        ("study,Edema\ns1,0.5\n", "no column is a finding of every table"),
        ("study,Cardiomegaly\nx1,0.5\n", "no study is in gold.csv and every table"),
    ],
)
def test_mistakes_are_told(gold: Path, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        compare_tables([path, path], gold)
    assert said in caught.value.message


def test_the_command_tells_what_is_missing(
    gold: Path, tables: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", *map(str, tables[:2]), "--labels", str(gold)]
    assert main(["compare", str(tables[0]), "--labels", str(gold)]) == 3
    assert "two tables" in capsys.readouterr().err
    assert main([*command, "--patient", "woh"]) == 3
    assert "did you mean 'who'?" in capsys.readouterr().err
    assert main(["compare", "run-1", "run-2", "--labels", str(gold)]) == 3
    assert "kgdx experiment compare" in capsys.readouterr().err
    assert main([*command, "-o", "x.xlsx"]) == 3
    assert main([*command, "--pair", "bad:good"]) == 3
    assert "write A:B of: good, middle" in capsys.readouterr().err


def test_tables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "test.csv", tmp_path / "b" / "test.csv", tmp_path / "other.csv.gz"]
    assert names_of(paths) == [str(paths[0]), str(paths[1]), "other"]
