"""VKD: the divergence in closed form, its cycles, and what is read when there is no report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.distributions import Normal

from encoders.batch import StudyBatch
from experiments.systems.vkd import VKD, divergence, gaussian
from fusion.stage import Stage
from fusion.system import System

Build = Callable[..., tuple[System, StudyBatch]]
BOUND = Stage(objectives={"classification": 1.0, "prior": 1.0, "divergence": 1.0})


def closed_form(one: Normal, other: Normal) -> Tensor:
    """Divergence of two normal distributions, as textbooks write it, `[B]`."""
    ratio = (one.stddev**2 + (one.mean - other.mean) ** 2) / other.stddev**2
    return 0.5 * (2 * (other.stddev.log() - one.stddev.log()) + ratio - 1).sum(1)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


def vkd(build: Build, **options: object) -> tuple[VKD, StudyBatch]:
    system, batch = build("vkd", options=options)
    assert isinstance(system, VKD)
    return system, batch


def test_the_divergence_by_hand() -> None:
    """Of N(1, 1) from N(0, 2): log 2 + (1 + 1) / 8 - 1 / 2; and the other way about."""
    one = Normal(torch.tensor([[1.0]]), torch.tensor([[1.0]]))
    other = Normal(torch.tensor([[0.0]]), torch.tensor([[2.0]]))
    assert float(divergence(one, other)) == pytest.approx(math.log(2) + 0.25 - 0.5)
    assert float(divergence(other, one)) == pytest.approx(-math.log(2) + (4 + 1) / 2 - 0.5)


def test_the_divergence_is_the_closed_form() -> None:
    values = draw(2, 5, 8).double()
    one, other = gaussian(values[0]), gaussian(values[1])
    torch.testing.assert_close(divergence(one, other), closed_form(one, other))
    assert (divergence(one, other) > 0).all()
    assert not divergence(one, one).any()
    order = torch.tensor([3, 0, 4, 2, 1])
    turned = divergence(gaussian(values[0][order]), gaussian(values[1][order]))
    torch.testing.assert_close(turned, divergence(one, other)[order])


def test_gradients_of_the_divergence() -> None:
    values = draw(4, 3, 2).double().requires_grad_()
    assert gradcheck(
        lambda a, b, c, d: divergence(Normal(a, b.exp()), Normal(c, d.exp())), values.unbind()
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_the_release_takes_the_divergence_the_other_way(build: Build, backwards: bool) -> None:
    system, _ = vkd(build, reversed=backwards)
    one, other = gaussian(draw(3, 8)), gaussian(draw(2, 3, 8)[1])
    pair = (other, one) if backwards else (one, other)
    made = system._divergence(one, other, torch.ones(3).bool())
    torch.testing.assert_close(made, closed_form(*pair).mean())


def test_deviations_are_positive() -> None:
    assert (gaussian(torch.full((2, 6), -200.0)).stddev > 0).all()


def test_a_study_without_a_report_has_no_divergence(build: Build) -> None:
    system, batch = vkd(build)
    assert batch.paired_text is not None
    empty = replace(batch.paired_text, mask=batch.paired_text.mask.clone())
    empty.mask[2:] = False
    half = system.losses(replace(batch, paired_text=empty), BOUND)["divergence"]
    whole = {
        place: system.losses(
            replace(batch, paired_text=replace(empty, mask=only(empty.mask, place))), BOUND
        )["divergence"]
        for place in (0, 1)
    }
    torch.testing.assert_close(half, (whole[0] + whole[1]) / 2)
    none = replace(empty, mask=torch.zeros_like(empty.mask))
    assert float(system.losses(replace(batch, paired_text=none), BOUND)["divergence"]) == 0.0


def test_without_a_report_findings_are_those_of_the_prior(build: Build) -> None:
    system, batch = vkd(build)
    assert batch.paired_text is not None
    none = replace(batch.paired_text, mask=torch.zeros_like(batch.paired_text.mask))
    losses = system.losses(replace(batch, paired_text=none), BOUND)
    torch.testing.assert_close(losses["classification"], losses["prior"])


def test_the_weight_of_the_divergence_rises_in_each_cycle(build: Build) -> None:
    system, _ = vkd(build, cycle=8)
    risen = []
    for _ in range(10):
        risen.append(float(system.annealed))
        system.after_step()
    assert risen == [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0, 0.25]
    steady, _ = vkd(build)
    steady.after_step()
    assert float(steady.annealed) == 1.0


def test_the_report_is_never_read_at_test(build: Build) -> None:
    system, batch = vkd(build)
    torch.testing.assert_close(
        system.logits(batch), system.logits(replace(batch, paired_text=None, text=None))
    )


def test_many_draws_come_near_the_mean(build: Build) -> None:
    system, _ = vkd(build, samples=256)
    torch.manual_seed(0)
    normal = Normal(torch.ones(2, 3), torch.full((2, 3), 0.1))
    # four standard errors of the mean of 256 draws
    torch.testing.assert_close(system._drawn(normal), torch.ones(2, 3), atol=0.025, rtol=0)


def only(mask: Tensor, place: int) -> Tensor:
    """The mask with one row left."""
    return mask & (torch.arange(len(mask)) == place)[:, None]
