"""A drafted configuration: valid as written, the same with every default written out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli.main import main
from experiments.config.load import resolve
from experiments.config.parts import read_checked

HEAD = ("study", "patient", "image", "findings", "Cardiomegaly", "Pleural Effusion", "Edema")


def write(folder: Path, count: int, *, images: bool = True, reports: bool = True) -> Path:
    """Studies of which every third and every ninth has a finding, and one edema."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    with (folder / "studies.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEAD)
        for n in range(count):
            path = f"{n}.png" if images else ""
            if images:
                Image.fromarray(rng.integers(0, 255, (9, 9), np.uint8)).save(folder / path)
            ill = (int(n % 3 == 0), int(n % 9 == 0), int(n == 0))
            writer.writerow((f"s{n}", f"p{n}", path, "Normal heart." * reports, *ill))
    return folder


def drafted(folder: Path, *words: str) -> Path:
    path = folder.parent / "own.yaml"
    assert main(["init", "table", "--root", str(folder), "-o", str(path), *words]) == 0
    return path


def uncommented(path: Path) -> Path:
    """The same with every key that stands behind a #; a comment has one space after it."""
    text = re.sub(r"^( *)#((?:  +)?\w+:)", r"\1\2", path.read_text(), flags=re.MULTILINE)
    whole = path.with_name("whole.yaml")
    whole.write_text(text)
    return whole


@pytest.mark.parametrize("system", ["graph_fusion", "logistic_image", "zhang2020", "vkd", "lara"])
def test_it_is_valid_and_means_the_same_with_every_default(system: str, tmp_path: Path) -> None:
    path = drafted(write(tmp_path / "own", 60), "--system", system)
    experiment = read_checked(str(path))
    assert (experiment.name, experiment.system.name) == (f"table_{system}", system)
    whole = read_checked(str(uncommented(path)))
    written = whole.model_dump()
    for part in (written["system"], written["image"]["encoder"], written["text"]["encoder"]):
        part["options"] = {}
    expected = experiment.model_dump()
    assert {key for key in expected if expected[key] != written[key]} <= {"stages"}


def test_every_key_has_its_meaning_values_and_default(tmp_path: Path) -> None:
    text = drafted(write(tmp_path / "own", 60)).read_text()
    assert text.startswith("# yaml-language-server: $schema=kgdx.schema.json\n")
    assert "Drafted from table: 60 labelled studies of 60 patients, 60 with images" in text
    assert "  # Target of an uncertain label. [ignore | zero | one]\n  #uncertain: ignore\n" in text
    # options of a part, and of a part in the options of a part
    assert "\n    #options:\n" in text
    assert "\n    #  size: 256\n" in text
    assert "\n  #  message_passing:\n" in text
    assert "\n  #      bases: 4\n" in text
    assert "Graph encoder. [compgcn | gat | hgt | identity | random_vectors | rgcn]" in text


@pytest.mark.parametrize(
    ("count", "at_least", "reduce", "batch"),
    [(24, 5, 16, 16), (60, 20, 32, 16), (450, 20, 256, 32)],
)
def test_few_studies_ask_less(
    count: int, at_least: int, reduce: int, batch: int, tmp_path: Path
) -> None:
    path = drafted(write(tmp_path / "own", count))
    experiment = resolve(str(path))
    assert experiment.data.at_least == at_least
    assert experiment.image.reduce == reduce
    assert experiment.stages[0].batch_size == batch
    comments = re.sub(r"\n *# ", " ", path.read_text())
    assert "Of 3 findings 20 asks" in comments
    assert "The rarest: pulmonary edema 1," in comments


def test_studies_without_images_or_reports(tmp_path: Path) -> None:
    experiment = resolve(str(drafted(write(tmp_path / "own", 60, images=False))))
    assert experiment.image.encoder is None
    assert experiment.text.test == "redacted"
    experiment = resolve(str(drafted(write(tmp_path / "bare", 60, reports=False))))
    assert experiment.text.test == "none"
    assert set(experiment.stages[0].objectives) == {
        "classification",
        "hierarchy",
        "link_prediction",
    }


def test_a_draft_goes_to_stdout_and_refuses_an_unknown_system(tmp_path: Path, capsys) -> None:
    folder = write(tmp_path / "own", 12)
    assert main(["init", "table", "--root", str(folder)]) == 0
    assert "\nsystem:\n  name: graph_fusion\n" in capsys.readouterr().out
    words = ["init", "table", "--root", str(folder), "--system", "graph_fusoin"]
    assert main(words) == 3
    assert "graph_fusion" in capsys.readouterr().err
