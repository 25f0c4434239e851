"""A plan of three small systems, and a stand-in for the command that trains one of its runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from experiments.cli.main import kgdx
from experiments.plans import execute
from experiments.plans.plan import RunPlan, make_plan
from experiments.plans.schema import read_plan

BASE = """
name: tiny
data:
  name: synthetic
  labels: nih14
  options: {studies: 40, cxr: 1.0, ct: 0.0, size: 64}
  at_least: 1
  blank: ignore
split: {kind: folds, folds: 2}
image:
  encoder: {name: tiny_cnn, options: {size: 32, width: 64, weights: random}}
  grid: 2
  reduce: 16
graph: {width: 16}
"""
CONFIGS = {
    "tiny": BASE
    + """
system: {name: graph_fusion, options: {width: 32, neighbourhood: 4}}
stages: [{epochs: 1, batch_size: 16}]
""",
    "pretrained": """
base: tiny.yaml
name: pretrained
system: {name: convirt, options: {width: 16, space: 16, hidden: [16]}}
stages: [{epochs: 1, batch_size: 16, monitor: loss, objectives: {contrast: 1.0}}]
tasks: [retrieval]
""",
    "probe": """
base: tiny.yaml
name: probe
system: {name: linear_probe, options: {width: 16}}
stages: []
start: [{experiment: FOLDER/pretrained.yaml, take: {image_tower: image_tower}}]
""",
    "logistic": """
base: tiny.yaml
name: logistic
system: {name: logistic_image}
stages: []
""",
}
PLAN = """
name: tiny_plan
about: Does it run?
systems:
  - FOLDER/tiny.yaml
  - FOLDER/probe.yaml
  - {config: FOLDER/logistic.yaml, seeds: [0]}
reference: tiny
seeds: [0, 1]
folds: [0, 1]
tune: 2
"""

TRAINER = '''
"""Stands in for `kgdx experiment run|resume`: no training, a finished run with drawn scores."""
import json, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.records.folder import RunFolder
from experiments.records.predictions import ScoredSubset, write_predictions
from experiments.records.record import FindingRow, RunRecord, StartedFrom

HERE = Path(__file__).parent
LIFT = {"tiny": 1.0, "probe": 2.5, "logistic": 0.2}
FINDINGS = ("ckg:a", "ckg:b")
experiment, verb, subject, _, root, _, runs = sys.argv[1:]
config = Path(subject) / "config.yaml" if verb == "resume" else Path(subject)
chosen = resolve(str(config))
fold, seed = chosen.split.fold, chosen.seed
called = f"{chosen.name} {fold} {seed}"
with (HERE / "log").open("a") as log:
    log.write(f"{verb} {called}\\n")
if (HERE / "fails").is_file() and called.startswith((HERE / "fails").read_text()):
    sys.exit("error: no such folder\\n    name one")
folder = RunFolder(Path(subject)) if verb == "resume" else RunFolder.create(Path(runs), chosen)


def scored(part):
    rng = np.random.default_rng([fold, part == "test"])
    labels = (rng.random((200, 2)) < 0.3).astype(float)
    noise = np.random.default_rng([seed, fold]).normal(size=labels.shape)
    # a setting is better on validation, the higher its dropout
    lift = LIFT.get(chosen.name, 1.0 + 20 * chosen.system.options.get("dropout", 0.0))
    names = [f"{part}{fold}-{row:03}" for row in range(200)]
    return ScoredSubset(part, tuple(names), tuple(names), FINDINGS, labels,
                        1 / (1 + np.exp(-lift * labels - noise)))


with folder.hold():
    parents = [one for one in Path(runs).glob(f"pretrained*-{seed}*")] if chosen.start else []
    record = RunRecord(
        folder.run, "running", chosen.model_dump(mode="json"), config_hash(chosen), "", "", None,
        {}, chosen.system.name, chosen.data.name, chosen.data.labels, seconds=2.0, seed=seed,
        inputs_at_test=("image",), split_manifest=f"fold {fold}", parameters=1000,
        times={"train": LIFT.get(chosen.name, 4.0)},
        started_from=tuple(StartedFrom(one.name, "", "", {}) for one in parents[:1]),
        findings=tuple(FindingRow(one, one, "test", 200, 60, "trained") for one in FINDINGS),
    )
    record.save(folder.record)
    (folder.checkpoints / "x").mkdir(exist_ok=True, parents=True)
    (folder.checkpoints / "x" / "y").touch()
    # as good on validation while it trains as at its end, and endless where it is told to be
    dropout = chosen.system.options.get("dropout", 0.2)
    row = {"stage": 0, "step": 1, "validation/auroc_macro": dropout}
    if chosen.stages:
        folder.metrics.write_text(json.dumps(row))
    endless = HERE / "endless_below"
    while endless.is_file() and dropout < float(endless.read_text()):
        time.sleep(0.05)
    while (HERE / "slow").is_file():
        time.sleep(0.05)
    write_predictions(folder.predictions, [scored("validation"), scored("test")])
    replace(record, status="finished", finished="2026-01-01T00:00:00+00:00").save(folder.record)
'''


@pytest.fixture(scope="session")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plan file, beside its configurations."""
    folder = tmp_path_factory.mktemp("plan")
    for name, text in CONFIGS.items():
        (folder / f"{name}.yaml").write_text(text.replace("FOLDER", str(folder)), encoding="utf-8")
    path = folder / "tiny_plan.yaml"
    path.write_text(PLAN.replace("FOLDER", str(folder)), encoding="utf-8")
    return path


@pytest.fixture
def tiny_plan(plan_file: Path) -> RunPlan:
    """Its runs, without tuning."""
    return make_plan(read_plan(str(plan_file)).model_copy(update={"tune": 0}))


@contextmanager
def _stand_in(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    (folder / "train.py").write_text(TRAINER, encoding="utf-8")
    # pyarrow imports pandas where it is there, which is nearly half the time of a run
    (folder / "pandas.py").write_text("raise ImportError", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execute, "COMMAND", (sys.executable, str(folder / "train.py")))
        patch.setattr(execute, "PAUSE", 0.1)
        yield folder


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Path]:
    """Folder of the stand-in: it logs what it ran, and obeys the files `slow` and `fails`."""
    with _stand_in(tmp_path / "trainer") as folder:
        yield folder


@pytest.fixture(scope="session")
def finished_runs(plan_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of runs of the whole plan, the chosen settings included, as the command made it."""
    folder = tmp_path_factory.mktemp("finished")
    with _stand_in(folder / "trainer"):
        command = ["experiment", "plan", str(plan_file), "--runs", str(folder), "--workers", "2"]
        ended = CliRunner().invoke(kgdx, command, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    assert "20 of 20 runs are not finished" in ended.stderr
    (folder / "stdout").write_text(ended.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def runs(finished_runs: Path, tmp_path: Path) -> Path:
    """A copy of them, to be changed."""
    return Path(shutil.copytree(finished_runs, tmp_path / "copy"))
