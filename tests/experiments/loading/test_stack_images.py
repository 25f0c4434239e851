"""Volumes, series and clips are loaded alike for training and prediction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from encoders.reading.augmentation import Augmentation
from encoders.reading.picture import read_picture
from encoders.reading.transforms import whole
from encoders.study import Study, StudyImage
from experiments.config.schema import ImageSection
from experiments.loading.cohort import Cohort
from experiments.loading.images import ImageLoader
from fusion.needs import Needs
from kg.errors import InputError

SIDE = 32
ENCODER = {"name": "tiny_cnn", "options": {"size": SIDE, "width": 64}}
COLOUR = {"name": "timm_backbone", "options": {"model": "resnet10t", "size": SIDE}}


@pytest.fixture
def studies(tmp_path: Path, written: Callable[..., Path]) -> list[Study]:
    """A volume, a clip beside a still, and a folder of slices with a gap."""
    rng = np.random.default_rng(0)
    volume = rng.integers(-1000, 200, (40, 40, 20)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "chest.nii.gz")
    frames = [Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)) for _ in range(9)]
    frames[0].save(tmp_path / "lung.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "still.png")
    (tmp_path / "slices").mkdir()
    for z in (0, 1, 2, 3, 6):
        place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        path = tmp_path / "slices" / f"{z}.dcm"
        written(path, volume[:, :, z] + 1024, Modality="CT", RescaleIntercept=-1024, **place)
    us = [StudyImage(name, "ultrasound", "convex") for name in ("still.png", "lung.gif")]
    return [
        Study("ct", "a", (StudyImage("chest.nii.gz", "ct", "axial"),)),
        Study("us", "b", tuple(us)),
        Study("series", "c", (StudyImage("slices", "ct", "axial"),)),
        Study("asked", "d", (StudyImage("lung.gif", "ultrasound", "convex", frame=8),)),
    ]


def reader(cache: Path, **section: object) -> ImageLoader:
    values = {"encoder": ENCODER, "grid": 2, "pool": "mean", "reduce": 0, **section}
    return ImageLoader(ImageSection.model_validate(values), cache, seed=0)


def test_slices_and_frames_by_the_stated_rule(
    studies: list[Study], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = reader(tmp_path / "cache", limit=3)
    chosen = [[(one.path, one.frame) for one in made.chosen(s, tmp_path)] for s in studies]
    assert chosen == [
        [("chest.nii.gz", 3), ("chest.nii.gz", 10), ("chest.nii.gz", 16)],
        [("still.png", None), ("lung.gif", 2), ("lung.gif", 6)],
        [("slices", 0), ("slices", 2), ("slices", 4)],
        [("lung.gif", 8)],
    ]
    with caplog.at_level(logging.WARNING):
        pictures = made.read(studies, tmp_path)
    assert caplog.text.count("gaps between slices: 1 (largest 3 mm, usual step 1 mm)") == 1
    assert pictures.rows.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, -1, -1]]
    assert pictures.values.shape == (10, 4, made.shape[1])
    assert len(torch.unique(pictures.values, dim=0)) == 10


def test_pixels_to_train_on_are_those_slices(studies: list[Study], tmp_path: Path) -> None:
    made = reader(tmp_path / "cache", frozen=False, limit=2, window="mediastinum")
    pictures = made.read(studies[:1], tmp_path)
    for row, part in zip(pictures.values, (5, 15), strict=True):
        grey = read_picture(tmp_path / "chest.nii.gz", part=part, window="mediastinum")
        np.testing.assert_allclose(row.numpy(), whole(grey, SIDE), atol=1e-3)


def test_what_is_kept_is_known_by_content_place_and_window(
    studies: list[Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = reader(cache, limit=2).read(studies, tmp_path).values
    bone = reader(cache, limit=2, window="bone").read(studies, tmp_path).values
    assert not torch.equal(first[0], bone[0])
    (tmp_path / "slices" / "0.dcm").write_bytes((tmp_path / "slices" / "3.dcm").read_bytes())
    again = reader(cache, limit=2).read(studies, tmp_path).values
    assert torch.equal(again[:4], first[:4])
    assert not torch.equal(again[4], first[4])
    monkeypatch.setattr("experiments.loading.images.load_pixels", None)  # nothing is read now
    assert torch.equal(reader(cache, limit=2).read(studies, tmp_path).values, again)


def test_colours_reach_a_system_that_asks_and_grey_pixels_stay(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "tile.png")
    study = Study("s", "p", (StudyImage("tile.png", "ct", "axial"),))
    section = ImageSection.model_validate({"encoder": COLOUR, "frozen": False})
    made = {}
    for asks in (False, True):
        eyes = ImageLoader(section, tmp_path / "cache", 0, Needs(colour=asks))
        made[asks] = eyes.read([study], tmp_path)
    assert made[False].values.shape == (1, SIDE, SIDE)
    assert made[True].values.shape == (1, 3, SIDE, SIDE)
    np.testing.assert_allclose(made[True].values[0], np.moveaxis(rgb, -1, 0) / 255, atol=1e-3)
    for asks, pictures in made.items():
        cohort = Cohort((study,), torch.zeros(1, 1), pictures, augmentation=Augmentation())
        pixels = cohort.batch([0]).pixels
        moved = cohort.batch([0], generator=np.random.default_rng(0)).pixels
        assert pixels is not None
        assert moved is not None
        assert pixels.shape == moved.shape == (1, 1, 3, SIDE, SIDE)
        spread = (pixels * torch.tensor(pictures.std)[:, None, None]).std(2).max()
        assert (spread > 0.1) == asks


def test_frozen_tokens_of_colours_are_kept_apart(tmp_path: Path) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    Image.fromarray(rgb).save(tmp_path / "tile.png")
    study = Study("s", "p", (StudyImage("tile.png", "ct", "axial"),))
    section = ImageSection.model_validate({"encoder": COLOUR, "grid": 1, "reduce": 0})
    grey, colour = (
        ImageLoader(section, tmp_path / "cache", 0, Needs(colour=asks)).read([study], tmp_path)
        for asks in (False, True)
    )
    assert grey.values.shape == colour.values.shape
    assert not torch.equal(grey.values, colour.values)


def test_an_encoder_of_one_channel_is_refused_for_colour(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="torchxrayvision_densenet takes grey images alone"):
        ImageLoader(
            ImageSection.model_validate({"encoder": {"name": "torchxrayvision_densenet"}}),
            tmp_path,
            0,
            Needs(colour=True),
        )


def test_pixels_are_not_given_by_a_frozen_encoder(tmp_path: Path) -> None:
    section = ImageSection.model_validate({"encoder": {"name": "patches"}, "frozen": False})
    assert ImageLoader(section, tmp_path, 0, Needs(pixels=True)).shape == (196, 768)
    frozen = section.model_copy(update={"frozen": True})
    with pytest.raises(InputError, match="reads pixels"):
        ImageLoader(frozen, tmp_path, 0, Needs(pixels=True))


def test_maps_a_system_reads_are_known_by_name(tmp_path: Path) -> None:
    section = ImageSection.model_validate({"encoder": COLOUR, "frozen": False})
    needs = Needs(image_maps=("layer2", "last"))
    assert ImageLoader(section, tmp_path, 0).maps == {}
    assert ImageLoader(section, tmp_path, 0, needs).maps == {
        "layer2": (128, 4, 4),
        "last": (512, 1, 1),
    }
    with pytest.raises(InputError, match="has no feature map 'layer9'"):
        ImageLoader(section, tmp_path, 0, Needs(image_maps=("layer9",)))
    with pytest.raises(InputError, match="gives only tokens"):
        ImageLoader(section.model_copy(update={"frozen": True}), tmp_path, 0, needs)
