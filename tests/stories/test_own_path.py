"""The user's own path: four commands on their own csv, pictures and reports, in their own folder.

The folder also holds folders called `kg` and `experiments` with files that must never be imported.
"""

from __future__ import annotations

import csv
import os
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

KGDX = Path(sys.executable).parent / "kgdx"
README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, own_studies: Callable[[Path], None]) -> Path:
    """The studies of a user, and folders whose files must never be imported."""
    here = tmp_path_factory.mktemp("ward 7, ours")
    own_studies(here)
    for name in ("kg", "experiments"):
        (here / name).mkdir()
        for file in ("__init__.py", "errors.py", "junk.py"):
            (here / name / file).write_text("raise SystemExit('the wrong folder was imported')\n")
    (config,) = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (here / "own.yaml").write_text(config)
    return here


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
