"""What a run will do is told before it, and what it would refuse is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from experiments.cli.main import main
from experiments.config.parts import read_checked
from experiments.runner.outlook import look_ahead
from experiments.runs.build import build_context
from kg.errors import InputError

CONFIG: dict[str, Any] = {
    "name": "own",
    "data": {"name": "table", "labels": "own", "at_least": 3},
    "split": {"kind": "fixed"},
    "text": {"test": "findings", "encoder": {"name": "tiny_transformer", "options": {"width": 16}}},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64, "weights": "random"}},
        "grid": 2,
        "reduce": 16,
    },
    "graph": {"width": 16},
    "system": {"name": "graph_fusion", "options": {"width": 32, "neighbourhood": 4}},
    "stages": [{"epochs": 2, "batch_size": 8}],
}
HEAD = ("study", "patient", "image", "findings", "Cardiomegaly", "Pleural Effusion", "Edema")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Sixty studies of forty patients, of whom one has edema."""
    folder = tmp_path / "own"
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "studies.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEAD)
        for number in range(60):
            Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(folder / f"{number}.png")
            large, fluid = number % 3 == 0, number % 4 == 0
            words = f"{'Large' if large else 'Normal'} heart. Word{number} {'fluid' * fluid}."
            ill = (int(large), int(fluid), int(number == 0))
            writer.writerow((f"s{number}", f"p{number % 40}", f"{number}.png", words, *ill))
    return folder


def changed(**keys: Any) -> Any:
    dotted = {key.replace("__", "."): value for key, value in keys.items()}
    return read_checked(CONFIG, [f"{key}={value}" for key, value in dotted.items()])


def test_it_says_what_the_run_then_has(own: Path, tmp_path: Path) -> None:
    experiment = read_checked(CONFIG)
    outlook = look_ahead(experiment, own, tmp_path / "runs")
    context = build_context(experiment, own, cache=tmp_path / "runs" / "cache")
    cohorts: Any = context.cohorts
    assert {name: n for name, (n, _) in outlook.studies.items()} == {
        name: len(cohort) for name, cohort in cohorts.items()
    }
    assert sum(n for n, _ in outlook.studies.values()) == outlook.images == 60
    assert sum(patients for _, patients in outlook.studies.values()) == 40
    assert {sum(n.values()) for n in outlook.findings.values()} == {20, 15}
    assert list(outlook.left_out.values()) == [1]
    sizes = [parameter.numel() for parameter in context.system.parameters()]
    assert outlook.parameters == sum(sizes)
    assert outlook.training > 0
    assert outlook.memory > 10_000_000


def test_ten_lines_on_the_command_line(own: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"base: demo\n{yaml.safe_dump(CONFIG)}")
    words = ["experiment", "check", str(path), "--root", str(own), "--runs", str(tmp_path / "runs")]
    assert main(words) == 0
    valid, _, *lines = capsys.readouterr().out.splitlines()
    assert valid.startswith("own: valid (")
    told = dict(line.split("\t") for line in lines)
    assert len(told) == 10
    assert told["data"] == "table, labels own: 60 studies, 60 images"
    assert told["left out"] == "pulmonary edema 1 (data.at_least is 3)"
    assert "image: tiny_cnn, random weights, frozen" in told["weights"]
    assert told["training"].startswith("fit: 2 epochs, ")
    assert not [one for one in (tmp_path / "runs").iterdir() if one.name != "cache"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"data__at_least": 30}, "no finding of own is present in 30"),
        ({"image__grid": 1, "image__reduce": 128}, "cannot be reduced to 128"),
        ({"image__grid": 9}, "cannot be pooled to a grid"),
        ({"data__require": "[dialogue]"}, "no study of table has"),
        ({"split__kind": "sources"}, "origin"),
        ({"stages__0__monitor": "auroc"}, "is not measured while training"),
        ({"tasks": "[generation]"}, "cannot generate"),
        ({"text__encoder__options__width": 3}, "width 3"),
    ],
)
def test_what_a_run_would_refuse_is_refused(
    keys: dict[str, Any], said: str, own: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said):
        look_ahead(changed(**keys), own, tmp_path / "runs")


@pytest.mark.parametrize(("stated", "blank"), [("1", "ignore"), ("1", "zero"), ("", "ignore")])
def test_one_class_only_is_refused_by_check_and_run(
    stated: str, blank: str, own: Path, tmp_path: Path
) -> None:
    path = own / "studies.csv"
    rows = list(csv.reader(path.open()))
    with path.open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEAD[:-2])
        # absent findings are not stated, or nobody is without it
        writer.writerows([*row[:-3], "1" if row[-3] == "1" else stated] for row in rows[1:])
    experiment = changed(data__blank=blank)
    for look in (
        lambda: look_ahead(experiment, own, tmp_path / "runs"),
        lambda: build_context(experiment, own, cache=tmp_path / "cache"),
    ):
        with pytest.raises(InputError, match="one class only in the training studies") as error:
            look()
        assert "data.blank: zero" in error.value.hint
