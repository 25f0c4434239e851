"""Pictures of every mode give one array; bad files are refused by reason."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageOps

from encoders.reading.picture import read_picture
from encoders.reading.raster import raster_shape, read_raster
from encoders.reading.rejected import RejectedImage
from kg.errors import InputError

SHAPE = (24, 40)


@pytest.fixture
def eight() -> np.ndarray:
    """An 8-bit picture without any symmetry."""
    return np.random.default_rng(7).integers(0, 256, SHAPE, dtype=np.uint8)


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert isinstance(caught.value, InputError)
    return caught.value.reason


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_grey_png_is_scaled_by_255(tmp_path: Path, eight: np.ndarray) -> None:
    grey = read_picture(save(tmp_path / "a.png", Image.fromarray(eight)))
    assert grey.dtype == np.float32
    assert grey.shape == SHAPE
    np.testing.assert_allclose(grey, eight / 255, atol=1e-7)


def modes(eight: np.ndarray) -> dict[str, tuple[str, Image.Image]]:
    grey = Image.fromarray(eight)
    opaque = Image.new("L", grey.size, 255)
    sixteen = Image.fromarray(eight.astype(np.uint16) * 257)
    palette = Image.fromarray(255 - eight, "P")
    palette.putpalette([value for level in range(255, -1, -1) for value in (level,) * 3])
    return {
        "RGB": ("png", grey.convert("RGB")),
        "RGBA": ("png", Image.merge("RGBA", (grey, grey, grey, opaque))),
        "LA": ("png", Image.merge("LA", (grey, opaque))),
        "P": ("png", palette),
        "I;16": ("png", sixteen),
        "I;16 tiff": ("tiff", sixteen),
        "I tiff": ("tiff", Image.fromarray(eight.astype(np.int32) * 257)),
        "F tiff": ("tiff", Image.fromarray((eight / 255).astype(np.float32))),
        "F tiff to 255": ("tiff", Image.fromarray(eight.astype(np.float32))),
        "CMYK tiff": ("tiff", grey.convert("RGB").convert("CMYK")),
        "L bmp": ("bmp", grey),
        "L webp": ("webp", grey.convert("RGB")),
    }


@pytest.mark.parametrize("mode", list(modes(np.zeros(SHAPE, np.uint8))))
def test_one_picture_in_every_mode_is_one_array(
    tmp_path: Path, eight: np.ndarray, mode: str
) -> None:
    eight[0, :2] = 0, 255
    ending, image = modes(eight)[mode]
    options = {"lossless": True, "exact": True} if ending == "webp" else {}
    grey = read_picture(save(tmp_path / f"a.{ending}", image, **options))
    np.testing.assert_allclose(grey, eight / 255, atol=1e-6)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_spread_over_the_range(tmp_path: Path, bits: int) -> None:
    levels = 2**bits
    values = np.random.default_rng(bits).integers(0, levels, SHAPE)
    path = tmp_path / "a.png"
    path.write_bytes(png(values, bits))
    np.testing.assert_allclose(read_picture(path), values / (levels - 1), atol=1e-6)


def png(values: np.ndarray, bits: int) -> bytes:
    """A grey PNG of a bit depth Pillow does not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    height, width = values.shape
    spread = ((values[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row.astype(np.uint8)).tobytes() for row in spread)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_sixteen_bit_is_not_clipped(tmp_path: Path) -> None:
    values = np.arange(24 * 40, dtype=np.uint16).reshape(SHAPE) * 60
    grey = read_picture(save(tmp_path / "a.png", Image.fromarray(values)))
    np.testing.assert_allclose(grey, values / 65535, atol=1e-7)
    assert len(np.unique(grey)) == values.size


def test_transparency_shows_black(tmp_path: Path, eight: np.ndarray) -> None:
    alpha = np.full(SHAPE, 255, np.uint8)
    alpha[:, 20:] = 0
    image = Image.merge("LA", (Image.fromarray(eight), Image.fromarray(alpha)))
    grey = read_picture(save(tmp_path / "a.png", image))
    np.testing.assert_allclose(grey[:, :20], eight[:, :20] / 255, atol=1e-6)
    assert not grey[:, 20:].any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    values = np.zeros((32, 48), np.uint8)
    values[:8, :8], values[:8, -8:] = 255, 120
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(values)
    turned = read_picture(save(tmp_path / "a.jpg", stored, exif=exif, quality=95))
    expected = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    np.testing.assert_allclose(turned, np.asarray(expected) / 255, atol=1e-6)
    assert turned.shape == ((32, 48) if orientation < 5 else (48, 32))


def test_large_jpeg_is_decoded_smaller_when_a_target_is_given(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 1600), (1200, 1)).astype(np.uint8)
    path = save(tmp_path / "a.jpg", Image.fromarray(ramp).convert("RGB"), quality=95)
    small = read_raster(path, target=224)
    assert small.shape == (300, 400)
    assert read_raster(path).shape == (1200, 1600)
    np.testing.assert_allclose(small[0], ramp[0, 2::4] / 255, atol=0.02)


