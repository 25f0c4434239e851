"""Weng: one softmax a task, no loss where a task is not stated, inputs that may be hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from experiments.systems.weng import Weng
from fusion.needs import NO_NEEDS
from fusion.system import Setting
from kg.errors import InputError
from tests.experiments.systems.conftest import make_batch, make_setting, without

TASK = {"tasks": {"kind": ("ckg:f0", "ckg:f1")}}


def made(setting: Setting | None = None, **options: object) -> Weng:
    torch.manual_seed(0)
    chosen = {"width": 16, "hidden": 16, **TASK, **options}
    return Weng(Weng.Options.model_validate(chosen), setting or make_setting(NO_NEEDS))


def test_the_loss_is_the_sum_of_a_softmax_of_the_task_and_of_what_is_alone() -> None:
    system = made()
    scores = torch.tensor([[1.0, 0.0, 2.0], [0.5, 1.5, 0.0], [3.0, 1.0, 1.0]])
    nan = float("nan")
    targets = torch.tensor([[1.0, 0.0, 1.0], [0.0, nan, 0.0], [0.0, 1.0, nan]])
    task = F.cross_entropy(scores[[0, 2], :2], torch.tensor([0, 1]))
    alone = F.binary_cross_entropy_with_logits(scores[:2, 2], torch.tensor([1.0, 0.0]))
    assert float(system.loss(scores, targets)) == pytest.approx(float(task + alone))
    changed = scores.clone()
    changed[1, :2] += 5  # a task that is not stated
    assert float(system.loss(changed, targets)) == pytest.approx(float(task + alone))


def test_answers_are_logits_of_the_shares_of_a_task() -> None:
    setting = make_setting(NO_NEEDS)
    batch, system = make_batch(setting, NO_NEEDS), made(setting).eval()
    shares = system.logits(batch).sigmoid()
    torch.testing.assert_close(shares[:, :2], system.scores(batch)[:, :2].softmax(1))
    torch.testing.assert_close(shares[:, 2], system.scores(batch)[:, 2].sigmoid())


def test_each_input_counts_alone_and_together() -> None:
    setting = make_setting(NO_NEEDS)
    batch = make_batch(setting, NO_NEEDS)
    for given in ({"image_width": 0}, {"text_width": 0, "text_encoder": None}, {"facts_width": 0}):
        assert made(replace(setting, **given)).eval().logits(batch).isfinite().all()  # type: ignore[arg-type]
    system = made(setting).eval()
    answers = system.logits(batch)
    for poorer in (without(batch, text=True), without(batch, image=True)):
        assert not torch.equal(system.logits(poorer), answers)
    nothing = replace(setting, image_width=0, text_width=0, facts_width=0)
    with pytest.raises(InputError, match="nothing to read"):
        made(nothing)


def test_a_finding_in_two_tasks_or_unknown_is_refused() -> None:
    with pytest.raises(InputError, match="ckg:f0 is in two tasks"):
        made(tasks={"one": ("ckg:f0", "ckg:f1"), "other": ("ckg:f0",)})
    with pytest.raises(InputError, match="no concept"):
        made(tasks={"one": ("ckg:f9",)})
