"""Slides: tissue tiles of SVS and OME-TIFF pyramids, exact in colour; broken ones are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from encoders.reading.kinds import kind_of
from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.slide import TILE

PINK = (214, 140, 190)


def glass(high: int = 640, wide: int = 900) -> np.ndarray:
    """White glass with a piece of stained tissue of 2 x 2 tiles, and a speck too small for one."""
    pixels = np.full((high, wide, 3), 245, np.uint8)
    rng = np.random.default_rng(5)
    tissue = np.array(PINK) + rng.integers(-25, 25, (2 * TILE, 2 * TILE, 1))
    pixels[: 2 * TILE, TILE : 3 * TILE] = tissue
    pixels[: TILE // 4, : TILE // 4] = PINK
    return pixels


def write_slide(path: Path, pixels: np.ndarray, *, kind: str = "svs", **more: Any) -> Path:
    """A pyramid of three sizes, each half of the one before, with a label beside it."""
    scale = more.pop("scale", 1.0)
    with tifffile.TiffWriter(path, ome=kind == "ome", bigtiff=more.pop("big", False)) as file:
        options = {"tile": (128, 128), "photometric": "rgb", **more}
        if kind == "ome":
            sizes = {"axes": "YXS", "PhysicalSizeX": scale, "PhysicalSizeXUnit": "µm"}
            file.write(pixels, subifds=2, metadata=sizes, **options)
            for step in (2, 4):
                file.write(pixels[::step, ::step], subfiletype=1, **options)
        else:
            about = f"Aperio Image Library v11\r\n900x640 |AppMag = 10|MPP = {scale}"
            file.write(pixels, description=about, metadata=None, **options)
            file.write(pixels[::8, ::8], description="Aperio", metadata=None)  # thumbnail
            for step in (2, 4):
                file.write(pixels[::step, ::step], description="Aperio", metadata=None, **options)
            file.write(np.full((64, 64, 3), 9, np.uint8), description="label 64x64", metadata=None)
    return path


@pytest.mark.parametrize("kind", ["svs", "ome"])
@pytest.mark.parametrize("more", [{}, {"compression": "deflate"}, {"big": True}])
def test_tiles_of_tissue_are_the_stored_pixels(
    tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    pixels = glass()
    path = write_slide(
        tmp_path / f"a.{'svs' if kind == 'svs' else 'ome.tif'}", pixels, kind=kind, **more
    )
    assert kind_of(path) == "slide"
    about = look(path)
    assert (about.parts, about.modality) == (4, "pathology")
    assert about.spacing == pytest.approx((0.001, 0.001))
    read = [*read_parts(path, range(4), colour=True)]
    for place, tile in enumerate(read):
        down, across = TILE * (place // 2), TILE * (1 + place % 2)
        stored = pixels[down : down + TILE, across : across + TILE]
        np.testing.assert_array_equal(np.round(tile * 255), np.moveaxis(stored, -1, 0))
    grey = read_picture(path, part=3)
    np.testing.assert_allclose(grey, np.tensordot([0.299, 0.587, 0.114], read[3], 1), atol=1e-6)


def test_a_finer_scan_is_read_at_the_same_magnification(tmp_path: Path) -> None:
    pixels = glass()
    fine = pixels.repeat(2, 0).repeat(2, 1)
    path = write_slide(tmp_path / "fine.svs", fine, scale=0.5)
    usual = write_slide(tmp_path / "usual.svs", pixels, scale=1.0)
    for one, other in zip(read_parts(path, range(4)), read_parts(usual, range(4)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_tile_at_the_edge_goes_on_in_white(tmp_path: Path) -> None:
    pixels = np.full((300, 300, 3), PINK, np.uint8)
    pixels[::7] -= 20
    tiles = [*read_parts(write_slide(tmp_path / "a.svs", pixels), [0, 3], colour=True)]
    assert tiles[1][:, 44:].min() == 1.0
    assert tiles[1][:, :44, :44].max() < 1.0


def broken(path: Path, cut: int) -> Path:
    path.write_bytes(path.read_bytes()[:-cut])
    return path


def test_bad_slides_are_refused_by_reason(tmp_path: Path) -> None:
    bare = write_slide(tmp_path / "bare.svs", np.full((600, 600, 3), 244, np.uint8))
    with pytest.raises(RejectedImage, match="no tissue") as caught:
        look(bare)
    assert caught.value.reason == "degenerate"
    # channels of fluorescence are no colours
    path = tmp_path / "channels.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        planes = np.zeros((4, 512, 512), np.uint16)
        file.write(planes, subifds=1, tile=(128, 128), metadata={"axes": "CYX"})
        file.write(planes[:, ::2, ::2], subfiletype=1, tile=(128, 128))
    with pytest.raises(RejectedImage) as caught:
        look(path)
    assert caught.value.reason == "not_an_image"
    with pytest.raises(RejectedImage) as caught:
        read_picture(write_slide(tmp_path / "few.svs", glass()), part=4)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("cut", [40_000, 1_000_000])
def test_a_slide_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = broken(write_slide(tmp_path / "cut.svs", glass()), cut)
    with pytest.raises(RejectedImage) as caught:
        [*read_parts(path, [0])]
    assert caught.value.reason in ("truncated", "damaged", "not_an_image")


def test_damaged_bytes_of_a_tile_are_refused(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "bad.svs", glass(), compression="deflate")
    with tifffile.TiffFile(path) as file:
        page = file.series[0].levels[0].keyframe
        at, size = page.dataoffsets[2], page.databytecounts[2]
    content = bytearray(path.read_bytes())
    content[at : at + size] = b"\x07" * size
    path.write_bytes(content)
    with pytest.raises(RejectedImage, match="damaged"):
        [*read_parts(path, [0])]


def test_a_plain_tiff_is_still_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, glass())
    assert kind_of(path) == "raster"
    assert read_picture(path).shape == (640, 900)
