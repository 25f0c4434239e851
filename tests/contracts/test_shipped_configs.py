"""Every shipped configuration names parts that are there, with options they have."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.config.hashing import config_hash
from experiments.config.load import dump, read_config, resolve, shipped_configs
from experiments.config.parts import check_parts

each_config = pytest.mark.parametrize("name", sorted(shipped_configs()))


@each_config
def test_it_is_right_to_the_last_option(name: str) -> None:
    found = read_config(name)
    check_parts(found.experiment, found.places)
    assert found.experiment.name == name.rpartition("/")[2]
    assert found.experiment.about


@each_config
def test_it_runs_again_as_it_was_written_out(name: str, tmp_path: Path) -> None:
    experiment = resolve(name)
    path = tmp_path / "config.yaml"
    path.write_text(dump(experiment), encoding="utf-8")
    again = resolve(str(path))
    assert again == experiment
    assert config_hash(again) == config_hash(experiment)
