"""From a folder of one's own to a run without guessing: init, check, run, show."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli.main import main

HEAD = ("study", "patient", "image", "report", "Cardiomegaly", "Pleural Effusion", "Edema")
TINY = "image.encoder={name: tiny_cnn, options: {size: 32, width: 64, weights: random}}"
SMALL = (TINY, "image.grid=2", "stages.0.epochs=2", "graph.width=16", "system.options.width=32")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """Ninety studies of sixty patients; one has edema."""
    rng = np.random.default_rng(0)
    with (tmp_path / "studies.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEAD)
        for n in range(90):
            Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(tmp_path / f"{n}.png")
            ill = (int(n % 3 == 0), int(n % 2 == 0), int(n == 0))
            report = f"Findings: {'Large' if ill[0] else 'Normal'} heart."
            writer.writerow((f"s{n}", f"p{n % 60}", f"{n}.png", report, *ill))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_init_check_run_show(folder: Path, capsys) -> None:
    root = ("--root", ".")
    assert main(["init", "table", *root, "-o", "own.yaml"]) == 0
    assert "next: kgdx experiment check own.yaml --root ." in capsys.readouterr().err
    keys = [word for key in SMALL for word in ("--set", key)]

    assert main(["experiment", "check", "own.yaml", *root, *keys]) == 0
    told = dict(line.split("\t") for line in capsys.readouterr().out.splitlines()[1:])
    assert told["data"] == "table, labels own: 90 studies, 90 images"
    assert told["findings"].startswith("2, positives train/validation/test: ")
    assert told["left out"] == "pulmonary edema 1 (data.at_least is 20)"
    assert told["training"].startswith("fit: 2 epochs, ")

    assert main(["experiment", "run", "own.yaml", *root, *keys]) == 0
    out, err = capsys.readouterr()
    run = out.strip()
    assert out == f"{run}\n"
    page = folder / "runs" / run / "report.html"
    random = "The image encoder tiny_cnn has random weights and is frozen, as configured"
    assert "auroc_macro on test " in err
    assert err.count(random) == 2  # when it starts, and at the end
    assert err.splitlines()[-1] == f"page {page}"
    assert "training fit: " in err
    assert "Epoch 2/2, loss " in err
    counted = told["split"].split(": ")[1].split(" of ")[0]

    # said in the log, the record, `show` and the page alike
    assert random in (folder / "runs" / run / "log.txt").read_text()
    assert random in page.read_text()
    assert main(["experiment", "show", run, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["weights"]["image"] == "tiny_cnn, random weights, frozen"
    assert any(random in warning for warning in record["warnings"])
    assert f"{record['split_counts']['train']} train" == counted
    assert main(["experiment", "show", run]) == 0
    out, err = capsys.readouterr()
    assert "image encoder\ttiny_cnn, random weights, frozen" in out
    assert random in err


def test_what_was_not_asked_for_is_refused_before_the_data_are_read(folder: Path, capsys) -> None:
    words = ["experiment", "run", "graph_fusion_openi", "--root", "."]
    assert main([*words, "--set", "image.encoder.name=torchxrayvision_densenet"]) == 3
    said = capsys.readouterr().err
    assert "random weights that never train" in said
    assert "kgdx weights list" in said
