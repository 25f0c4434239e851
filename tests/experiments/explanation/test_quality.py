"""Quality of evidence where the truth is known: linear systems on tokens, one of them random."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from encoders.batch import StudyBatch
from encoders.study import Study
from experiments.explanation.quality import deletion_quality, map_quality
from experiments.loading.cohort import Cohort, Pictures
from experiments.metrics.bootstrap import Plan
from experiments.metrics.calibration import Calibration
from experiments.metrics.decisions import Thresholds
from fusion.system import Output, System
from tests.experiments.explanation.test_deletion import Blocks, Encoded
from tests.experiments.explanation.test_faithfulness import PLACES, Wired

SIDE, STUDIES = 4, 20
PLAN = Plan(resamples=50)


class Lesions(System):
    """Logit of the only finding: weighted sum of the tokens' first channel, less one."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = weights

    def losses(self, batch: StudyBatch, stage: Any) -> dict[str, Tensor]:
        return {}

    def predict(self, batch: StudyBatch, findings: tuple[str, ...]) -> Output:
        assert batch.image_tokens is not None
        total = (batch.image_tokens[:, 0, :, 0] * self.weights).sum(1) - 1
        return Output(total[:, None])


def restored(system: System) -> Any:
    thresholds = Thresholds((0.5,), "fixed", frozenset())
    return SimpleNamespace(
        system=system,
        calibration=Calibration((1.0,), thresholds, exclusive=False),
        preprocessor=SimpleNamespace(findings=("f",)),
    )


@pytest.fixture
def lesions() -> tuple[Cohort, dict[int, Any]]:
    """Studies with one bright token each, and a box around it."""
    rng = np.random.default_rng(0)
    values, marked = torch.zeros(STUDIES, SIDE**2, 2), {}
    for row, place in enumerate(rng.integers(0, SIDE**2, STUDIES).tolist()):
        values[row, place, 0] = 4.0
        down, across = divmod(place, SIDE)
        box = [across / SIDE, down / SIDE, (across + 1) / SIDE, (down + 1) / SIDE]
        marked[row] = {(0, "f"): [box]}
    rows = torch.arange(STUDIES)[:, None]
    zeros = torch.zeros_like(rows)
    people = tuple(Study(f"s{row}", f"p{row}") for row in range(STUDIES))
    pictures = Pictures(values, rows, zeros, zeros)
    return Cohort(people, torch.ones(STUDIES, 1), pictures=pictures), marked


def test_what_decides_is_lost_at_once_and_is_enough(lesions: Any) -> None:
    found = deletion_quality(
        restored(Lesions(torch.ones(SIDE**2))), lesions[0], np.random.default_rng(0), PLAN
    )["places"]
    assert found.studies == STUDIES
    measures = {name: one.value for name, one in found.measures.items()}
    # three places of sixteen go: the bright one and two dark ones become the mean, 0.25
    assert measures["comprehensiveness"] == pytest.approx(4 - 3 * 0.25)
    assert measures["sufficiency"] == pytest.approx(-13 * 0.25)  # dark ones become brighter
    assert measures["comprehensiveness_gain"] > 1
    assert measures["sufficiency_gain"] > 1
    assert measures["random_comprehensiveness"] < 2


def test_maps_point_at_lesions_and_those_of_other_weights_do_not(lesions: Any) -> None:
    cohort, marked = lesions
    generator = torch.Generator().manual_seed(0)
    other = Lesions(torch.randn(SIDE**2, generator=generator))
    found = map_quality(
        restored(Lesions(torch.ones(SIDE**2))),
        other,
        cohort,
        marked,
        rng=np.random.default_rng(0),
        plan=PLAN,
    )
    trained = {name: one.value for name, one in found["pointing_trained"].measures.items()}
    assert trained["pointing_game"] == 1
    assert trained["energy_in_box"] == pytest.approx(1)
    assert trained["chance"] == pytest.approx(1 / SIDE**2)
    untrained = found["pointing_untrained"].measures["energy_in_box"].value
    assert untrained < 0.6
    assert abs(found["randomised_weights"].measures["rank_correlation"].value) < 0.5


