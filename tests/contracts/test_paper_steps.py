"""Every configuration at a paper's scale takes one step in fp32 and bf16, with random weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

from experiments.config.load import shipped_configs
from experiments.records.journal import read_metrics

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
@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("name", PAPER)
def test_it_takes_one_step_with_random_weights(
    name: str, precision: str, steps: ModuleType, tmp_path: Path
) -> None:
    chosen = steps.one_step(name, tmp_path, {"precision": precision}, layers=1)
    context = steps.tiny_context(chosen, tmp_path)
    system, half = context.system, []
    losses = system.losses

    def noted(*given: object) -> dict[str, torch.Tensor]:
        half.append(torch.is_autocast_enabled(next(system.parameters()).device.type))
        return losses(*given)

    system.losses = noted
    before = {key: one.clone() for key, one in system.state_dict().items()}
    run = steps.take_step(context, tmp_path)
    after = system.state_dict()
    assert any(not before[key].equal(after[key]) for key in before)
    assert all(bool(one.isfinite().all()) for one in after.values() if one.is_floating_point())
    if system.stages:
        assert set(half) == {precision == "bf16"}
        assert [row["step"] for row in read_metrics(run.metrics)] == [1]
