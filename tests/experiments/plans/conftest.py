"""A plan of four small systems, and a stand-in for the command that trains one of its runs."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

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
image: {encoder: {name: tiny_cnn, options: {size: 32, width: 64}}, grid: 2, reduce: 16}
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
"""

TRAINER = '''
"""Stands in for `kgdx experiment run|resume`: no training, a record of a finished run."""
import sys, time
from dataclasses import replace
from pathlib import Path
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.records.folder import RunFolder, run_name
from experiments.records.record import RunRecord

HERE = Path(__file__).parent
experiment, verb, subject, _, root, _, runs = sys.argv[1:]
config = Path(subject) / "config.yaml" if verb == "resume" else Path(subject)
chosen = resolve(str(config))
called = f"{chosen.name} {chosen.split.fold} {chosen.seed}"
with (HERE / "log").open("a") as log:
    log.write(f"{verb} {called}\\n")
if (HERE / "fails").is_file() and called.startswith((HERE / "fails").read_text()):
    sys.exit("error: no such folder\\n    name one")
folder = RunFolder(Path(subject)) if verb == "resume" else RunFolder.create(Path(runs), chosen)
with folder.hold():
    record = RunRecord(
        folder.run, "running", chosen.model_dump(mode="json"), config_hash(chosen), "", "", None,
        {}, chosen.system.name, chosen.data.name, chosen.data.labels, seconds=2.0,
    )
    record.save(folder.record)
    (folder.checkpoints / "x").mkdir(exist_ok=True, parents=True)
    (folder.checkpoints / "x" / "y").touch()
    while (HERE / "slow").is_file():
        time.sleep(0.05)
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
    """Its runs."""
    return make_plan(read_plan(str(plan_file)))


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the stand-in: it logs what it ran, and obeys the files `slow` and `fails`."""
    folder = tmp_path / "trainer"
    folder.mkdir()
    (folder / "train.py").write_text(dedent(TRAINER), encoding="utf-8")
    monkeypatch.setattr(execute, "COMMAND", (sys.executable, str(folder / "train.py")))
    monkeypatch.setattr(execute, "PAUSE", 0.1)
    return folder
