"""Tiles of a picture are its cells, and a box lies in those that it touches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.image import Preprocessing
from encoders.reading import pixels as module
from encoders.reading.picture import Picture, read_parts
from encoders.reading.pixels import load_pixels
from encoders.reading.tiles import Tile
from encoders.reading.transforms import whole

SIDE = 32
PLAIN = Preprocessing(SIDE, (0.0,), (1.0,))
QUARTERS = [Tile(place, 2) for place in range(4)]


@pytest.mark.parametrize(("shape", "side"), [((8, 8), 2), ((9, 13), 2), ((3, 10, 11), 3)])
def test_tiles_cover_a_picture_once(shape: tuple[int, ...], side: int) -> None:
    picture = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    tiles = [Tile(place, side) for place in range(side**2)]
    rows = [
        np.concatenate([tile.cut(picture) for tile in tiles[start : start + side]], axis=-1)
        for start in range(0, side**2, side)
    ]
    np.testing.assert_array_equal(np.concatenate(rows, axis=-2), picture)
    height, width = shape[-2:]
    assert [tile.shape((height, width)) for tile in tiles] == [
        tile.cut(picture).shape[-2:] for tile in tiles
    ]


@pytest.mark.parametrize(
    ("box", "within"),
    [
        ((0.1, 0.2, 0.3, 0.4), [(0.2, 0.4, 0.6, 0.8), None, None, None]),
        ((0.75, 0.5, 1.0, 0.75), [None, None, None, (0.5, 0.0, 1.0, 0.5)]),
        (
            (0.25, 0.25, 0.75, 0.5),
            [(0.5, 0.5, 1.0, 1.0), (0.0, 0.5, 0.5, 1.0), None, None],
        ),
        ((0.0, 0.0, 1.0, 1.0), [(0.0, 0.0, 1.0, 1.0)] * 4),
    ],
)
def test_a_box_lies_in_the_tiles_it_touches(box, within) -> None:
    for tile, wanted in zip(QUARTERS, within, strict=True):
        found = tile.within(box)
        assert found == (wanted if wanted is None else pytest.approx(wanted))


@pytest.mark.parametrize("name", ["drawn.png", "drawn.bmp", "drawn.dcm"])
def test_tiles_of_a_drawn_picture_are_its_quarters(
    tmp_path: Path, written: Callable[..., Path], name: str
) -> None:
    drawn = np.random.default_rng(0).integers(0, 255, (2 * SIDE, 2 * SIDE), np.uint8)
    path = tmp_path / name
    if name.endswith(".dcm"):
        written(path, drawn.astype(np.uint16), Modality="CR")
    else:
        Image.fromarray(drawn).save(path)
    (grey,) = read_parts(path, [None])
    made = load_pixels([Picture(path, tile=tile) for tile in QUARTERS], PLAIN)
    quarters = [grey[:SIDE, :SIDE], grey[:SIDE, SIDE:], grey[SIDE:, :SIDE], grey[SIDE:, SIDE:]]
    np.testing.assert_array_equal(made[:, 0], np.stack(quarters))


def test_the_whole_and_its_tiles_stand_in_the_order_of_the_list(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 255, (70, 50), np.uint8)).save(tmp_path / name)
    asked = [
        Picture(tmp_path / "a.png", tile=Tile(3, 2)),
        Picture(tmp_path / "a.png"),
        Picture(tmp_path / "b.png", tile=Tile(0, 2)),
        Picture(tmp_path / "a.png", tile=Tile(4, 3)),
    ]
    together = load_pixels(asked, PLAIN, threads=2)
    for row, one in zip(together, asked, strict=True):
        np.testing.assert_array_equal(row, load_pixels([one], PLAIN)[0])
        (grey,) = read_parts(one.path, [None])
        shown = one.tile.cut(grey) if one.tile else grey
        np.testing.assert_array_equal(row[0], whole(shown, SIDE))


def test_a_file_is_read_once_and_large_enough_for_its_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = np.linspace(0, 255, 1024).astype(np.uint8)[None].repeat(1024, 0)
    Image.fromarray(smooth).save(tmp_path / "large.jpg")
    read = []

    def counted(*given, **options):
        for grey in read_parts(*given, **options):
            read.append(grey.shape)
            yield grey

    monkeypatch.setattr(module, "read_parts", counted)
    made = load_pixels([Picture(tmp_path / "large.jpg", tile=tile) for tile in QUARTERS], PLAIN)
    load_pixels([tmp_path / "large.jpg"], PLAIN)
    # an eighth at the least: wide enough for two tiles of 32 pixels, and for one
    assert read == [(128, 128), (128, 128)]
    load_pixels([Picture(tmp_path / "large.jpg", tile=Tile(0, 8))], PLAIN)
    assert read[-1] == (256, 256)
    assert made[0].max() < 0.55 < made[1].mean()
