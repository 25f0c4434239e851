"""`kgdx data agreement`: one command on a copy of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from experiments.cli.data import data
from experiments.datasets.mimic_cxr import MimicCXR
from experiments.datasets.openi import OpenI
from kg.errors import InputError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "mimic_cxr").mkdir()
    MimicCXR().tiny(folder / "mimic_cxr")
    return folder


def run(root: Path, *arguments: str) -> Result:
    given = ["agreement", *arguments, "--root", str(root)]
    return CliRunner().invoke(data, given, catch_exceptions=False)


def test_three_rows_and_presence_with_what_was_published(root: Path) -> None:
    done = run(root, "mimic_cxr", "--labels", "chexpert14_test")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines[1:5]] == ["mention", "negation", "uncertainty", "presence"]
    assert all(len(line) <= 7 for line in lines)
    assert "No Finding" not in done.stdout
    assert ["mean F1 of all certainties, CheXbert", "0.9047", "A"] in [line[:3] for line in lines]
    assert "4 reports" in done.stderr
    assert "mark A: " in done.stderr


def test_the_same_as_json(root: Path) -> None:
    made = json.loads(run(root, "mimic_cxr", "--labels", "chexpert14_test", "--json").stdout)
    assert (made["labels"], made["reports"]) == ("chexpert14_test", 4)
    negation = made["kinds"]["negation"]
    assert (negation["given"], negation["micro_f1"], negation["findings_in_macro"]) == (4, 1, 2)
    assert negation["f1"]["Pneumothorax"] == 1
    assert negation["f1"]["Fracture"] is None
    assert made["published"][0]["value"] == 0.9047


def test_sections_are_chosen_as_for_a_label_table(root: Path) -> None:
    reports = sorted((root / "mimic_cxr" / "mimic-cxr-reports").rglob("*.txt"))
    for path in reports:
        text = path.read_text(encoding="utf-8").replace("with cough", "with pneumonia")
        path.write_text(text, encoding="utf-8")

    def read(sections: str) -> float:
        done = run(root, "mimic_cxr", "--json", "--sections", sections)
        return float(json.loads(done.stdout)["kinds"]["presence"]["micro_f1"])

    assert read("impression") == read("findings_impression") == 1
    assert read("all") < 1


def test_labels_no_labeler_reads_are_refused(tmp_path: Path) -> None:
    (tmp_path / "openi").mkdir()
    OpenI().tiny(tmp_path / "openi")
    with pytest.raises(InputError, match="no labeler for the label set 'mesh'"):
        run(tmp_path, "openi", "--labels", "mesh")
