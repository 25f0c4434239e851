"""Training pictures are changed as asked, drawn from the generator, and never mirrored."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from encoders.reading.augmentation import Augmentation, augment, draw_change

STILL = Augmentation(turn=0, shift=0, zoom=0, contrast=0, brightness=0)


def still(**changed: object) -> Augmentation:
    return STILL.model_copy(update=changed)


def first_form(grey: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """What the plain augmentation was before it had options, written out."""
    turn, across, down, zoom, contrast, brightness = generator.uniform(-1, 1, 6)
    height, width = grey.shape
    angle = math.radians(turn * 7.0)
    factor = 1 + zoom * 0.08
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    dx, dy = across * 0.04 * width, down * 0.04 * height
    matrix = (
        *(cos, sin, x0 - cos * (x0 + dx) - sin * (y0 + dy)),
        *(-sin, cos, y0 + sin * (x0 + dx) - cos * (y0 + dy)),
    )
    image = Image.fromarray(np.ascontiguousarray(grey, dtype=np.float32))
    moved = np.asarray(
        image.transform((width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    )
    middle = moved.mean()
    changed = (moved - middle) * (1 + contrast * 0.2) + middle
    return np.clip(changed + brightness * 0.05, 0, 1).astype(np.float32)


@pytest.mark.parametrize("side", [17, 64, 160])
def test_the_plain_one_gives_the_pixels_it_always_gave(side: int) -> None:
    grey = np.random.default_rng(side).random((side, side), np.float32)
    ours, theirs = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(4):  # and leaves the generator where it always did
        np.testing.assert_array_equal(augment(grey, Augmentation(), ours), first_form(grey, theirs))


def test_it_is_drawn_from_the_generator_and_small() -> None:
    grey = np.zeros((64, 64), np.float32)
    grey[20:40, 10:30] = 1
    moved = augment(grey, Augmentation(), np.random.default_rng(3))
    np.testing.assert_array_equal(moved, augment(grey, Augmentation(), np.random.default_rng(3)))
    assert (moved != augment(grey, Augmentation(), np.random.default_rng(4))).any()
    assert abs(moved - grey).mean() < 0.2


def test_nothing_asked_for_is_the_picture() -> None:
    grey = np.random.default_rng(0).random((32, 32), np.float32)
    np.testing.assert_allclose(augment(grey, STILL, np.random.default_rng(0)), grey, atol=1e-5)


def test_it_never_mirrors() -> None:
    grey = np.zeros((64, 64), np.float32)
    grey[:, :16] = 1
    strong = Augmentation(
        turn=15, shift=0.1, zoom=0.2, contrast=0.3, brightness=0.1, gamma=0.5, blur=2
    )
    for seed in range(50):
        moved = augment(grey, strong, np.random.default_rng(seed))
        assert moved[:, :32].mean() > moved[:, 32:].mean()
        a, b, _, d, e, _ = draw_change(
            still(turn=30, crop=(0.2, 1)), 64, 64, np.random.default_rng(seed)
        ).matrix
        assert a * e - b * d > 0


def test_a_crop_shows_its_share_of_the_area_from_inside_the_picture() -> None:
    ramp = np.tile(np.linspace(0, 1, 100, dtype=np.float32), (100, 1))
    generator = np.random.default_rng(1)
    shares = []
    for _ in range(200):
        change = draw_change(still(crop=(0.25, 0.64)), 100, 100, generator)
        shares.append(change.matrix[0] ** 2)
        shown = change.pixels(ramp)
        assert shown[50, 90] - shown[50, 10] == pytest.approx(0.8 * change.matrix[0], abs=0.02)
        assert (np.diff(shown[50, 2:-2]) >= -1e-6).all()
    assert min(shares) == pytest.approx(0.25, abs=0.02)
    assert max(shares) == pytest.approx(0.64, abs=0.02)


def test_gamma_blur_and_erasing_by_hand() -> None:
    grey = np.full((40, 40), 0.25, np.float32)
    values = [
        float(augment(grey, still(gamma=1.0), np.random.default_rng(seed))[20, 20])
        for seed in range(30)
    ]
    assert 0.25**2 - 1e-5 <= min(values) < 0.12
    assert 0.4 < max(values) <= 0.5 + 1e-5
    checks = (np.indices((40, 40)).sum(0) % 2).astype(np.float32)
    assert augment(checks, still(blur=4.0), np.random.default_rng(0)).std() < checks.std() / 2
    hidden = [
        (augment(checks, still(erase=0.3), np.random.default_rng(seed)) % 1 > 0).mean()
        for seed in range(40)
    ]
    assert 0 < max(hidden) <= 0.35
    assert np.mean(hidden) == pytest.approx(0.15, abs=0.05)


def test_what_is_not_asked_for_draws_nothing() -> None:
    generators = [np.random.default_rng(2) for _ in range(2)]
    grey = np.random.default_rng(0).random((20, 20), np.float32)
    augment(grey, STILL, generators[0])
    generators[1].uniform(-1, 1, 6)
    assert generators[0].random() == generators[1].random()


@pytest.mark.parametrize("seed", range(8))
def test_a_box_goes_where_its_pixels_go(seed: int) -> None:
    side, box = 200, (0.30, 0.40, 0.45, 0.60)
    grey = np.zeros((side, side), np.float32)
    grey[80:120, 60:90] = 1
    options = Augmentation(contrast=0, brightness=0, crop=(0.6, 1.0), shift=0.1)
    change = draw_change(options, side, side, np.random.default_rng(seed))
    rows, columns = np.nonzero(change.pixels(grey) > 0.4)
    moved = change.box(box, side)
    assert moved is not None
    seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(np.array(moved) * side, seen, atol=2)


def test_a_box_that_leaves_the_picture_is_gone() -> None:
    change = draw_change(still(crop=(0.1, 0.1)), 100, 100, np.random.default_rng(0))
    left = change.matrix[2] / 100
    assert change.box((left - 0.2, 0.0, left - 0.05, 1.0), 100) is None
    cut = change.box((left - 0.2, 0.0, left + 0.1, 1.0), 100)
    assert cut is not None
    assert (cut[0], cut[1], cut[3]) == (0, 0, 1)


def test_every_colour_is_moved_alike() -> None:
    grey = np.random.default_rng(0).random((24, 24), np.float32)
    options = Augmentation(crop=(0.5, 1), gamma=0.3, blur=1, erase=0.2)
    one = augment(grey, options, np.random.default_rng(1))
    three = augment(np.stack([grey] * 3), options, np.random.default_rng(1))
    for plane in three:
        np.testing.assert_allclose(plane, one, atol=1e-5)