def test_the_same_weights_give_the_same_maps(lesions: Any) -> None:
    cohort, _ = lesions
    same = Lesions(torch.linspace(0.5, 1.5, SIDE**2))
    found = map_quality(restored(same), same, cohort, {}, rng=np.random.default_rng(0), plan=PLAN)
    assert set(found) == {"randomised_weights"}
    assert found["randomised_weights"].measures["rank_correlation"].value == pytest.approx(1)


class Opposite(Blocks):
    """An image encoder with other weights: its tokens have the opposite sign."""

    def forward(self, pixels: Tensor) -> Tensor:
        return -super().forward(pixels)


def test_each_system_reads_pixels_by_its_own_encoder() -> None:
    pixels = torch.rand(STUDIES, 32, 32, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(STUDIES)[:, None]
    zeros = torch.zeros_like(rows)
    people = tuple(Study(f"s{row}", f"p{row}") for row in range(STUDIES))
    seen = Pictures(pixels, rows, zeros, zeros, mean=(0.0,), std=(1.0,))
    cohort = Cohort(people, torch.ones(STUDIES, 1), pictures=seen)
    other = Encoded()
    other.encoders = torch.nn.ModuleList([Opposite()])
    correlation = {
        system: map_quality(
            restored(Encoded()), system, cohort, {}, rng=np.random.default_rng(0), plan=PLAN
        )["randomised_weights"].measures["rank_correlation"].value
        for system in (Encoded(), other)
    }  # fmt: skip
    assert [*correlation.values()] == [pytest.approx(1), pytest.approx(-1)]


def test_random_labels_destroy_the_map(lesions: Any) -> None:
    """Least squares on true labels finds the lesion's place; on drawn ones it does not."""
    cohort, marked = lesions
    rng = np.random.default_rng(1)
    tokens = rng.normal(0, 1, (400, SIDE**2))
    truth = (tokens[:, 5] > 0) * 2.0 - 1  # a lesion is a bright sixth place
    drawn = rng.permutation(truth)
    weights = [np.linalg.lstsq(tokens, labels, rcond=None)[0] for labels in (truth, drawn)]
    values = torch.tensor(rng.normal(0, 1, (STUDIES, SIDE**2, 1))).float()
    values[:, 5] = 2.0
    pictures = Pictures(
        values, *(getattr(cohort.pictures, n) for n in ("rows", "view", "modality"))
    )
    studies = Cohort(cohort.studies, cohort.targets, pictures=pictures)
    box = {(0, "f"): [[1 / SIDE, 1 / SIDE, 2 / SIDE, 2 / SIDE]]}
    found = map_quality(
        restored(Lesions(torch.tensor(weights[0]).float())),
        Lesions(torch.tensor(weights[1]).float()),
        studies,
        dict.fromkeys(range(STUDIES), box),
        rng=np.random.default_rng(0),
        plan=PLAN,
    )
    right, random = (
        found[f"pointing_{name}"].measures["pointing_game"].value
        for name in ("trained", "untrained")
    )
    assert right > 0.9
    assert random < 0.5


def test_edges_that_are_shown_count_more_than_random_ones() -> None:
    """Edges of `Wired` carry 2, 0.5, -1 and 0.5; a study without input is answered no by them."""
    evidence = torch.ones(STUDIES, PLACES)
    people = tuple(Study(f"s{row}", f"p{row}") for row in range(STUDIES))
    cohort = Cohort(people, torch.ones(STUDIES, 2), evidence=evidence)
    run = restored(Wired())
    run.preprocessor.findings = run.system.setting.findings
    thresholds = Thresholds((0.5, 0.5), "fixed", frozenset())
    run.calibration = Calibration((1.0, 1.0), thresholds, exclusive=False)
    found = deletion_quality(run, cohort, np.random.default_rng(0), PLAN)["edges"]
    assert found.studies == STUDIES
    measures = {name: one.value for name, one in found.measures.items()}
    # three of four edges are shown: what they carry is lost for yes, and gained for no input
    assert measures["comprehensiveness"] == pytest.approx(2 * 3)
    assert measures["sufficiency"] == pytest.approx(2 * -1)
    assert measures["random_comprehensiveness"] == pytest.approx(2 * 1.5, abs=0.6)
    assert measures["random_sufficiency"] == pytest.approx(2 * 0.5, abs=0.6)
    assert measures["comprehensiveness_gain"] > 2
    assert measures["sufficiency_gain"] > 2
