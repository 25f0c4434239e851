"""Parts of an audit beside its probes: ties, likeness, verdicts, its text and its command."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.audit.associations import cramers_v
from experiments.audit.audit import audit
from experiments.audit.record import Place
from experiments.audit.subject import AuditOptions
from experiments.audit.verdicts import probe_verdict
from experiments.cli.main import main
from experiments.preparation.open_dataset import OpenDataset
from experiments.records.record import Measured
from experiments.reports.audit_page import audit_page
from experiments.reports.markdown import render_markdown

OPTIONS = AuditOptions(folds=3, at_least=5, resamples=50, shuffles=2)
LABELS = {"a": "Edema", "b": "Hernia"}


def test_cramers_v_by_hand():
    assert cramers_v([[10, 0], [0, 10]]) == pytest.approx(1.0)
    assert cramers_v([[5, 5], [5, 5]]) == 0.0
    # chi-square of [[8, 2], [2, 8]] is 7.2, phi^2 = 0.36; corrected 0.36 - 1/19, over 2 - 1/19 - 1
    wanted = np.sqrt((0.36 - 1 / 19) / (1 - 1 / 19))
    assert cramers_v([[8, 2], [2, 8]]) == pytest.approx(wanted)
    # forty categories of one study each say nothing
    assert cramers_v([[1, 0]] * 20 + [[0, 1]] * 20) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            Measured(0.95, 0.9, 0.99),
            "the AUROC of a system for Edema on CT cannot be distinguished from source",
        ),
        (Measured(0.8, 0.7, 0.9), "a result of a system for Edema on CT must be above this"),
        (Measured(0.6, 0.55, 0.65), "a weak shortcut"),
        (
            Measured(0.6, 0.45, 0.7),
            "no finding can be predicted from source alone: 0.600 [0.450, 0.700]",
        ),
        (Measured(None), "cannot be judged: too few studies of a class"),
    ],
)
def test_verdicts_follow_fixed_rules(value, said):
    places = (Place("together", value, {"a": value}), Place("ct", value, {"a": value}))
    assert said in probe_verdict("source", places, LABELS)


def test_the_strongest_shortcut_is_named_first():
    found = {"a": Measured(0.62, 0.6, 0.64), "b": Measured(0.71, 0.7, 0.72)}
    said = probe_verdict("view", (Place("all", Measured(0.66, 0.6, 0.7), found),), LABELS)
    assert said.index("Hernia") < said.index("Edema")
    assert said.endswith("a result of a system for Hernia must be above this on the same folds")


def test_recurring_pictures_and_texts_are_counted(planted, tmp_path):
    dataset, root = planted("origin")
    made = audit(OPTIONS, OpenDataset.open("planted", dataset, root), cache=tmp_path / "cache")
    assert made.likeness.pictures == made.studies
    assert made.likeness.texts == made.studies
    assert made.likeness.same_text_studies > 10  # eight texts are all that are ever written
    assert made.sources[0].studies + made.sources[1].studies == made.studies
    assert {one.source for one in made.sources} == {"a.example", "b.example"}
    assert made.associations[0].fact == "source"
    assert made.associations[0].cramers_v == pytest.approx(1.0)


def test_the_text_says_what_follows(planted, tmp_path):
    dataset, root = planted("origin")
    made = audit(OPTIONS, OpenDataset.open("planted", dataset, root), cache=tmp_path / "cache")
    text = render_markdown(audit_page(made))
    assert text == render_markdown(audit_page(made))
    assert "# Shortcuts in planted (covid)" in text
    assert "| origin | predictable from origin alone: COVID-19 1.000" in text
    assert "| redacted dialogue | not possible: no study has a dialogue |" in text
    assert "| a.example | " in text


TABLE_HEAD = "study,patient,report,note,sex,COVID-19\n"


def own_table(folder, labels):
    folder.mkdir()
    rows = [f"s{n},p{n},,slept {n} hours,{'FM'[n % 2]},{label}\n" for n, label in enumerate(labels)]
    (folder / "studies.csv").write_text(TABLE_HEAD + "".join(rows))
    return ["data", "audit", "table", "--root", str(folder), "--runs", str(folder / "runs")]


def test_the_command_prints_writes_and_ends_with_0(tmp_path, capsys):
    words = own_table(tmp_path / "own", [n % 2 for n in range(60)])
    options = ["--folds", "3", "--at-least", "5", "--resamples", "20"]
    assert main([*words, *options, "-o", str(tmp_path / "audit.md")]) == 0
    assert "predictable from sex, age and view alone" in (tmp_path / "audit.md").read_text()
    assert main([*words, *options, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["dataset"] == "table"
    assert made["probes"][0]["impossible"]
    assert main([*words, *options]) == 0
    assert "labels shuffled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "labels", "said"),
    [
        (["-o", "audit.pdf"], [0, 1], "cannot be written as .pdf"),
        ([], [0, 1] * 4, "no finding of own is present in 20 or more studies"),
        (["--at-least", "1", "--labels", "chest14"], [0, 1], "not labelled with 'chest14'"),
        (["--at-least", "1"], ["", ""], "no study of table has a label"),
    ],
)
def test_wrong_input_is_said_with_a_mend(words, labels, said, tmp_path, capsys):
    assert main([*own_table(tmp_path / "own", labels), *words]) == 3
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) >= 2


def test_an_unknown_data_set_is_refused(tmp_path, capsys):
    assert main(["data", "audit", "openii", "--root", str(tmp_path)]) == 3
    assert "did you mean 'openi'" in capsys.readouterr().err
