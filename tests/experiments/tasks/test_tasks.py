"""Tasks name the capability they need; a system without it is refused before it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.config.load import read_config
from experiments.config.parts import check_parts
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder
from experiments.runner.run import run_experiment
from experiments.runs.restore import restore
from experiments.runs.verify import verify_run
from experiments.tasks import TASKS
from fusion.capabilities import CAPABILITIES
from fusion.system import Basis
from kg.errors import InputError

each_task = pytest.mark.parametrize("name", TASKS.names())


@each_task
def test_a_task_says_what_it_needs_and_writes(name: str) -> None:
    task = TASKS.load(name)
    assert task.capability in CAPABILITIES.values()
    assert task.table.endswith(".parquet")
    assert task.metrics
    assert callable(task().measure)
    of_sums = [metric for of in task.sums.values() for metric in of(())]
    assert len(set(of_sums)) == len(of_sums)
    assert set(of_sums) <= set(task.metrics)


def test_a_task_that_is_not_there_is_refused_by_name() -> None:
    found = read_config("demo", ["tasks=[clasification]"])
    with pytest.raises(InputError, match="no task 'clasification'") as caught:
        check_parts(found.experiment, found.places)
    assert "classification" in caught.value.hint


def test_a_system_that_lacks_a_capability_is_refused_before_it_trains(
    small: dict[str, Any], tmp_path: Path
) -> None:
    experiment = Experiment.model_validate({**small, "tasks": ["classification", "retrieval"]})
    with pytest.raises(InputError, match="GraphFusion cannot embed") as caught:
        run_experiment(experiment, root=tmp_path, runs=tmp_path)
    assert "classify" in caught.value.hint


@pytest.fixture(scope="module")
def zero_shot_only(small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of a system that is shown no label, and asked for findings all the same."""
    from experiments.systems import graph_fusion

    def basis(self: graph_fusion.GraphFusion, finding: str) -> Basis:
        return "zero_shot" if finding in self.setting.graph.index else "not_possible"

    runs = tmp_path_factory.mktemp("zero_shot")
    stage = {**small["stages"][0], "epochs": 1, "monitor": "loss"}
    stage["objectives"] = {"concept_supervision": 1.0}
    values = {**small, "name": "unlabelled", "stages": [stage], "tasks": ["zero_shot"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_fusion.GraphFusion, "basis", basis)
        return RunFolder(
            runs / run_experiment(Experiment.model_validate(values), root=runs, runs=runs)
        )


def test_a_run_asked_zero_shot_only_finishes_and_is_restored(zero_shot_only: RunFolder) -> None:
    record = zero_shot_only.load_record()
    assert record.status == "finished"
    assert record.tasks == ("zero_shot",)
    assert list(record.metrics) == ["test_zero_shot"]
    assert {row.basis for row in record.findings} == {"zero_shot"}
    assert all(row.threshold is None and row.temperature is None for row in record.findings)
    restored = restore(zero_shot_only)
    assert restored.calibration is None
    assert restored.thresholds.values == ()
    assert all(one.holds is not False for one in verify_run(zero_shot_only))
    assert zero_shot_only.report.is_file()
