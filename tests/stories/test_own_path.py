"""The user's own path: four commands on their own csv, pictures and reports, in their own folder.

The folder also holds folders called `kg` and `experiments` with files that must never be imported.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

KGDX = Path(sys.executable).parent / "kgdx"
CONFIG = """\
name: own
about: Our own pictures and reports.
data: {name: table, labels: own, at_least: 5}
split: {kind: fixed}
text: {train: full, test: redacted}
image: {encoder: {name: tiny_cnn, options: {weights: random}}, grid: 4, pool: mean, reduce: 0}
graph: {width: 32}
system: {name: graph_fusion, options: {width: 32}}
stages:
  - epochs: 3
    batch_size: 16
    learning_rate: 1.0e-3
    objectives: {classification: 1.0, concept_supervision: 1.0, hierarchy: 0.1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 studies of 30 patients, a report in its own file for every second one."""
    here = tmp_path_factory.mktemp("ward 7, ours")
    for name in ("kg", "experiments"):
        (here / name).mkdir()
        for file in ("__init__.py", "errors.py", "junk.py"):
            (here / name / file).write_text("raise SystemExit('the wrong folder was imported')\n")
    (here / "pictures").mkdir()
    (here / "reports").mkdir()
    rng = np.random.default_rng(0)
    with (here / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("study", "patient", "image", "report", "Cardiomegaly", "pleural effusion"))
        for number in range(60):
            large, fluid = rng.integers(2), rng.integers(2)
            image = f"pictures/{number}.png"
            _draw(here / image, rng, bool(large), bool(fluid))
            report = (
                f"Findings: The heart is {'enlarged' if large else 'normal in size'}. "
                f"{'There is a' if fluid else 'No'} pleural effusion."
            )
            if number % 2:
                (here / "reports" / f"{number}.txt").write_text(report)
                report = f"reports/{number}.txt"
            writer.writerow((f"s{number}", f"p{number // 2}", image, report, large, fluid))
    (here / "own.yaml").write_text(CONFIG)
    return here


def _draw(path: Path, rng: np.random.Generator, large: bool, fluid: bool) -> None:
    grey = rng.integers(20, 60, (64, 64))
    grey[24:40, 28:36] += 120
    if large:
        grey[20:44, 16:48] += 70
    if fluid:
        grey[48:, :20] += 120
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def run(folder: Path, processes: Any) -> Callable[..., Any]:
    """Runs a command in the user's folder."""
    plain = {name: value for name, value in os.environ.items() if name != "KGDX_DATA"}
    return partial(processes.run, KGDX, cwd=folder, env=plain)


@pytest.mark.skipif(not KGDX.exists(), reason="kgdx is not installed")
def test_four_commands_from_own_files_to_a_page(folder: Path, run: Callable[..., Any]) -> None:
    checked = run("data", "check", "table", "--root", ".")
    assert checked.returncode == 0, checked.stderr
    assert "studies.csv" in checked.stdout

    trained = run("experiment", "run", "own.yaml", "--root", ".")
    assert trained.returncode == 0, trained.stderr
    name = trained.stdout.strip()
    assert trained.stdout == f"{name}\n"
    assert name.startswith("own-")

    case = folder / "new patient"
    case.mkdir()
    _draw(case / "chest.png", np.random.default_rng(1), True, False)
    (case / "report.txt").write_text("Findings: Sternotomy wires.")
    (folder / "broken.png").write_bytes(b"")
    inputs = ("table", "new patient", "broken.png")
    predicted = run("predict", *inputs, "--run", name, "--root", ".", "-o", "out.csv")
    assert predicted.returncode == 0, predicted.stderr
    assert predicted.stdout == ""
    assert "44 of the studies were seen in training" in predicted.stderr
    assert predicted.stderr.endswith("For research use only: not a medical device.\n")
    rows = list(csv.DictReader((folder / "out.csv").open(encoding="utf-8")))
    assert len(rows) == 61 * 2 + 1
    assert {row["label"] for row in rows[:-1]} == {"Cardiomegaly", "Pleural Effusion"}
    assert all(0 <= float(row["probability"]) <= 1 for row in rows[:-1])
    assert all(row["basis"] == "trained" and row["threshold"] for row in rows[:-1])
    assert rows[-1]["basis"] == "rejected: empty"

    reported = run("experiment", "report", name, "-o", "page.html")
    assert reported.returncode == 0, reported.stderr
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Cardiomegaly" in page
    assert name in page

    # the predictions now beside the studies do not confuse the next command
    again = run("data", "check", "table", "--root", ".")
    assert again.returncode == 0, again.stderr
