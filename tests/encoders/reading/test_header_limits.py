"""Sizes and lengths a header states decide before anything is decoded; memory stays bounded."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from encoders.reading.picture import look, read_picture
from encoders.reading.rejected import RejectedImage

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path, target=32)
    assert caught.value.hint
    return caught.value.reason


def chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)


def png(side: int, depth: int, colour: int, samples: int) -> bytes:
    """A black PNG of any size in few bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side * samples * depth // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def small(kind: str) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32)).save(made, kind)
    return made.getvalue()


@pytest.fixture
def peak_of(processes: Any) -> Callable[..., tuple[list[str], int]]:
    """What came of reading each of some pictures, and the most memory it took, in bytes."""
    code = """
import sys
from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage
for path in sys.argv[1:]:
    try:
        read_picture(path)
        print("read")
    except RejectedImage as error:
        print(error.reason)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""

    def measure(*paths: Path) -> tuple[list[str], int]:
        done = processes.python(code, *paths)
        assert done.returncode == 0, done.stderr
        *said, peak = done.stdout.split()
        return said, int(peak) << 10

    return measure


def test_deep_colour_of_64_megapixels_is_refused_by_its_header(
    tmp_path: Path, peak_of: Callable[..., tuple[list[str], int]]
) -> None:
    for name, colour, samples in (("rgba.png", 6, 4), ("rgb.png", 2, 3)):
        (tmp_path / name).write_bytes(png(8000, 16, colour, samples))
    tall = np.zeros((7900, 8000, 4), np.uint16)
    tifffile.imwrite(tmp_path / "rgba.tif", tall, compression="zlib", photometric="rgb")
    said, peak = peak_of(*(tmp_path / name for name in ("rgba.png", "rgb.png", "rgba.tif")))
    assert said == ["too_many_pixels"] * 3
    assert peak < 150 << 20


def test_the_largest_picture_takes_twice_its_pixels(
    tmp_path: Path, peak_of: Callable[..., tuple[list[str], int]]
) -> None:
    """Four bytes a pixel decoded and four in grey."""
    (tmp_path / "rgba.png").write_bytes(png(8000, 8, 6, 4))
    (tmp_path / "grey.png").write_bytes(png(8000, 16, 0, 1))
    said, peak = peak_of(tmp_path / "rgba.png", tmp_path / "grey.png")
    assert said == ["degenerate"] * 2
    assert peak < 620 << 20


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iCCP", b"prVt"])
@pytest.mark.parametrize("deep", [False, True])
def test_gigabytes_beside_the_pixels_are_not_read(
    tmp_path: Path, kind: bytes, *, deep: bool, peak_of: Callable[..., tuple[list[str], int]]
) -> None:
    sound = small("PNG")
    if deep:
        sound = bytes(imagecodecs.png_encode(np.full((32, 32, 3), 7, np.uint16)))
    paths = []
    for length in (1 << 30, 20 << 20):
        paths.append(tmp_path / f"{length}.png")
        with paths[-1].open("wb") as file:
            file.write(sound[:33] + length.to_bytes(4) + kind)
            file.seek(length, os.SEEK_CUR)
            file.write(bytes(4) + sound[33:])
    said, peak = peak_of(*paths)
    assert said == ["too_many_pixels", "too_much_beside"]
    assert peak < 150 << 20


def test_many_segments_of_a_jpeg_are_not_kept(
    tmp_path: Path, peak_of: Callable[..., tuple[list[str], int]]
) -> None:
    sound = small("JPEG")
    long = b"\xff\xe1" + (65535).to_bytes(2) + b"Exif\0\0" + bytes(65527)
    for name, beside in (("long.jpg", long * 300), ("short.jpg", b"\xff\xe5\0\2" * 2_000_000)):
        (tmp_path / name).write_bytes(sound[:2] + beside + sound[2:])
    said, peak = peak_of(tmp_path / "long.jpg", tmp_path / "short.jpg")
    assert said == ["too_much_beside"] * 2
    assert peak < 150 << 20


def test_much_beside_a_webp_is_not_read(tmp_path: Path) -> None:
    made = io.BytesIO()
    picture = Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32))
    picture.save(made, "WEBP", lossless=True, exif=b"Exif\0\0" + bytes(20 << 20))
    (tmp_path / "a.webp").write_bytes(made.getvalue())
    assert reason(tmp_path / "a.webp") == "too_much_beside"


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"prVt"])
def test_a_block_longer_than_its_file_is_cut_off(tmp_path: Path, kind: bytes) -> None:
    sound = small("PNG")
    path = tmp_path / "a.png"
    path.write_bytes(sound[:33] + (3 << 30).to_bytes(4) + kind + sound[41:])
    assert reason(path) == "truncated"


@pytest.mark.parametrize("kind", [b"uuid", b"xml ", b"jp2h", b"colr"])
@pytest.mark.parametrize("extended", [False, True])
def test_a_box_longer_than_its_file_is_cut_off(tmp_path: Path, kind: bytes, extended: bool) -> None:
    sound = small("JPEG2000")
    path = tmp_path / "a.jp2"
    path.write_bytes(sound)
    assert read_picture(path).shape == (32, 32)
    at = sound.index(b"jp2h") + 4 if kind == b"colr" else sound.index(b"jp2h") - 4
    head = (1).to_bytes(4) + kind + (3 << 40).to_bytes(8) if extended else b"\xe0\0\0\0" + kind
    path.write_bytes(sound[:at] + head + sound[at:])
    assert reason(path) == "truncated"


def test_much_beside_a_jpeg_2000_is_not_read(tmp_path: Path) -> None:
    sound = small("JPEG2000")
    at = sound.index(b"jp2c") - 4
    box = (17 << 20).to_bytes(4) + b"uuid" + bytes((17 << 20) - 8)
    path = tmp_path / "a.jp2"
    path.write_bytes(sound[:at] + box + sound[at:])
    assert reason(path) == "too_much_beside"


def test_what_follows_the_end_of_a_png_is_no_block(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(small("PNG") + b"\xff" * 4096)
    assert read_picture(path).shape == (32, 32)


def test_usual_texts_and_profiles_are_no_matter(tmp_path: Path) -> None:
    sound = small("PNG")
    beside = chunk(b"tEXt", b"Comment\0" + bytes(1 << 16)) + chunk(b"prVt", bytes(8 << 20))
    (tmp_path / "a.png").write_bytes(sound[:33] + beside + sound[33:])
    (tmp_path / "b.png").write_bytes(sound)
    assert np.array_equal(read_picture(tmp_path / "a.png"), read_picture(tmp_path / "b.png"))
    jpeg = small("JPEG")
    segment = b"\xff\xe2" + (60000).to_bytes(2) + b"ICC_PROFILE\0\1\1" + bytes(59984)
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment * 20 + jpeg[2:])
    assert read_picture(tmp_path / "a.jpg").shape == (32, 32)


HOLES = {
    "cut": lambda data, at: data[:at] + data[at + 400 :],
    "zeros": lambda data, at: data[:at] + bytes(200) + data[at + 200 :],
    "noise": lambda data, at: data[:at] + np.random.default_rng(1).bytes(200) + data[at + 200 :],
}


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "progressive"])
def test_a_jpeg_with_a_hole_is_no_picture(tmp_path: Path, hole: str, mode: str) -> None:
    """Pillow shows grey, or all that follows in another place."""
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    made = io.BytesIO()
    picture = Image.fromarray(noise)
    if mode == "progressive":
        picture.save(made, "JPEG", progressive=True)
    else:
        picture.convert(mode).save(made, "JPEG")
    sound, path = made.getvalue(), tmp_path / "a.jpg"
    path.write_bytes(sound)
    assert read_picture(path).shape == (96, 128)
    path.write_bytes(HOLES[hole](sound, len(sound) // 2))
    assert reason(path) in ("damaged", "truncated")


def test_what_follows_the_end_of_a_jpeg_is_no_hole(tmp_path: Path) -> None:
    for number, more in enumerate((bytes(100), b"\xff\xff\xff", small("JPEG"))):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(small("JPEG") + more)
        assert read_picture(path).shape == (32, 32)


def test_thousands_of_passes_over_a_jpeg_are_not_made(tmp_path: Path) -> None:
    made = io.BytesIO()
    picture = Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64))
    picture.save(made, "JPEG", progressive=True)
    sound = made.getvalue()
    last = sound.rindex(b"\xff\xda")
    (tmp_path / "a.jpg").write_bytes(sound[:last] + sound[last:-2] * 600 + sound[-2:])
    assert reason(tmp_path / "a.jpg") == "damaged"


@pytest.mark.parametrize("kind", [np.complex64, np.complex128])
def test_complex_numbers_are_no_picture(tmp_path: Path, kind: type) -> None:
    values = np.exp(1j * np.linspace(0, 6, 4096)).reshape(64, 64).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert reason(tmp_path / "a.tif") == "not_an_image"


def test_one_bit_is_black_and_white_however_it_is_turned(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random((40, 24)) > 0.5
    for turn in (1, 3, 6):
        path = tmp_path / f"{turn}.tif"
        tag = [(274, 3, 1, turn, True)]
        tifffile.imwrite(path, bits, photometric="minisblack", extratags=tag)
        grey = read_picture(path)
        assert (grey.min(), grey.max()) == (0, 1)
        assert grey.mean() == pytest.approx(bits.mean())


def test_look_says_nothing_of_a_still_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(small("PNG"))
    assert look(tmp_path / "a.png").parts == 1


@pytest.mark.parametrize("copies", [1, 3])
def test_a_png_whose_pixels_have_a_wrong_checksum_is_damaged(tmp_path: Path, copies: int) -> None:
    sound = small("PNG")
    start = sound.index(b"IDAT") - 4
    end = start + 12 + int.from_bytes(sound[start : start + 4])
    wrong = sound[start : end - 4] + bytes(byte ^ 1 for byte in sound[end - 4 : end])
    path = tmp_path / "a.png"
    # copies of the pixels before the right ones, of which the decoder shows the first
    path.write_bytes(sound[:start] + wrong * copies + sound[start if copies > 1 else end :])
    with pytest.raises(RejectedImage, match=r"checksum.*\[damaged\]"):
        read_picture(path)
    path.write_bytes(sound)
    assert read_picture(path).shape == (32, 32)
