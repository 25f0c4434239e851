"""Views, normalising, and loading many pictures at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from encoders.image import Preprocessing
from encoders.reading.augmentation import Augmentation
from encoders.reading.pixels import load_pixels, load_readable
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import (
    RECIPES,
    borders,
    normalise,
    squash,
    to_square,
    whole,
)
from kg.errors import InputError

SMALL = Preprocessing(32, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2))


def test_whole_keeps_the_aspect_and_pads_black() -> None:
    square = whole(np.ones((40, 80), np.float32), 32)
    assert square.shape == (32, 32)
    assert not square[:8].any()
    assert not square[24:].any()
    np.testing.assert_allclose(square[8:24], 1, atol=1e-6)


def test_whole_at_its_own_size_changes_nothing() -> None:
    grey = np.random.default_rng(0).random((32, 32), np.float32)
    np.testing.assert_array_equal(whole(grey, 32), grey)


def test_shrinking_averages_instead_of_picking() -> None:
    checks = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)
    np.testing.assert_allclose(whole(checks, 16)[2:-2, 2:-2], 0.5, atol=0.02)


def test_squash_fills_the_square() -> None:
    assert squash(np.ones((40, 80), np.float32), 32).min() > 0.999


def test_borders_shows_only_the_frame() -> None:
    square = borders(np.ones((100, 100), np.float32), 100)
    assert not square[15:85, 15:85].any()
    assert square.sum() == 100 * 100 - 70 * 70


def test_values_stay_in_range() -> None:
    edges = np.zeros((50, 50), np.float32)
    edges[:, 25:] = 1
    for recipe in RECIPES:
        view = to_square(edges, 33, recipe)
        assert view.dtype == np.float32
        assert view.min() >= 0
        assert view.max() <= 1


def test_unknown_recipe() -> None:
    with pytest.raises(InputError, match="whole"):
        to_square(np.ones((9, 9), np.float32), 8, "hole")


def test_normalise_by_hand() -> None:
    pixels = normalise(np.full((2, 2), 0.5, np.float32), SMALL)
    assert pixels.shape == (3, 2, 2)
    np.testing.assert_allclose(pixels[:, 0, 0], [0, 0.4, 1.0], atol=1e-6)


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(0)
    paths = []
    for place in range(6):
        path = tmp_path / f"{place}.png"
        Image.fromarray(generator.integers(0, 256, (50, 70), dtype=np.uint8)).save(path)
        paths.append(path)
    return paths


def test_many_pictures_in_order_with_any_number_of_threads(pictures: list[Path]) -> None:
    one = load_pixels(pictures, SMALL)
    assert one.shape == (6, 3, 32, 32)
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, load_pixels(pictures, SMALL, threads=3))
    np.testing.assert_array_equal(one[4:5], load_pixels(pictures[4:5], SMALL))


def test_augmented_pictures_repeat_with_the_seed(pictures: list[Path]) -> None:
    def load(threads: int) -> np.ndarray:
        return load_pixels(
            pictures,
            SMALL,
            threads=threads,
            augmentation=Augmentation(),
            generator=np.random.default_rng(5),
        )

    np.testing.assert_array_equal(load(1), load(3))
    with pytest.raises(ValueError, match="generator"):
        load_pixels(pictures, SMALL, augmentation=Augmentation())


def test_bad_pictures_are_raised_or_listed(pictures: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("no picture")
    mixed = [*pictures[:2], bad, pictures[2]]
    with pytest.raises(RejectedImage):
        load_pixels(mixed, SMALL, threads=2)
    readable = load_readable(mixed, SMALL, threads=2)
    assert readable.kept == (0, 1, 3)
    assert [(one.path, one.reason) for one in readable.rejected] == [(bad, "not_an_image")]
    np.testing.assert_array_equal(readable.pixels, load_pixels(pictures[:3], SMALL))


def test_no_pictures() -> None:
    assert load_pixels([], SMALL).shape == (0, 3, 32, 32)


def test_reading_needs_no_torch(processes: Any) -> None:
    code = (
        "import sys, encoders.reading.pixels, encoders.reading.dialogue, kg.mentions.redact;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandas', 'pydicom')))"
    )
    assert processes.python(code).returncode == 0
