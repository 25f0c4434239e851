"""Losses and metrics of a run reach the trackers that its configuration names."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.config.parts import read_checked
from experiments.records.folder import RunFolder, find_run
from experiments.runner.run import run_experiment
from experiments.training.tracking import check_trackers, trackers
from kg.errors import InputError

TWO_STAGES = {
    "name": "tracked",
    "data": {
        "name": "synthetic",
        "labels": "nih14",
        "options": {"studies": 40, "cxr": 1.0, "ct": 0.0, "size": 64},
        "at_least": 1,
        "blank": "ignore",
    },
    "split": {"kind": "fixed"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64, "weights": "random"}},
        "grid": 2,
        "reduce": 16,
    },
    "graph": {"width": 16},
    "system": {"name": "graph_fusion", "options": {"width": 16, "neighbourhood": 4}},
    "stages": [{"epochs": 2, "batch_size": 16}, {"epochs": 1, "batch_size": 16}],
    "track": ["tensorboard", "mlflow"],
}


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def test_one_run_of_both_trackers_has_every_epoch_and_the_test_metrics(tmp_path: Path) -> None:
    experiment = read_checked(TWO_STAGES)
    folder = find_run(run_experiment(experiment, root=Path(), runs=tmp_path), tmp_path)
    auroc = folder.load_record().metrics["test"]["auroc_macro"].value

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder.path / "tensorboard")).Reload()
    assert len(events.Scalars("loss/classification")) == 3
    assert events.Scalars("test/auroc_macro")[-1].value == pytest.approx(auroc)

    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (known,) = client.search_runs([client.get_experiment_by_name("tracked").experiment_id])
    assert known.info.run_name == folder.run
    assert known.info.status == "FINISHED"
    assert known.data.metrics["test/auroc_macro"] == pytest.approx(auroc)
    assert known.data.params["config_hash"] == config_hash(experiment)
    assert len(client.get_metric_history(known.info.run_id, "loss/classification")) == 3


def test_tracking_is_no_part_of_a_configurations_hash() -> None:
    plain = resolve("demo")
    assert config_hash(resolve("demo", ["track=[mlflow]"])) == config_hash(plain)
    assert plain.track == ()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_tracker_that_is_not_installed_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda one: None if one == name else found(one)
    )
    check_trackers(resolve("demo"))
    with pytest.raises(InputError, match=f"track: {name} needs {name}") as refused:
        check_trackers(resolve("demo", [f"track=[{name}]"]))
    assert "kgdx[track]" in refused.value.hint


def test_without_the_key_there_is_no_logger(tmp_path: Path) -> None:
    experiment = resolve("demo")
    assert trackers(RunFolder.create(tmp_path, experiment), experiment) == []
    with pytest.raises(InputError, match="track"):
        resolve("demo", ["track=[wandb]"])
