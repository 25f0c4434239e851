"""Chauhan: margins of all pairs of labels by hand, and the space both towers end in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
import torch

from encoders.batch import StudyBatch
from experiments.systems.chauhan import Chauhan, graded_margins
from fusion.stage import Stage
from fusion.system import System

Build = Callable[..., tuple[System, StudyBatch]]
NAN = float("nan")
UNLIKE = torch.arange(5)[:, None]


def test_margins_of_all_pairs_of_grades() -> None:
    """None, congestion, interstitial, alveolar, and not graded: as the authors' code has them."""
    targets = torch.cat([torch.eye(4), torch.full((1, 4), NAN)])
    half = 0.5
    expected = torch.tensor(
        [
            [0, 1, 2, 3, half],
            [1, 0, 1, 2, half],
            [2, 1, 0, 1, half],
            [3, 2, 1, 0, half],
            [half, half, half, half, 0],
        ]
    )
    made = graded_margins(targets, UNLIKE, exclusive=True, least=half)
    torch.testing.assert_close(made, expected)
    # two studies of one grade keep the least margin, two without a grade as well
    twice = targets[[0, 0, 2, 4, 4]]
    made = graded_margins(twice, UNLIKE, exclusive=True, least=half)
    assert made[0, 1] == made[3, 4] == half
    assert made[0, 2] == 2
    # a row of zeros states no grade
    assert graded_margins(twice * 0, UNLIKE, exclusive=True, least=half)[0, 2] == half


def test_margins_of_one_finding_of_two_classes() -> None:
    """All pairs of present, absent and not stated."""
    expected = {(1, 0): 1.0, (0, 1): 1.0}
    for one, other in product((1.0, 0.0, NAN), repeat=2):
        targets = torch.tensor([[one], [other]])
        made = graded_margins(targets, UNLIKE[:2], exclusive=False, least=0.5)
        assert made[0, 1] == made[1, 0] == expected.get((one, other), 0.5)


def test_margins_of_many_findings_count_those_that_differ() -> None:
    targets = torch.tensor([[1.0, 0, 1], [0, 1, 1], [NAN, 0, 0]])
    made = graded_margins(targets, UNLIKE[:3], exclusive=False, least=0.5)
    assert made[0, 1] == 2  # the first two
    assert made[0, 2] == 1  # the third; the first is not stated
    assert made[1, 2] == 2


def test_the_same_study_or_text_has_no_margin() -> None:
    same = torch.tensor([[0, 7], [1, 7], [2, -1], [3, -1], [0, 8]])
    made = graded_margins(torch.zeros(5, 2), same, exclusive=False, least=0.5)
    assert made[0, 1] == made[0, 4] == 0
    assert made[2, 3] == made[1, 4] == 0.5


@pytest.mark.parametrize("measure", ["dot", "cosine", "distance"])
def test_how_alike_two_vectors_are(build: Build, measure: str) -> None:
    system, _ = build("chauhan", options={"measure": measure})
    assert isinstance(system, Chauhan)
    image, text = torch.tensor([[3.0, 4], [1, 0]]), torch.tensor([[0.0, 2], [1, 0]])
    expected = {
        "dot": [[8.0, 3.0], [0.0, 1.0]],
        "cosine": [[0.8, 0.6], [0, 1]],
        "distance": [[-(13**0.5), -(20**0.5)], [-(5**0.5), 0]],
    }
    torch.testing.assert_close(system.measured(image, text), torch.tensor(expected[measure]))


def test_a_study_without_a_report_is_classified_by_its_picture_alone(build: Build) -> None:
    system, batch = build("chauhan")
    assert batch.paired_text is not None
    stage = Stage(objectives={"classification": 1.0, "text_classification": 1.0})
    none = replace(batch.paired_text, mask=torch.zeros_like(batch.paired_text.mask))
    losses = system.losses(replace(batch, paired_text=none), stage)
    assert losses["classification"] > 0
    assert losses["text_classification"] == 0


def test_both_towers_end_in_one_space(build: Build) -> None:
    system, _ = build("chauhan")
    assert not any("projection" in name for name, _ in system.named_parameters())
