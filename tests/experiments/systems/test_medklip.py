"""medklip: statements teach concepts by queries, sites by hand, and pictures of where it looks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from encoders.batch import Statements, StudyBatch
from experiments.systems.medklip import MedKLIP
from fusion.system import System
from tests.experiments.systems.conftest import FINDINGS, NAMES

Build = Callable[..., tuple[System, StudyBatch]]
TINY = {"width": 8, "layers": 1, "heads": 2}


def statements(*rows: tuple[int, float, int]) -> Statements:
    """One study, by concept, assertion and site."""
    concept, assertion, site = (torch.tensor([[row[n] for row in rows]]) for n in range(3))
    nowhere = torch.full_like(concept, -1)
    return Statements(concept, assertion.float(), site, nowhere, nowhere, nowhere)


@pytest.fixture
def system(build: Build) -> MedKLIP:
    """A system whose last three concepts are sites."""
    made, _ = build("medklip", options={**TINY, "sites": 3})
    assert isinstance(made, MedKLIP)
    made.places = torch.tensor([3, 4, 5])
    return made


class Gives(nn.Module):
    """A module that is a function."""

    def __init__(self, of: Callable[..., Tensor]) -> None:
        super().__init__()
        self.of = of

    def forward(self, *given: Any) -> Tensor:
        return self.of(*given)


def site_loss(system: MedKLIP, scores: dict[int, float], said: Statements, drawn: Tensor) -> float:
    """Loss where a concept's score with each site is as given, whatever it saw."""
    system.site_names = Gives(lambda places, encoder: torch.eye(16)[places])  # type: ignore[assignment]
    vector = torch.zeros(16)
    for site, score in scores.items():
        vector[site] = score
    system.site = Gives(lambda seen: vector.expand(*seen.shape[:2], -1))  # type: ignore[assignment]
    nothing = torch.zeros(1, 1).bool()
    batch = StudyBatch(
        ("a",), *(None, None, nothing, nothing, nothing, None, None), torch.zeros(1, 3)
    )
    seen = torch.zeros(1, len(drawn), 8)
    return float(system.site_loss(seen, replace(batch, statements=said), drawn))


def test_the_stated_site_is_told_among_others_by_hand(system: MedKLIP) -> None:
    """Scores log 3 and 0, 0: the chance of the true site is 3 / 5."""
    loss = site_loss(system, {4: math.log(3)}, statements((0, 1.0, 4)), torch.tensor([1, 0]))
    assert loss == pytest.approx(math.log(5 / 3), abs=1e-6)


@pytest.mark.parametrize(
    "said",
    [
        statements((0, -1.0, 4)),  # denied
        statements((0, 0.5, 4)),  # uncertain
        statements((0, 1.0, -1)),  # without a site
        statements((0, 1.0, 2)),  # at what is no site
        statements((5, 1.0, 4)),  # not asked
    ],
)
def test_what_is_not_stated_at_a_site_counts_nothing(system: MedKLIP, said: Statements) -> None:
    assert site_loss(system, {4: 1.0}, said, torch.tensor([0, 1])) == 0.0


def test_concepts_are_learnt_without_labels_and_asked_all_the_same(build: Build) -> None:
    system, batch = build("medklip")
    assert {system.basis(name) for name in NAMES} == {"zero_shot"}  # type: ignore[attr-defined]
    labelled, _ = build("medklip, with labels")
    basis = [labelled.basis(name) for name in NAMES]  # type: ignore[attr-defined]
    assert basis == ["trained"] * 3 + ["zero_shot"] * 3
    learned, _ = build("medklip", options={**TINY, "queries": "learned"})
    basis = [learned.basis(name) for name in NAMES]  # type: ignore[attr-defined]
    assert basis == ["not_possible"] * 4 + ["zero_shot", "not_possible"]
    answers = learned.predict(batch, NAMES).logits  # type: ignore[attr-defined]
    assert answers.isfinite().any(0).tolist() == [False] * 4 + [True, False]


def test_it_shows_where_a_finding_is_looked_for(build: Build) -> None:
    system, batch = build("medklip")
    maps = system.localise(batch, (FINDINGS[1], "ckg:nowhere", FINDINGS[0]))  # type: ignore[attr-defined]
    assert maps.shape == (4, 3, 2, 4, 4)
    assert maps[:, 1].isnan().all()
    there = batch.image_mask[:, None].expand(-1, 2, -1)
    shares = maps[:, ::2]
    assert shares[~there].isnan().all()
    torch.testing.assert_close(shares.nansum((2, 3, 4)), torch.ones(4, 2))
    other = system.localise(batch, FINDINGS[:1])[:, 0]  # type: ignore[attr-defined]
    torch.testing.assert_close(other, maps[:, 2], equal_nan=True)
