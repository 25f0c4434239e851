"""Pictures in colour: as stored where they have colours, else the grey picture three times."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from encoders.image import Preprocessing
from encoders.reading.picture import read_parts, read_picture, shape_of
from encoders.reading.pixels import load_pixels
from encoders.reading.rejected import RejectedImage
from encoders.reading.transforms import whole

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (24, 40, 3), np.uint8)
LUMA = np.array([0.299, 0.587, 0.114])


def shown(path: Path) -> np.ndarray:
    (picture,) = read_parts(path, [None], colour=True)
    assert picture.shape[0] == 3
    assert picture.dtype == np.float32
    return picture


def as_planes(pixels: np.ndarray, top: float = 255) -> np.ndarray:
    return np.moveaxis(pixels, -1, 0) / top


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp"])
def test_colours_come_as_stored(name: str, tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / name, lossless=True)
    np.testing.assert_allclose(shown(tmp_path / name), as_planes(RGB), atol=1e-6)
    grey = read_picture(tmp_path / name)
    np.testing.assert_allclose(grey, RGB @ LUMA / 255, atol=1 / 255)


def test_sixteen_bits_a_colour_keep_their_depth(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (16, 20, 3), np.uint16)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(deep))
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb")
    for name in ("a.png", "a.tif"):
        np.testing.assert_allclose(shown(tmp_path / name), as_planes(deep, 65535), atol=1e-6)
        np.testing.assert_allclose(read_picture(tmp_path / name), deep @ LUMA / 65535, atol=1e-5)


def test_transparent_colours_lie_over_black(tmp_path: Path) -> None:
    alpha = np.full((24, 40, 1), 51, np.uint8)
    Image.fromarray(np.concatenate([RGB, alpha], axis=2)).save(tmp_path / "a.png")
    np.testing.assert_allclose(shown(tmp_path / "a.png"), as_planes(RGB) * 0.2, atol=1.01 / 255)
    deep = np.concatenate([RGB.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257], axis=2)
    (tmp_path / "b.png").write_bytes(imagecodecs.png_encode(deep))
    np.testing.assert_allclose(shown(tmp_path / "b.png"), as_planes(RGB) * 0.2, atol=1e-5)


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "LA", "F"])
def test_grey_pictures_are_repeated(mode: str, tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (24, 40), np.uint8)
    path = tmp_path / ("a.tif" if mode == "F" else "a.png")
    stored = grey.astype(np.uint16) * 257 if mode == "I;16" else grey
    picture = Image.fromarray(stored)
    (picture if mode == "I;16" else picture.convert(mode)).save(path)
    planes = shown(path)
    for plane in planes:
        np.testing.assert_array_equal(plane, read_picture(path))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_grey_and_colours_are_turned_alike(name: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    Image.fromarray(RGB[..., 0]).save(tmp_path / name, exif=exif, **options)
    grey = read_picture(tmp_path / name)
    assert grey.shape == shape_of(tmp_path / name)
    np.testing.assert_allclose(shown(tmp_path / name), np.stack([grey] * 3), atol=1e-6)


def test_a_turned_picture_is_upright_in_every_colour(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    expected = np.rot90(as_planes(RGB), -1, axes=(1, 2))
    np.testing.assert_allclose(shown(tmp_path / "a.png"), expected, atol=1e-6)
    deep = RGB.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    np.testing.assert_allclose(shown(tmp_path / "a.tif"), expected, atol=1e-6)


def test_a_large_jpeg_is_decoded_smaller_in_colour_too(tmp_path: Path) -> None:
    red = np.zeros((400, 600, 3), np.uint8)
    red[:, :300, 0] = 200
    Image.fromarray(red).save(tmp_path / "a.jpg", quality=95)
    (small,) = read_parts(tmp_path / "a.jpg", [None], target=100, colour=True)
    assert small.shape == (3, 100, 150)
    assert small[0, 50, 20] > 0.7
    assert small[1:, 50, 20].max() < 0.1
    assert small[:, 50, 130].max() < 0.1


def test_frames_and_slices_are_grey_three_times(tmp_path: Path) -> None:
    frames = [Image.fromarray(RNG.integers(0, 255, (24, 24), np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    grey = list(read_parts(tmp_path / "a.gif", [0, 2]))
    colour = list(read_parts(tmp_path / "a.gif", [0, 2], colour=True))
    for one, three in zip(grey, colour, strict=True):
        np.testing.assert_array_equal(three, np.stack([one] * 3))


def test_a_picture_of_one_colour_shows_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (7, 7, 7)).save(tmp_path / "a.png")
    with pytest.raises(RejectedImage):
        shown(tmp_path / "a.png")


def test_pixels_in_colour_are_normalised_by_channel(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    wanted = Preprocessing(16, (0.5, 0.4, 0.3), (0.5, 0.25, 0.2), colour=True)
    (pixels,) = load_pixels([tmp_path / "a.png"], wanted)
    for channel, plane in enumerate(as_planes(RGB).astype(np.float32)):
        expected = (whole(plane, 16) - wanted.mean[channel]) / wanted.std[channel]
        np.testing.assert_allclose(pixels[channel], expected, atol=1e-5)


def test_grey_preprocessing_says_what_it_always_said() -> None:
    assert Preprocessing(8, (0.5,), (0.5,)).plain() == {"size": 8, "mean": (0.5,), "std": (0.5,)}
    assert Preprocessing(8, colour=True).plain()["colour"] is True