def test_cmyk_jpeg_reads_like_its_grey_twin(tmp_path: Path) -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 64), (32, 1)).astype(np.uint8))
    path = save(tmp_path / "a.jpg", ramp.convert("RGB").convert("CMYK"), quality=98)
    np.testing.assert_allclose(read_picture(path), np.asarray(ramp) / 255, atol=0.03)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert reason(tmp_path / "a.png") == "empty"


def test_missing_file(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.png") == "missing"
    assert reason(tmp_path / ("n" * 300)) in ("missing", "not_readable")


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (PermissionError(13, "Permission denied"), "not_readable", "Permission denied"),
        (RuntimeError("CANARY^PATIENT"), "damaged", "RuntimeError"),
    ],
)
def test_whatever_a_library_raises_is_a_refusal(
    tmp_path: Path,
    eight: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
    detail: str,
) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(eight))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("encoders.reading.picture.read_raster", fail)
    with pytest.raises(RejectedImage, match=detail) as caught:
        read_picture(path)
    assert caught.value.reason == code
    assert "CANARY" not in str(caught.value)


def test_a_still_has_one_part(tmp_path: Path, eight: np.ndarray) -> None:
    path = save(tmp_path / "a.png", Image.fromarray(eight))
    np.testing.assert_array_equal(read_picture(path, part=0), read_picture(path))
    with pytest.raises(RejectedImage, match="one picture"):
        read_picture(path, part=1)


