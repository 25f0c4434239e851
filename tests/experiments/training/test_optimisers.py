"""Optimisers and schedules of a stage, by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from experiments.training.optimisers import BUILDERS, SHARES, optimiser_of, schedule_of
from fusion.stage import OPTIMISERS, SCHEDULES, Stage
from kg.errors import InputError
from kg.options import Part


class Two(nn.Module):
    """Two named halves, each with a matrix and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Linear(2, 2)
        self.head = nn.Linear(2, 2)


def groups(stage: Stage) -> list[tuple[float, float, int]]:
    """Rate, decay and number of tensors of each group."""
    made = optimiser_of(stage, Two(), "stages.0")
    return [(g["lr"], g["weight_decay"], len(g["params"])) for g in made.param_groups]


def test_biases_do_not_decay() -> None:
    assert groups(Stage(learning_rate=0.1, weight_decay=0.5)) == [(0.1, 0.5, 2), (0.1, 0.0, 2)]


def test_rates_are_factors_by_the_longest_prefix() -> None:
    stage = Stage(learning_rate=0.1, weight_decay=0.5, rates={"tower": 0.1, "tower.bias": 2.0})
    assert groups(stage) == [
        (0.1, 0.5, 1),
        (0.1, 0.0, 1),
        (pytest.approx(0.01), 0.5, 1),
        (pytest.approx(0.2), 0.0, 1),
    ]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_optimisers_by_name(name: str, kind: type) -> None:
    assert isinstance(optimiser_of(Stage(optimiser=Part(name=name)), Two(), "stages.0"), kind)


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        # ten steps, two of them of warm-up: the rate then goes through eighths
        ("cosine", [0.5, 1.0, 1.0, 0.9619398, 0.8535534]),
        ("linear", [0.5, 1.0, 1.0, 0.875, 0.75]),
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0]),
        ("step", [0.5, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_schedules_by_hand(name: str, shares: list[float]) -> None:
    rate = schedule_of(Stage(schedule=Part(name=name), warmup=0.2), 10, "stages.0")
    assert [rate(step) for step in range(5)] == pytest.approx(shares, abs=1e-6)
    assert set(SHARES) == set(SCHEDULES) == {"cosine", "linear", "constant", "step"}
    assert set(BUILDERS) == set(OPTIMISERS)


def test_a_step_drops_by_its_factor() -> None:
    part = Part(name="step", options={"every": 0.5, "factor": 0.2})
    rate = schedule_of(Stage(schedule=part, warmup=0.0), 9, "stages.0")
    assert rate(4) == pytest.approx(1.0)
    assert rate(5) == pytest.approx(0.2)
    assert rate(9) == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ({"optimiser": {"name": "adamv"}}, r"stages.0.optimiser.name: there is no 'adamv'"),
        ({"schedule": {"name": "cosin"}}, r"stages.0.schedule.name: there is no 'cosin'"),
        ({"rates": {"towr": 0.1}}, "no trained parameter begins with 'towr'"),
        ({"optimiser": {"name": "sgd", "options": {"beta": 1}}}, "there is no such key"),
    ],
)
def test_a_wrong_name_is_refused_with_the_right_one(stage: dict[str, Any], words: str) -> None:
    made = Stage.model_validate(stage)

    def build() -> None:
        optimiser_of(made, Two(), "stages.0")
        schedule_of(made, 5, "stages.0")

    with pytest.raises(InputError, match=words) as caught:
        build()
    assert caught.value.hint
