"""Marked rectangles come onto the pictures they were marked in, as shares of their sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.study import Study, StudyImage, plain
from experiments.datasets import DATASETS
from experiments.datasets._boxes import Box, with_boxes
from experiments.datasets.synthetic import Synthetic
from experiments.synthetic.rules import Rules


def study(name: str, *paths: str) -> Study:
    return Study(name, name, tuple(StudyImage(path, "cxr", "frontal") for path in paths))


def picture(path: Path, width: int, height: int, turned: int = 1) -> None:
    exif = Image.Exif()
    exif[274] = turned
    pixels = np.random.default_rng(0).integers(0, 255, (height, width), np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)


def test_the_largest_box_counts_and_of_equal_ones_the_first(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 80, 40)
    boxes = [
        Box("s", "ckg:mass", 0, 0, 8, 4),
        Box("s", "ckg:mass", 20, 10, 20, 10, "R1"),
        Box("s", "ckg:mass", 40, 10, 10, 20, "R2"),
        Box("other", "ckg:mass", 0, 0, 80, 40),
    ]
    (marked,) = with_boxes([study("s", "a.png")], boxes, tmp_path)
    assert marked.images[0].box == (0.25, 0.25, 0.5, 0.5)


def test_of_several_pictures_the_named_one_gets_it(tmp_path: Path) -> None:
    boxes = [
        Box("s", "ckg:mass", 1, 2, 3, 4, picture="b.png", sides=(10, 10)),
        Box("s", "ckg:mass", 1, 2, 3, 4, sides=(10, 10)),
    ]
    (marked,) = with_boxes([study("s", "a.png", "b.png")], boxes, tmp_path)
    assert [image.box for image in marked.images] == [None, (0.1, 0.2, 0.4, 0.6)]


def test_a_picture_turned_by_its_header_is_measured_as_it_is_shown(tmp_path: Path) -> None:
    picture(tmp_path / "a.jpg", 80, 40, turned=6)
    (marked,) = with_boxes([study("s", "a.jpg")], [Box("s", "x", 10, 20, 20, 40)], tmp_path)
    assert marked.images[0].box == (0.25, 0.25, 0.75, 0.75)


def test_a_box_of_its_own_stays(tmp_path: Path) -> None:
    own = Study("s", "s", (StudyImage("a.png", "ct", "axial", box=(0, 0, 1, 1)),))
    (marked,) = with_boxes([own], [Box("s", "x", 1, 1, 1, 1, sides=(4, 4))], tmp_path)
    assert marked == own


def test_a_study_without_boxes_is_written_as_it_always_was() -> None:
    one = study("s", "a.png")
    assert plain(one)["images"] == (
        {"path": "a.png", "modality": "cxr", "view": "frontal", "part": None},
    )
    (marked,) = with_boxes([one], [Box("s", "x", 1, 1, 1, 1, sides=(4, 4))], Path())
    assert plain(marked)["images"][0]["box"] == (0.25, 0.25, 0.5, 0.5)


def test_synthetic_slices_are_marked_where_findings_are_drawn(tmp_path: Path) -> None:
    made = Synthetic(Rules(studies=16, cxr=0.0, ct=1.0, size=64))
    studies = made.studies(tmp_path, labels="covid")
    boxes = made.boxes(tmp_path)
    assert {box.study for box in boxes} <= {one.study for one in studies}
    marked = with_boxes(studies, boxes, tmp_path)
    seen = [image for one in marked for image in one.images if image.box is not None]
    assert len(seen) >= 5
    for image in seen:
        assert image.box is not None
        left, top, right, bottom = image.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    for one in marked:
        if one.stated.get("ckg:no_finding") == "present":
            assert all(image.box is None for image in one.images)


@pytest.mark.parametrize("name", ["nih_chestxray14", "vinbigdata", "rsna_pneumonia", "jsrt"])
def test_boxes_of_published_layouts_lie_in_their_pictures(name: str, tmp_path: Path) -> None:
    dataset = DATASETS.load(name)()
    dataset.tiny(tmp_path)
    labels = dataset.label_choices[0].name
    marked = with_boxes(dataset.studies(tmp_path, labels=labels), dataset.boxes(tmp_path), tmp_path)
    found = [image.box for one in marked for image in one.images if image.box is not None]
    assert found
    assert all(0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1 for box in found)