@pytest.mark.parametrize("kind", ["jpg", "png", "tiff", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_cut_off_file(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 200), dtype=np.uint8)
    whole = save(tmp_path / f"whole.{kind}", Image.fromarray(noise)).read_bytes()
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert reason(cut) in ("truncated", "damaged")


def test_half_a_jpeg_is_truncated_also_with_a_target(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (600, 600), dtype=np.uint8)
    whole = save(tmp_path / "whole.jpg", Image.fromarray(noise)).read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    assert reason(cut) == "truncated"
    with pytest.raises(RejectedImage, match="truncated"):
        read_picture(cut, target=64)


def test_type_is_told_by_content(tmp_path: Path, eight: np.ndarray) -> None:
    Image.fromarray(eight).save(tmp_path / "a.jpg", "PNG")
    np.testing.assert_allclose(read_picture(tmp_path / "a.jpg"), eight / 255, atol=1e-7)
    for name, content in (("a.png", "hello"), ("b.png", "<html><body>404</body></html>")):
        (tmp_path / name).write_text(content)
        assert reason(tmp_path / name) == "not_an_image"


def test_pixel_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    body = png(np.zeros((1, 8), int), 1)
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    head = b"IHDR" + size
    path.write_bytes(body[:12] + head + struct.pack(">I", zlib.crc32(head)) + body[33:])
    assert reason(path) == "too_many_pixels"


@pytest.mark.parametrize("value", [0.25, np.nan, np.inf])
def test_nothing_to_see(tmp_path: Path, value: float) -> None:
    values = np.full(SHAPE, 0.25, np.float32)
    values[3, 3] = value
    assert reason(save(tmp_path / "a.tiff", Image.fromarray(values))) == "degenerate"


def test_constant_picture(tmp_path: Path) -> None:
    assert reason(save(tmp_path / "a.png", Image.new("RGB", (64, 64), "grey"))) == "degenerate"


@pytest.mark.parametrize("size", [(1, 1), (5000, 7)])
def test_too_small_a_side(tmp_path: Path, size: tuple[int, int]) -> None:
    values = np.random.default_rng(0).integers(0, 256, size[::-1], dtype=np.uint8)
    assert reason(save(tmp_path / "a.png", Image.fromarray(values))) == "too_small"


@pytest.mark.parametrize(
    "name", ["with space.png", "zwei\nZeilen.png", "胸片 é.png", "n" * 251 + ".png"]
)
def test_odd_names(tmp_path: Path, eight: np.ndarray, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(eight).save(path, "PNG")
    assert read_picture(path).shape == SHAPE
    path.write_bytes(b"")
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert "\n" not in caught.value.message


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a colour `[H, W, 2 | 3 | 4]`."""
    return bytes(imagecodecs.png_encode(values))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bit_colour_and_alpha_png(tmp_path: Path, channels: int) -> None:
    values = np.random.default_rng(channels).integers(0, 65536, (*SHAPE, channels), np.uint16)
    (tmp_path / "a.png").write_bytes(deep_png(values))
    shown = values / 65535
    grey = shown[..., :3] @ [0.299, 0.587, 0.114] if channels > 2 else shown[..., 0]
    grey = grey * (shown[..., -1] if channels != 3 else 1)
    np.testing.assert_allclose(read_picture(tmp_path / "a.png"), grey, atol=1e-6)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    assert reason(tmp_path / "a.png") == "truncated"


TYPES = {
    "uint16": (np.uint16, 65535, {}),
    "uint16 white is zero": (np.uint16, 65535, {"photometric": "miniswhite"}),
    "uint8 white is zero": (np.uint8, 255, {"photometric": "miniswhite"}),
    "uint32": (np.uint32, 2**32 - 1, {}),
    "int16": (np.int16, 32767, {}),
    "float16": (np.float16, 1, {}),
    "float64": (np.float64, 1, {}),
    "big": (np.uint16, 65535, {"bigtiff": True}),
    "big endian": (np.uint16, 65535, {"byteorder": ">"}),
    "tiles": (np.uint16, 65535, {"tile": (16, 16)}),
    "lzw": (np.uint16, 65535, {"compression": "lzw", "predictor": True}),
    "deflate": (np.float32, 1, {"compression": "zlib", "predictor": True}),
    "zstd": (np.uint16, 65535, {"compression": "zstd"}),
    "jpeg 2000": (np.uint16, 65535, {"compression": "jpeg2000"}),
    "twelve bits": (np.uint16, 4095, {"bitspersample": 12}),
}


NO_COLOUR = ("uint16 white is zero", "uint8 white is zero", "twelve bits")


@pytest.mark.parametrize(
    ("name", "colour"),
    [(name, colour) for name in TYPES for colour in {False, name not in NO_COLOUR}],
)
def test_tiff_of_every_type(tmp_path: Path, eight: np.ndarray, name: str, colour: bool) -> None:
    kind, top, options = TYPES[name]
    eight[0, :2] = 0, 255
    values = (eight / 255 * top).astype(kind)
    if "white" in name:
        values = top - values
    if colour:
        values = np.stack([values] * 3, axis=-1)
        options = {**options, "photometric": "rgb"}
    tifffile.imwrite(tmp_path / "a.png", values, **options)
    grey = read_picture(tmp_path / "a.png")
    np.testing.assert_allclose(grey, eight / 255, atol=1e-3 if kind == np.float16 else 3e-4)


def test_colours_side_by_side_or_one_after_the_other(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (*SHAPE, 3), np.uint16)
    luma = values @ [0.299, 0.587, 0.114] / 65535
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif"), luma, atol=1e-6)
    apart = np.moveaxis(values, -1, 0)
    tifffile.imwrite(tmp_path / "b.tif", apart, photometric="rgb", planarconfig="separate")
    np.testing.assert_allclose(read_picture(tmp_path / "b.tif"), luma, atol=1e-6)
    small = (apart >> 8).astype(np.uint8)
    tifffile.imwrite(tmp_path / "c.tif", small, photometric="rgb", planarconfig="separate")
    np.testing.assert_allclose(read_picture(tmp_path / "c.tif"), luma, atol=5e-3)


def test_deep_separated_colours_and_transparency(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    four = rng.integers(0, 65536, (*SHAPE, 4), np.uint16)
    shown = four / 65535
    tifffile.imwrite(tmp_path / "a.tif", four, photometric="separated")
    luma = ((1 - shown[..., :3]) * (1 - shown[..., 3:])) @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif"), luma, atol=1e-6)
    tifffile.imwrite(tmp_path / "b.tif", four, photometric="rgb", extrasamples=["unassalpha"])
    over = shown[..., :3] @ [0.299, 0.587, 0.114] * shown[..., 3]
    np.testing.assert_allclose(read_picture(tmp_path / "b.tif"), over, atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_deep_pictures(tmp_path: Path, orientation: int) -> None:
    values = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    tag = [(274, "H", 1, orientation, True)]
    for name, stored in (("a", values), ("b", values.astype(np.uint16) * 257)):
        tifffile.imwrite(tmp_path / f"{name}.tif", stored, extratags=tag)
    shallow, deep = (read_picture(tmp_path / f"{name}.tif") for name in "ab")
    np.testing.assert_allclose(deep, shallow, atol=1e-6)
    assert deep.shape == (SHAPE if orientation < 5 else SHAPE[::-1])
    exif = Image.Exif()
    exif[274] = orientation
    twin = ImageOps.exif_transpose(with_exif(Image.fromarray(values), exif))
    np.testing.assert_allclose(deep, np.asarray(twin) / 255, atol=1e-6)
    palette = Image.fromarray(255 - values, "P")
    palette.putpalette([level for level in range(255, -1, -1) for _ in range(3)])
    palette.save(tmp_path / "c.tif", exif=exif)
    np.testing.assert_allclose(read_picture(tmp_path / "c.tif"), deep, atol=1e-6)


def with_exif(image: Image.Image, exif: Image.Exif) -> Image.Image:
    """The image read back from a PNG, which Pillow turns as it should."""
    made = io.BytesIO()
    image.save(made, "PNG", exif=exif)
    return Image.open(made)


@pytest.mark.parametrize("form", ["j2k", "jp2"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_jpeg_2000_is_decoded_smaller_when_a_target_is_given(
    tmp_path: Path, form: str, kind: type[np.unsignedinteger]
) -> None:
    ramp = np.tile(np.linspace(0, np.iinfo(kind).max, 640), (480, 1)).astype(kind)
    coded = imagecodecs.jpeg2k_encode(ramp, codecformat=form, reversible=True)
    (tmp_path / "a.jpg").write_bytes(coded)
    shown = ramp / np.iinfo(kind).max
    np.testing.assert_allclose(read_picture(tmp_path / "a.jpg"), shown, atol=1e-6)
    small = read_picture(tmp_path / "a.jpg", target=100)
    assert small.shape == (120, 160)
    np.testing.assert_allclose(small[:, 1:-1], shown[::4, 4:-4:4], atol=0.01)


def test_first_of_several_pages(tmp_path: Path, eight: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([eight, 255 - eight]).astype(np.uint16) * 257)
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif"), eight / 255, atol=1e-6)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
@pytest.mark.parametrize("options", [{}, {"compression": "lzw"}])
def test_a_deep_tiff_cut_off(tmp_path: Path, share: float, options: dict[str, str]) -> None:
    noise = np.random.default_rng(1).integers(0, 65536, (200, 200), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", noise, **options)
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: int(len(whole) * share)])
    assert reason(tmp_path / "a.tif") in ("truncated", "damaged")


def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 46086
    Image.effect_noise((32, 24), 50).save(tmp_path / "a.png", exif=exif)
    assert read_raster(tmp_path / "a.png").shape == raster_shape(tmp_path / "a.png") == (24, 32)


@pytest.mark.parametrize("tag", [284, 278])
def test_a_tiff_that_lacks_parts_of_its_picture_is_damaged(tmp_path: Path, tag: int) -> None:
    """Planes by the planar configuration, or strips by the rows of one, that are not there."""
    path = tmp_path / "a.tif"
    colours = np.random.default_rng(0).integers(0, 60_000, (24, 32, 3), dtype=np.uint16)
    tifffile.imwrite(path, colours, photometric="rgb", compression="lzw", rowsperstrip=24)
    read_raster(path)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags[tag].overwrite(2 if tag == 284 else 4)
    with pytest.raises(RejectedImage, match=r"parts of the picture are missing.*\[damaged\]"):
        read_raster(path)


@pytest.mark.parametrize("side", [60_000, 200_000])
def test_a_tiff_that_promises_too_much(tmp_path: Path, side: int) -> None:
    for name, kind in (("a", np.uint8), ("b", np.uint16)):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((16, 16), kind))
        with tifffile.TiffFile(tmp_path / f"{name}.tif", mode="r+b") as file:
            for tag in (256, 257):
                file.pages.first.tags[tag].overwrite(side, dtype="I")
        assert reason(tmp_path / f"{name}.tif") == "too_many_pixels"
