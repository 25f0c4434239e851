"""A run from a prepared copy is the run from the raw folder; from shards it streams what trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from encoders.batch import StudyBatch
from experiments.config.schema import Experiment
from experiments.datasets.table import Table
from experiments.loading.cohort import Cohort
from experiments.loading.stream import StreamedCohort
from experiments.preparation.copy import PreparedCopy, StudyTable
from experiments.preparation.prepare import Plan, prepare
from experiments.records.folder import RunFolder
from experiments.runner.run import run_experiment
from experiments.runs.build import RunContext, build_context
from kg.errors import InputError

CONFIG: dict[str, Any] = {
    "name": "copies",
    "data": {"name": "table", "labels": "own", "at_least": 2},
    "split": {"kind": "fixed"},
    "text": {"train": "full", "test": "redacted"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": 32, "width": 64}},
        "frozen": False,
        "augment": False,
    },
    "graph": {"width": 16},
    "system": {
        "name": "graph_fusion",
        "options": {"width": 16, "neighbourhood": 4, "message_passing": {"name": "identity"}},
    },
    "stages": [{"epochs": 2, "batch_size": 8, "learning_rate": 1e-3,
                "objectives": {"classification": 1.0}}],
    "concept_studies": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 60 patients, some with two pictures, and three copies of it."""
    folder = tmp_path_factory.mktemp("copies")
    root, rng = folder / "raw", np.random.default_rng(5)
    (root / "pictures").mkdir(parents=True)
    lines = ["study,image,view,report,Cardiomegaly,Pleural Effusion"]
    for number in range(60):
        names = [f"pictures/{number}-{n}.png" for n in range(1 + number % 2)]
        for name in names:
            pixels = rng.integers(0, 120, (40, 36), dtype=np.uint8)
            pixels[8:20] += 100 * (number % 3 == 0)
            Image.fromarray(pixels).save(root / name)
        said = "Enlarged heart." if number % 3 == 0 else "Clear lungs."
        marks = f"{int(number % 3 == 0)},{('1', '0', '', '-1')[number % 4]}"
        lines.append(f"s{number},{';'.join(names)},frontal,Findings: {said},{marks}")
    (root / "studies.csv").write_text("\n".join(lines))
    for name, plan in (
        ("plain", Plan()),
        ("kept", Plan(side=32)),
        ("shards", Plan(side=32, shards=9)),
    ):
        prepare("table", Table(), root, folder / name, plan=plan)
    return folder


@pytest.fixture(scope="module")
def made(places: Path) -> Callable[..., RunContext]:
    def give(name: str, **image: Any) -> RunContext:
        torch.manual_seed(0)
        config = CONFIG | {"image": CONFIG["image"] | image}
        experiment = Experiment.model_validate(config)
        return build_context(experiment, places / name, cache=places / "cache")

    return give


def equal(one: StudyBatch, other: StudyBatch) -> bool:
    pairs = [(getattr(one, n), getattr(other, n)) for n in one.__dataclass_fields__]
    for left, right in pairs:
        if isinstance(left, torch.Tensor):
            assert isinstance(right, torch.Tensor)
            torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)
        elif left is None or isinstance(left, tuple):
            assert left == right
    return True


@pytest.mark.parametrize("name", ["plain", "kept"])
def test_a_copy_gives_what_the_raw_folder_gives(name: str, made: Any, places: Path) -> None:
    raw, copy = made("raw"), made(name)
    assert copy.root == places / "raw"
    assert copy.manifest == raw.manifest
    assert copy.fingerprint == raw.fingerprint
    for part in ("train", "validation", "test"):
        assert copy.cohorts[part].studies == raw.cohorts[part].studies
        all_ = range(len(raw.cohorts[part]))
        training = part == "train"
        assert equal(
            raw.cohorts[part].batch(all_, training=training),
            copy.cohorts[part].batch(all_, training=training),
        )


def test_kept_pictures_are_mapped_not_read(made: Any, places: Path) -> None:
    moved = places / "hidden"
    (places / "raw" / "pictures").rename(moved)
    try:
        copy = made("kept")
    finally:
        moved.rename(places / "raw" / "pictures")
    values = copy.cohorts["train"].pictures.values
    assert values.shape == (90, 32, 32)
    assert values.dtype == torch.float16


def streamed(made: Any, **image: Any) -> StreamedCohort:
    cohort = made("shards", **image).cohorts["train"]
    assert isinstance(cohort, StreamedCohort)
    return cohort


def epoch(cohort: StreamedCohort, number: int = 0, **order: Any) -> list[StudyBatch]:
    given = cohort.order(4, 7, **order)
    given.set_epoch(number)
    return list(cohort.loader(given))


