"""Stills cut into tiles on their way from a study to a batch; slices and frames stay whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from encoders.reading.tiles import Tile
from encoders.reading.transforms import in_square
from encoders.study import Study, StudyImage, plain
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.config.schema import Experiment, ImageSection
from experiments.loading.images import ImageLoader
from experiments.records.folder import RunFolder
from experiments.runner.run import run_experiment
from fusion.needs import Needs

SIDE = 32
ENCODER = {"name": "tiny_cnn", "options": {"size": SIDE, "width": 64}}


def reader(cache: Path, needs: Needs | None = None, **section: object) -> ImageLoader:
    values = {"encoder": ENCODER, "grid": 2, "pool": "mean", "reduce": 0, **section}
    return ImageLoader(ImageSection.model_validate(values), cache, 0, needs or Needs())


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Two stills, a clip of nine frames, and one frame that is meant."""
    rng = np.random.default_rng(0)
    frames = [Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)) for _ in range(9)]
    frames[0].save(tmp_path / "lung.gif", save_all=True, append_images=frames[1:])
    for name, frame in zip(("a.png", "b.png"), frames, strict=False):
        frame.save(tmp_path / name)
    names = (("a.png", None), ("lung.gif", None), ("b.png", None), ("lung.gif", 8))
    return Study(
        "s",
        "p",
        tuple(StudyImage(name, "ultrasound", "convex", frame=frame) for name, frame in names),
    )


def test_stills_are_cut_and_count_once(study: Study, tmp_path: Path) -> None:
    made = reader(tmp_path / "cache", tiles=2, limit=5)
    chosen = [(one.path, one.frame, one.tile) for one in made.chosen(study, tmp_path)]
    quarters = [Tile(place, 2) for place in range(4)]
    assert chosen == [
        *(("a.png", None, tile) for tile in quarters),
        ("lung.gif", 2, None),
        ("lung.gif", 6, None),
        *(("b.png", None, tile) for tile in quarters),
        ("lung.gif", 8, None),
    ]
    pictures = made.read([study], tmp_path)
    assert pictures.rows.tolist() == [list(range(11))]
    whole = reader(tmp_path / "cache", limit=5).chosen(study, tmp_path)
    assert [(one.path, one.frame) for one in whole] == [
        *(("a.png", None), ("lung.gif", 2), ("lung.gif", 6), ("b.png", None), ("lung.gif", 8)),
    ]


@pytest.mark.parametrize("colour", [False, True])
def test_pixels_of_tiles_are_the_quarters(tmp_path: Path, colour: bool) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (2 * SIDE, 2 * SIDE, 3), np.uint8)
    Image.fromarray(rgb if colour else rgb[..., 0]).save(tmp_path / "still.png")
    still = Study("s", "p", (StudyImage("still.png", "cxr", "frontal"),))
    encoder = {"name": "timm_backbone", "options": {"model": "resnet10t", "size": SIDE}}
    section = {"encoder": encoder, "frozen": False, "tiles": 2}
    made = reader(tmp_path / "cache", Needs(colour=colour), **section).read([still], tmp_path)
    shown = np.moveaxis(rgb, -1, 0) / 255 if colour else rgb[..., 0] / 255
    quarters = [
        shown[..., top : top + SIDE, left : left + SIDE] for top in (0, SIDE) for left in (0, SIDE)
    ]
    np.testing.assert_allclose(made.values, np.stack(quarters), atol=1e-3)


def test_tokens_of_tiles_and_of_the_whole_are_kept_apart(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = Study("s", "p", study.images[:1])
    cache = tmp_path / "cache"
    read = {tiles: reader(cache, tiles=tiles).read([still], tmp_path).values for tiles in (1, 2, 3)}
    assert [len(values) for values in read.values()] == [1, 4, 9]
    assert len(torch.unique(torch.cat([*read.values()]), dim=0)) == 14
    monkeypatch.setattr("experiments.loading.images.load_pixels", None)  # nothing is read now
    for tiles, values in read.items():
        assert torch.equal(reader(cache, tiles=tiles).read([still], tmp_path).values, values)


@pytest.mark.parametrize("recipe", ["whole", "squash"])
def test_boxes_lie_in_the_tiles_they_touch(tmp_path: Path, recipe: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 128), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    image = StudyImage("wide.png", "ct", "axial", box=(0.25, 0.5, 0.75, 0.75))
    section = {"frozen": False, "tiles": 2, "recipe": recipe}
    made = reader(tmp_path / "cache", Needs(boxes=True), **section)
    boxes = made.read([Study("s", "p", (image,))], tmp_path).boxes
    assert boxes is not None
    assert boxes.shape == (1, 4, 4)
    assert boxes[0, :2].isnan().all()
    for row, box in ((2, (0.5, 0.0, 1.0, 0.5)), (3, (0.0, 0.0, 0.5, 0.5))):
        assert boxes[0, row].tolist() == pytest.approx(in_square(box, (32, 64), SIDE, recipe))


def test_only_a_configuration_that_cuts_has_another_hash() -> None:
    known = config_hash(resolve("demo"))
    assert config_hash(resolve("demo", ["image.tiles=1"])) == known
    assert config_hash(resolve("demo", ["image.tiles=2"])) != known
    with pytest.raises(ValidationError):
        ImageSection(tiles=0)


def test_a_stored_study_knows_of_no_tile(study: Study) -> None:
    assert all("tile" not in image for image in plain(study)["images"])


def test_a_run_on_tiles_trains(
    small: dict[str, Any], small_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = []

    def watched(self: ImageLoader, *given: Any) -> Any:
        made = read(self, *given)
        shapes.append(made.rows.shape[1])
        return made

    read: Callable[..., Any] = ImageLoader.read
    monkeypatch.setattr(ImageLoader, "read", watched)
    image: Mapping[str, Any] = {**small["image"], "tiles": 2}
    experiment = Experiment.model_validate({**small, "image": image})
    name = run_experiment(experiment, root=small_runs, runs=tmp_path)
    record = RunFolder(tmp_path / name).load_record()
    assert record.status == "finished"
    assert shapes
    assert all(most % 4 == 0 for most in shapes)
