"""Files of every kind that are whole, empty, cut off, or made to unpack without end.

Files changed anywhere are read by the fuzzer in `tests/fuzz`.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import imagecodecs
import nibabel
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image

from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage

KINDS = ("jpg", "png", "deep.png", "tif", "deep.tif", "bmp", "gif", "webp", "nii", "nii.gz")
KINDS += ("dcm", "j2k.dcm", "mp4", "avi")


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, written: Callable[..., Path]
) -> dict[str, bytes]:
    """A small sound file of every kind."""
    place = tmp_path_factory.mktemp("whole")
    grey = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8)
    image, deep = Image.fromarray(grey), grey.astype(np.uint16) * 257
    made: dict[str, bytes] = {}
    for name in ("jpg", "png", "tif", "bmp", "gif", "webp"):
        several = {"save_all": True, "append_images": [image.rotate(180)]}
        image.save(place / f"a.{name}", **(several if name in ("gif", "webp") else {}))
    (place / "a.deep.png").write_bytes(imagecodecs.png_encode(np.stack([deep] * 3, -1)))
    tifffile.imwrite(place / "a.deep.tif", deep, compression="lzw")
    for name in ("nii", "nii.gz"):
        volume = np.stack([deep.astype(np.int16)] * 4, -1)
        nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), place / f"a.{name}")
    written(place / "a.dcm", deep, WindowCenter=9000, WindowWidth=9000)
    ds = pydicom.dcmread(place / "a.dcm")
    ds.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    coded = imagecodecs.jpeg2k_encode(deep, codecformat="j2k", reversible=True)
    ds.PixelData = pydicom.encaps.encapsulate([bytes(coded)])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(place / "a.j2k.dcm")
    for name, codec in (("mp4", "mpeg4"), ("avi", "mjpeg")):
        with av.open(place / f"a.{name}", "w") as output:
            stream = output.add_stream(codec, rate=5)
            stream.height, stream.width = grey.shape
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for _ in range(3):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
            output.mux(stream.encode())
    for name in KINDS:
        made[name] = (place / f"a.{name}").read_bytes()
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_read(whole: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "whole"
    path.write_bytes(whole[kind])
    assert read_picture(path).shape == (24, 32) if "nii" not in kind else (32, 24)


@pytest.mark.parametrize("kind", KINDS)
def test_empty_and_cut_off(whole: dict[str, bytes], tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    for share, reasons in ((0, ("empty",)), (0.8, ("truncated", "damaged"))):
        path.write_bytes(whole[kind][: int(len(whole[kind]) * share)])
        with pytest.raises(RejectedImage) as caught:
            read_picture(path)
        assert caught.value.reason in reasons


def bombs(folder: Path) -> list[Path]:
    """Files of a few KB that say they hold 60,000 x 60,000 pixels, or unpack to a gigabyte."""
    huge = 60_000

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return len(body).to_bytes(4) + checked + zlib.crc32(checked).to_bytes(4)

    header = huge.to_bytes(4) * 2
    rows = zlib.compress(bytes(1 << 20))
    made = {}
    for name, depth in (("bit.png", b"\1\0"), ("deep.png", b"\x10\2")):
        made[name] = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header + depth + b"\0\0\0")
        made[name] += chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    small = io.BytesIO()
    Image.new("L", (64, 64), 3).save(small, "JPEG")
    made["a.jpg"] = small.getvalue().replace(b"\x08\x00\x40\x00\x40", b"\x08\xea\x60\xea\x60", 1)
    small = io.BytesIO()
    Image.new("L", (64, 64), 3).save(small, "GIF")
    wide = huge.to_bytes(2, "little") * 2
    made["a.gif"] = small.getvalue().replace(b"\x40\0\x40\0", wide)
    text = zlib.compress(bytes(1 << 28), 1)
    small = io.BytesIO()
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(small, "PNG")
    sound = small.getvalue()
    made["text.png"] = sound[:33] + chunk(b"zTXt", b"note\0\0" + text) + sound[33:]
    volume = nibabel.Nifti1Image(np.zeros((16, 16, 4), np.int16), np.eye(4)).to_bytes()
    made["a.nii.gz"] = gzip.compress(volume + bytes(1 << 28), 1)
    paths = []
    for name, content in made.items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    return paths


def test_no_bomb_takes_memory(tmp_path: Path, processes: Any) -> None:
    """All of them, one after the other, in less than 300 MB at the most."""
    paths = bombs(tmp_path)
    assert max(path.stat().st_size for path in paths) < 2 << 20
    code = """
import sys
from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage
for path in sys.argv[1:]:
    try:
        read_picture(path, target=16)
        print("read")
    except RejectedImage as error:
        print(error.reason)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""
    *reasons, peak = processes.python(code, *paths).stdout.split()
    assert reasons[:4] == ["too_many_pixels"] * 4
    assert int(peak) < 300_000
