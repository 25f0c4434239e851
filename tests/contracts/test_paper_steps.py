"""Every configuration at a paper's scale takes one training step, with random weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from experiments.config.load import shipped_configs
from experiments.records.folder import RunFolder
from experiments.records.journal import read_metrics
from experiments.runner.run import train

PAPER = [name for name in shipped_configs() if name.startswith("paper/")]


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    """The benchmark that measures these steps."""
    path = Path(__file__).parents[1] / "benchmarks" / "paper_steps.py"
    spec = importlib.util.spec_from_file_location("paper_steps", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.benchmark
@pytest.mark.parametrize("name", PAPER)
def test_it_takes_one_step_with_random_weights(
    name: str, steps: ModuleType, tmp_path: Path
) -> None:
    context = steps.tiny_context(steps.one_step(name, tmp_path, layers=1), tmp_path)
    context.system.stages = context.system.stages[:1]
    before = {key: one.clone() for key, one in context.system.state_dict().items()}
    folder = RunFolder.create(tmp_path / "runs", context.experiment)
    train(folder, context)
    after = context.system.state_dict()
    assert any(not before[key].equal(after[key]) for key in before)
    assert all(bool(one.isfinite().all()) for one in after.values() if one.is_floating_point())
    if context.system.stages:
        assert [row["step"] for row in read_metrics(folder.metrics)] == [1]
