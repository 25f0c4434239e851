"""Every system: it learns, answers each finding on its own, and says what it cannot answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.records.checkpoint import load_checkpoint, save_checkpoint
from fusion.capabilities import Classifies, Embeds, Generates
from fusion.stage import Stage
from fusion.system import System
from kg.errors import InputError
from tests.experiments.systems.conftest import (
    CASES,
    FINDINGS,
    each_case,
    make_batch,
    needs_of,
    without,
)

Build = Callable[..., tuple[System, StudyBatch]]
STEPS, ROUNDS = 50, 12
"""Optimiser steps between two looks at what was learnt, and most looks."""


def train(system: System, batch: StudyBatch, stage: Stage, steps: int = STEPS) -> None:
    """Some steps of a stage, all on one batch."""
    trained = [one for each, one in system.named_parameters() if declared(each, stage)]
    optimiser = torch.optim.Adam(trained, 3e-3)
    system.train()
    for _ in range(steps):
        optimiser.zero_grad()
        total(system, batch, stage).backward()
        optimiser.step()
        system.after_step()
    system.eval()


def declared(parameter: str, stage: Stage) -> bool:
    """Whether a stage trains a parameter."""
    return not stage.trains or parameter.startswith(stage.trains)


def total(system: System, batch: StudyBatch, stage: Stage) -> Tensor:
    losses = system.losses(batch, stage)
    return torch.stack([stage.objectives[name] * loss for name, loss in losses.items()]).sum()


@torch.no_grad()
def everything(system: System, batch: StudyBatch) -> dict[str, Any]:
    """What a system answers by each of its capabilities."""
    said: dict[str, Any] = {}
    if isinstance(system, Classifies):
        said["logits"] = system.predict(batch, FINDINGS).logits
    if isinstance(system, Embeds) and batch.paired_text is not None:
        said["image"] = system.embed_image(batch)
        said["text"] = system.embed_text(batch.paired_text)
    if isinstance(system, Generates) and batch.paired_text is not None:
        said["report"] = system.generate(batch)
    return said


def check_answers(system: System, batch: StudyBatch) -> dict[str, Any]:
    """Everything it answers, where logits are numbers for all that is possible and for no other."""
    said = everything(system, batch)
    for finding, answers in zip(FINDINGS, said["logits"].T, strict=True):
        assert answers.isfinite().all() == (system.basis(finding) != "not_possible")
    return said


def knows(system: System, batch: StudyBatch) -> bool:
    """Whether a system has learnt the labels of the studies, and which text is whose."""
    said = everything(system, batch)
    right = True
    if isinstance(system, Classifies) and system.basis(FINDINGS[0]) == "trained":
        stated = ~batch.targets.isnan()
        right = torch.equal((said["logits"] > 0)[stated], (batch.targets > 0.5)[stated])
    if "image" in said:
        nearest = (said["image"] @ said["text"].T).argmax(1)
        right &= nearest.tolist() == list(range(len(batch.ids)))
    return right


@each_case
def test_it_overfits_four_studies(build: Build, name: str) -> None:
    system, batch = build(name)
    torch.manual_seed(0)
    for stage in system.stages:
        for _ in range(ROUNDS):
            train(system, batch, stage)
            if knows(system, batch):
                break
    assert knows(system, batch)


@each_case
def test_it_answers_the_same_after_reload(build: Build, name: str, tmp_path: Path) -> None:
    system, batch = build(name)
    for stage in system.stages:
        train(system, batch, stage, steps=3)
    save_checkpoint(tmp_path / "best", system.state_dict(), {}, {"system": name})
    kept = load_checkpoint(tmp_path / "best", like=system.state_dict(), identity={"system": name})
    again, _ = build(name, studies=8)  # prepared on other studies, all of which must give way
    again.load_state_dict(dict(kept.tensors))
    for key, answer in everything(system, batch).items():
        other = everything(again, batch)[key]
        if isinstance(answer, Tensor):  # what is not possible is NaN in both
            torch.testing.assert_close(answer, other, atol=0, rtol=0, equal_nan=True, msg=key)
        else:
            assert answer == other, key


@each_case
@torch.no_grad()
def test_an_answer_is_a_findings_own(build: Build, name: str) -> None:
    system, batch = build(name)
    whole = system.predict(batch, FINDINGS).logits
    assert whole.shape == (len(batch.ids), len(FINDINGS))
    for place, finding in enumerate(FINDINGS):
        assert whole[:, place].isfinite().all() == (system.basis(finding) != "not_possible")
        alone = system.predict(batch, (finding,)).logits[:, 0]
        torch.testing.assert_close(alone, whole[:, place], atol=1e-5, rtol=1e-5, equal_nan=True)
    turned = system.predict(batch, FINDINGS[::-1]).logits
    torch.testing.assert_close(turned, whole.flip(1), atol=1e-5, rtol=1e-5, equal_nan=True)


@each_case
@torch.no_grad()
def test_it_says_what_it_cannot_answer(build: Build, name: str) -> None:
    system, batch = build(name)
    asked = (FINDINGS[1], "ckg:nowhere", "ckg:f5", FINDINGS[0])
    made = system.predict(batch, asked)
    known = system.predict(batch, FINDINGS[:2]).logits
    torch.testing.assert_close(made.logits[:, [3, 0]], known, atol=1e-5, rtol=1e-5, equal_nan=True)
    for place, finding in enumerate(asked):
        basis = system.basis(finding)
        assert basis in ("trained", "zero_shot", "not_possible")
        assert basis != "trained" or finding in FINDINGS
        assert made.logits[:, place].isnan().all() == (basis == "not_possible")
    assert system.basis("ckg:nowhere") == "not_possible"
    for weights in (*made.attention.values(), *([] if made.gates is None else [made.gates])):
        assert weights.shape[:2] == made.logits.shape
        assert not weights[:, 1].any()
    assert system.predict(batch, ()).logits.shape == (len(batch.ids), 0)


@each_case
def test_losses_are_scalars_of_the_stages_objectives(build: Build, name: str) -> None:
    system, batch = build(name)
    system.train()
    for stage in system.stages:
        losses = system.losses(batch, stage)
        assert set(losses) == set(stage.objectives)
        assert all(loss.shape == () and bool(loss.isfinite()) for loss in losses.values())
        assert set(stage.objectives) <= set(system.loss_names(system.options))


@each_case
def test_gradients_come_where_they_are_declared_and_nowhere_else(build: Build, name: str) -> None:
    system, batch = build(name)
    system.train()
    reached: set[str] = set()
    still = {each for each, one in system.named_parameters() if not one.requires_grad}
    for stage in system.stages:
        total(system, batch, stage).backward()
        given = {each for each, one in system.named_parameters() if one.grad is not None}
        assert not given & still
        reached |= {each for each in given if declared(each, stage)}
        system.zero_grad()
    if system.stages and not CASES[name].stages:
        everything_that_learns = {each for each, _ in system.named_parameters()} - still
        assert not everything_that_learns - reached


@each_case
def test_what_another_run_may_take_is_there(build: Build, name: str) -> None:
    system, _ = build(name)
    for module in system.MODULES.values():
        assert any(each.startswith(module.prefix) for each in system.state_dict())


@each_case
@pytest.mark.parametrize("lacks", ["text", "image"])
@torch.no_grad()
def test_a_study_without_text_or_picture_is_answered_without(
    build: Build, name: str, lacks: str
) -> None:
    system, batch = build(name)
    said = check_answers(system, without(batch, **{lacks: True}))
    if lacks == "image" and "image" in said:
        assert said["image"].isnan().all()
    assert all(text == "" for text in said.get("report", []) if lacks == "image")


@each_case
@torch.no_grad()
def test_a_study_is_answered_as_if_it_were_alone(build: Build, name: str) -> None:
    system, batch = build(name, studies=8)
    whole = everything(system, batch)
    half = make_batch(system.setting, needs_of(CASES[name]), 8)
    assert half.image_mask is not None
    half.image_mask[4:] = False  # the others lose their pictures
    for key, answer in everything(system, half).items():
        if isinstance(answer, Tensor):
            torch.testing.assert_close(answer[:4], whole[key][:4], equal_nan=True, msg=key)
        else:
            assert answer[:4] == whole[key][:4]


@each_case
@pytest.mark.parametrize(
    "lacks",
    [
        {"image_width": 0, "image_tokens": 0},
        {"text_width": 0, "text_encoder": None, "vocabulary": None},
        {"facts_width": 0},
    ],
    ids=["pictures", "text", "metadata"],
)
def test_a_run_without_what_it_reads_is_refused_or_answered(
    build: Build, name: str, lacks: dict[str, Any]
) -> None:
    try:
        system, batch = build(name, lacks=lacks)
    except InputError as refused:
        hint = refused.hint
    else:
        hint = "answered"
        no_text, no_image = "text_width" in lacks, "image_width" in lacks
        check_answers(system, without(batch, text=no_text, image=no_image))
    assert hint


@each_case
def test_it_is_finite_in_half_precision(build: Build, name: str) -> None:
    system, batch = build(name)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        system.train()
        for stage in system.stages:
            loss = total(system, batch, stage)
            assert loss.isfinite()
            loss.backward()
        grown = [one.grad for one in system.parameters() if one.grad is not None]
        assert all(gradient.isfinite().all() for gradient in grown)
        check_answers(system.eval(), batch)