def test_a_stream_gives_training_studies_alone_each_as_it_is(made: Any) -> None:
    cohort, whole = streamed(made), made("raw").cohorts["train"]
    assert isinstance(whole, Cohort)
    train = {study.study: place for place, study in enumerate(whole.studies)}
    assert [study.study for study in cohort.studies] == list(train)
    assert len(cohort) == len(whole)
    given = epoch(cohort)
    assert len(given) == -(-len(train) // 4)
    counts = Counter(study for batch in given for study in batch.ids)
    assert set(counts) <= set(train)
    assert len(counts) > 0.6 * len(train)
    for batch in given:
        expected = whole.batch([train[study] for study in batch.ids], training=True)
        most = batch.image_mask.shape[1]  # of the studies of this batch, not of all
        assert not expected.image_mask[:, most:].any()
        seen = ("pixels", "image_mask", "view", "modality")
        cut = {name: getattr(expected, name)[:, :most] for name in seen}
        assert equal(batch, replace(expected, **cut))


def test_epochs_differ_and_one_epoch_is_always_the_same(made: Any) -> None:
    cohort = streamed(made)
    first, again, other = (epoch(cohort, n) for n in (0, 0, 1))
    assert [batch.ids for batch in first] == [batch.ids for batch in again]
    assert [batch.ids for batch in first] != [batch.ids for batch in other]


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_change_nothing(workers: int, made: Any) -> None:
    alone = streamed(made, augment=True)
    shared = replace(alone, workers=workers)
    for one, other in zip(epoch(alone), epoch(shared), strict=True):
        assert equal(one, other)


def test_a_resumed_epoch_goes_on_with_the_batch_it_would_have_had(made: Any) -> None:
    cohort = streamed(made, augment=True)
    whole = epoch(cohort, 1)
    order = cohort.order(4, 7)
    order.set_epoch(1)
    assert order.skip(12) == 3
    rest = list(cohort.loader(order))
    assert len(rest) == len(whole) - 3
    for one, other in zip(whole[3:], rest, strict=True):
        assert equal(one, other)


def test_processes_share_the_shards_and_take_equally_many_steps(made: Any) -> None:
    cohort = streamed(made)
    parts = [epoch(cohort, rank=rank, processes=2) for rank in range(2)]
    assert len(parts[0]) == len(parts[1])
    assert {len(batch.ids) for part in parts for batch in part[:-1]} == {2}
    ids = [{study for batch in part for study in batch.ids} for part in parts]
    assert not ids[0] & ids[1]
    with pytest.raises(InputError, match="9 shards for 10 processes"):
        cohort.order(10, 7, rank=0, processes=10)


def test_tokens_of_a_frozen_encoder_are_made_as_studies_pass(made: Any) -> None:
    encoder = {"name": "tiny_cnn", "options": {"size": 32, "width": 64, "weights": "random"}}
    frozen = {"frozen": True, "grid": 2, "reduce": 8, "encoder": encoder}
    cohort, whole = streamed(made, **frozen), made("raw", **frozen).cohorts["train"]
    place = {study.study: at for at, study in enumerate(whole.studies)}
    (batch, *_) = epoch(cohort)
    expected = whole.batch([place[study] for study in batch.ids], training=True)
    assert batch.pixels is None
    torch.testing.assert_close(batch.image_tokens, expected.image_tokens, rtol=0.02, atol=0.02)


def test_a_run_trains_from_shards(places: Path, tmp_path: Path) -> None:
    experiment = Experiment.model_validate(CONFIG)
    run = run_experiment(experiment, root=places / "shards", runs=tmp_path)
    record = RunFolder(tmp_path / run).load_record()
    assert record.status == "finished"
    copy = PreparedCopy.find(places / "shards")
    assert copy is not None
    assert record.data_fingerprint == copy.record["fingerprint"]
    assert sum(record.split_counts.values()) == 60


def test_a_copy_of_something_else_is_refused(places: Path) -> None:
    copy = PreparedCopy.find(places / "kept")
    assert copy is not None
    options = Table.Options()
    copy.check("table", "own", options)
    for name, labels, given in (
        ("openi", "own", options),
        ("table", "nih14", options),
        ("table", "own", Table.Options(file="other.csv")),
    ):
        with pytest.raises(InputError, match="is a copy with"):
            copy.check(name, labels, given)
    assert PreparedCopy.find(places / "raw") is None
    image = CONFIG["image"] | {"encoder": {"name": "tiny_cnn", "options": {"size": 64}}}
    experiment = Experiment.model_validate(CONFIG | {"image": image})
    with pytest.raises(InputError, match="32 pixels in the view 'whole'"):
        build_context(experiment, places / "kept", cache=places / "cache")


def test_studies_of_a_copy_are_those_of_the_raw_folder(places: Path) -> None:
    studies = Table().studies(places / "raw", labels="own")
    table = StudyTable(places / "plain" / "studies.parquet")
    assert list(table) == studies
    assert table[17] == studies[17]
    assert list(table[5:9]) == studies[5:9]
    some = table.where(lambda study: len(study.images) == 2)
    assert list(some) == [study for study in studies if len(study.images) == 2]
    assert list(some.rows[:3]) == [1, 3, 5]
