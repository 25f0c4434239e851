"""Sampler of an epoch: one data set or several, uniform or balanced by rarity."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from encoders.study import Study
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.loading.cohort import Cohort, StudyOrder
from experiments.loading.loader import TrainingLoader
from experiments.loading.sampling import EpochSample, balanced_weights, epoch_sample
from experiments.records.folder import RunFolder
from experiments.runner.run import run_experiment
from experiments.runs.build import build_context
from experiments.runs.exposure import Exposure
from experiments.splits.manifest import Manifest
from fusion.stage import Stage
from kg.errors import InputError

NAN = float("nan")


def cohort(*sizes: int) -> Cohort:
    studies = tuple(Study(str(at), str(at)) for at in range(sum(sizes)))
    starts = np.cumsum([0, *sizes]).tolist()
    subsets = {
        f"d{number}": range(start, end)
        for number, (start, end) in enumerate(zip(starts, starts[1:], strict=False))
    }
    targets = torch.zeros(len(studies), 2)
    return Cohort(studies, targets, subsets=subsets if len(sizes) > 1 else {"d0": range(sizes[0])})


def test_every_study_of_one_data_set_once_needs_no_sample() -> None:
    assert epoch_sample(cohort(5), Stage(), 0) is None


def test_shares_are_of_the_studies_of_the_own_data_set() -> None:
    stage = Stage(data={"d0": 1.0, "d1": 0.5, "d2": 2.5})
    sample = epoch_sample(cohort(8, 20, 4), stage, 0)
    assert sample is not None
    assert sample.size == 8 + 4 + 20
    drawn = Counter(sample.draw(np.random.default_rng(0)).tolist())
    assert all(drawn[place] == 1 for place in range(8))
    assert sum(drawn[place] for place in range(8, 28)) == 4
    assert max(drawn[place] for place in range(8, 28)) == 1
    # four studies, twenty draws: each comes five times
    assert [drawn[place] for place in range(28, 32)] == [5] * 4


def test_a_stage_without_shares_stays_with_the_own_data_set() -> None:
    sample = epoch_sample(cohort(6, 9), Stage(), 0)
    assert sample is not None
    assert sorted(sample.draw(np.random.default_rng(1)).tolist()) == list(range(6))


def test_an_epoch_hangs_on_its_number_alone_and_is_resumed_exactly() -> None:
    sample = EpochSample(((range(10), 10), (range(10, 40), 6)))
    whole = StudyOrder(range(40), 4, seed=3, sample=sample)
    whole.set_epoch(2)
    batches = list(whole)
    assert len(batches) == len(whole) == 4
    again = StudyOrder(range(40), 4, seed=3, sample=sample)
    again.set_epoch(2)
    assert again.skip(8) == 2
    assert list(again) == batches[2:]
    again.set_epoch(1)
    assert list(again) != batches


def test_rarity_by_hand() -> None:
    targets = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, NAN], [0.0, 0.0], [NAN, NAN]])
    # present in three, in one; two studies with nothing present
    assert balanced_weights(targets).tolist() == [1 / 3, 1.0, 1 / 3, 1 / 2, 1 / 2]


def test_balanced_draws_the_rare_more_often() -> None:
    targets = torch.zeros(100, 1)
    targets[:5] = 1
    sample = epoch_sample(replace(cohort(100), targets=targets), Stage(sampler="balanced"), 0)
    assert sample is not None
    rng = np.random.default_rng(0)
    drawn = np.concatenate([sample.draw(rng) for _ in range(40)])
    assert len(drawn) == 4000
    assert 0.45 < (drawn < 5).mean() < 0.55


def test_a_share_of_a_data_set_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="'d3' is no data set") as caught:
        epoch_sample(cohort(3, 3), Stage(data={"d3": 1.0}), 0)
    assert caught.value.hint


@pytest.fixture(scope="module")
def mixed(
    small: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Experiment, Path]:
    root = tmp_path_factory.mktemp("mixed")
    part = DATASETS.load("nih_chestxray14")
    folder = root / "nih_chestxray14"
    folder.mkdir()
    part(part.Options()).tiny(folder)
    stage = {**small["stages"][0], "epochs": 1, "data": {"synthetic": 1.0, "nih_chestxray14": 0.2}}
    values = {
        **small,
        "name": "mixed",
        "also": [{"name": "nih_chestxray14", "labels": "nih14"}],
        "stages": [stage],
    }
    return Experiment.model_validate(values), root


def test_a_run_trains_on_a_further_data_set_and_never_tests_it(
    mixed: tuple[Experiment, Path],
) -> None:
    experiment, root = mixed
    made = build_context(experiment, root, cache=root / "cache", runs=root)
    train: Any = made.cohorts["train"]
    own, other = train.subsets["synthetic"], train.subsets["nih_chestxray14"]
    assert len(own) == len(made.manifest.studies("train"))
    assert len(own) + len(other) == len(train)
    foreign = {train.studies[place].study for place in other}
    assert foreign
    for part in ("validation", "test"):
        assert not foreign & {study.study for study in made.cohorts[part].studies}
    assert train.batch(list(other)[:2], training=True).image_mask.any()
    alone = build_context(
        experiment.model_copy(update={"also": ()}), root, cache=root / "cache", runs=root
    )
    assert made.fingerprint != alone.fingerprint


def test_what_a_run_has_seen_holds_the_further_studies(mixed: tuple[Experiment, Path]) -> None:
    experiment, root = mixed
    folder = RunFolder(root / run_experiment(experiment, root=root, runs=root))
    seen = Exposure.of(folder, Manifest.load(folder.splits))
    assert any(name.startswith("nih_chestxray14:") for name in seen.studies)
    assert folder.load_record().status == "finished"


def test_the_own_data_set_is_no_further_one(mixed: tuple[Experiment, Path]) -> None:
    experiment, root = mixed
    twice = experiment.model_copy(update={"also": (experiment.data,)})
    with pytest.raises(InputError, match="the run's own data set"):
        build_context(twice, root, cache=root / "cache", runs=root)


class Watched(pl.LightningModule):
    """A model that keeps the batches it is given, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: list[list[int]] = []

    def training_step(self, batch: torch.Tensor, number: int) -> torch.Tensor:
        if number == 0:
            self.seen.append([])
        self.seen[-1].extend(batch.tolist())
        return self.weight.square()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([self.weight], lr=0.1)


def test_a_trainer_draws_each_epoch_in_an_order_of_its_own() -> None:
    order = StudyOrder(range(20), 4, seed=3)
    model = Watched()
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        use_distributed_sampler=False,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, TrainingLoader(torch.arange(20), order, torch.stack))
    drawn = []
    for epoch in range(3):
        order.set_epoch(epoch)
        drawn.append([place for batch in order for place in batch])
    assert model.seen == drawn
    assert len({tuple(epoch) for epoch in drawn}) == 3
