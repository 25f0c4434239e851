"""Mechanisms of the graph find a planted graph, in the small; in full: planted_matrix.py."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = ROOT / "tests" / "benchmarks" / "planted_matrix.py"
    spec = importlib.util.spec_from_file_location("planted_matrix", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted_matrix"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["lesanet", "graph_fusion", "graph_prior"])
def test_a_planted_graph_is_found_and_none_that_is_not(benchmark: ModuleType, name: str) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        planted, unplanted = (
            benchmark.compared(name, world, 0) for world in ("planted", "unplanted")
        )
    finally:
        torch.set_num_threads(threads)
    assert planted["low"] > 0
    assert planted["p"] < 0.05
    assert planted["delta"] > 0.02
    assert unplanted["low"] < 0 or unplanted["p"] > 0.05


@pytest.mark.parametrize("world", ["planted", "unplanted"])
@pytest.mark.parametrize("name", ["zhang2020", "lesanet", "graph_fusion", "graph_prior"])
def test_arms_of_a_world_have_the_same_studies_and_parameters(
    benchmark: ModuleType, name: str, world: str
) -> None:
    make, control = benchmark.MECHANISMS[name]
    trial, again = make(world, 3), make(world, 3)
    assert torch.equal(trial.train.targets, again.train.targets)
    assert not torch.equal(trial.train.targets, make(world, 4).train.targets)
    shapes = [[one.shape for one in trial.build(arm, 0).parameters()] for arm in ("graph", control)]
    assert shapes[0] == shapes[1]
