"""Checkpoint callback: its state in Lightning checkpoints of earlier versions is still found."""

from __future__ import annotations

from pathlib import Path

from experiments.records.folder import RunFolder
from experiments.training.callbacks import CheckpointCallback


def test_checkpoints_of_earlier_versions_resume(tmp_path: Path) -> None:
    callback = CheckpointCallback(RunFolder(tmp_path), dict, {}, stage=0)
    assert callback.state_key == "Keeper"
