"""Every transfer syntax that can be decoded gives the picture that was put in; no bomb goes off."""

from __future__ import annotations

import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import _PIXEL_DATA_DECODERS

from encoders.reading.dicom_pixels import NATIVE, codestream
from encoders.reading.picture import read_picture
from encoders.reading.rejected import RejectedImage

Written = Callable[..., Path]
JPEG, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
RUNS = "1.2.840.10008.1.2.5"  # run lengths, which state no size
J2K, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"


def run_lengths(values: np.ndarray) -> bytes:
    """RLE of 16-bit values: a segment of high bytes and one of low bytes, row by row."""
    segments = []
    for part in (values >> 8, values & 255):
        rows = [imagecodecs.packbits_encode(row.astype(np.uint8).tobytes()) for row in part]
        coded = b"".join(rows)
        segments.append(coded + b"\0" * (len(coded) % 2))
    header = np.zeros(16, "<u4")
    header[:3] = 2, 64, 64 + len(segments[0])
    return header.tobytes() + b"".join(segments)


LOSSLESS = {"codecformat": "j2k", "reversible": True, "bitspersample": 12}
ENCODERS: dict[str, tuple[Callable[[np.ndarray], bytes], float]] = {
    JPEG: (lambda a: imagecodecs.jpeg8_encode((a >> 4).astype(np.uint8), level=98), 0.02),
    EXTENDED: (lambda a: imagecodecs.jpeg_encode(a, bitspersample=12, level=98), 0.02),
    "1.2.840.10008.1.2.4.57": (lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), 0),
    "1.2.840.10008.1.2.4.70": (lambda a: imagecodecs.ljpeg_encode(a, bitspersample=12), 0),
    "1.2.840.10008.1.2.4.80": (imagecodecs.jpegls_encode, 0),
    "1.2.840.10008.1.2.4.81": (lambda a: imagecodecs.jpegls_encode(a, level=2), 0.001),
    J2K: (lambda a: imagecodecs.jpeg2k_encode(a, **LOSSLESS), 0),
    "1.2.840.10008.1.2.4.91": (
        lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", level=90, bitspersample=12),
        0.01,
    ),
    HTJ2K: (imagecodecs.htj2k_encode, 0),
    "1.2.840.10008.1.2.4.202": (imagecodecs.htj2k_encode, 0),
    "1.2.840.10008.1.2.4.203": (imagecodecs.htj2k_encode, 0),
    RUNS: (run_lengths, 0),
}


@pytest.fixture
def scan() -> np.ndarray:
    """A smooth picture of 12 bits with a bright corner."""
    down, across = np.mgrid[:96, :80]
    values = (1500 + 1000 * np.sin(down / 9) * np.cos(across / 11)).astype(np.uint16)
    values[:8, :16] = 4000
    return values


@pytest.fixture
def compressed(written: Written, tmp_path: Path) -> Callable[..., Path]:
    """Writes a picture in a transfer syntax, windowed over its 12 bits."""

    def write(values: np.ndarray, syntax: str, coded: bytes | None = None, **more: Any) -> Path:
        path = written(tmp_path / f"{syntax}.dcm", values, WindowCenter=2048, WindowWidth=4096)
        ds = pydicom.dcmread(path)
        eight = syntax == JPEG
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = (8, 8, 7) if eight else (16, 12, 11)
        if eight:
            ds.WindowCenter, ds.WindowWidth = 128, 256
        ds.file_meta.TransferSyntaxUID = syntax
        if syntax not in NATIVE:
            ds["PixelData"].VR = "OB"
            ds["PixelData"].is_undefined_length = True
            ds.PixelData = encapsulate([coded or ENCODERS[syntax][0](values)])
        for name, value in more.items():
            ds.add_new(name, "US" if isinstance(value, int) else "DS", value)
        big = syntax == "1.2.840.10008.1.2.2"
        if big:
            ds.PixelData = values.astype(">u2").tobytes()
        implicit = syntax == "1.2.840.10008.1.2"
        pydicom.dcmwrite(path, ds, implicit_vr=implicit, little_endian=not big)
        return path

    return write


def test_every_syntax_of_the_decoders_is_tried() -> None:
    assert {*ENCODERS, *NATIVE, "1.2.840.10008.1.2.2"} >= set(_PIXEL_DATA_DECODERS)


@pytest.mark.parametrize("syntax", [*ENCODERS, *NATIVE, "1.2.840.10008.1.2.2"])
def test_the_picture_that_was_put_in(
    compressed: Callable[..., Path], scan: np.ndarray, syntax: str
) -> None:
    grey = read_picture(compressed(scan, syntax))
    loss = ENCODERS.get(syntax, (None, 0))[1]
    np.testing.assert_allclose(grey, scan / 4095, atol=loss + (1e-2 if syntax == JPEG else 1e-6))


@pytest.mark.parametrize("syntax", [JPEG, J2K, "1.2.840.10008.1.2.4.91"])
def test_decoded_smaller_where_that_is_enough(
    compressed: Callable[..., Path], scan: np.ndarray, syntax: str
) -> None:
    large = np.kron(scan, np.ones((8, 8), np.uint16))
    path = compressed(large, syntax)
    whole, small = read_picture(path), read_picture(path, target=80)
    assert (whole.shape, small.shape) == ((768, 640), (96, 80))
    np.testing.assert_allclose(small[10:, 18:], scan[10:, 18:] / 4095, atol=0.03)
    np.testing.assert_allclose(small[:6, :14], scan[:6, :14] / 4095, atol=0.03)
    assert read_picture(path, target=161).shape == (384, 320)
    assert read_picture(path, target=321).shape == (768, 640)


@pytest.mark.parametrize("fields", [{"WindowWidth": None}, {"PixelPaddingValue": 0}])
def test_decoded_whole_where_its_range_or_places_matter(
    compressed: Callable[..., Path], scan: np.ndarray, fields: dict[str, Any]
) -> None:
    path = compressed(np.kron(scan, np.ones((4, 4), np.uint16)), J2K, **fields)
    assert read_picture(path, target=80).shape == (384, 320)


@pytest.mark.parametrize("syntax", [one for one in ENCODERS if one != RUNS])
def test_a_frame_larger_than_its_header_says(
    compressed: Callable[..., Path], scan: np.ndarray, syntax: str
) -> None:
    encode = ENCODERS[syntax][0]
    assert codestream(encode(scan))[:2] == (80, 96)
    path = compressed(scan, syntax, encode(np.kron(scan, np.ones((4, 4), np.uint16))))
    with pytest.raises(RejectedImage, match="320 x 384, while its header says 80 x 96") as caught:
        read_picture(path)
    assert caught.value.reason == "damaged"


@pytest.mark.parametrize("syntax", list(ENCODERS))
def test_a_frame_cut_off(compressed: Callable[..., Path], scan: np.ndarray, syntax: str) -> None:
    """Never a picture that is partly made up."""
    noise = np.random.default_rng(0).integers(1000, 4096, scan.shape, np.uint16)
    coded = ENCODERS[syntax][0](noise)
    path = compressed(noise, syntax, bytes(coded[: len(coded) // 3]))
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert caught.value.reason == ("damaged" if syntax == RUNS else "truncated")


def test_a_deflated_bomb_is_not_inflated(
    compressed: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("encoders.reading.dicom_header.INFLATED", 32 << 20)
    path = compressed(np.ones((16, 16), np.uint16), "1.2.840.10008.1.2.1.99")
    whole = path.read_bytes()
    start = 144 + int(pydicom.filereader.read_file_meta_info(path).FileMetaInformationGroupLength)
    inside = zlib.decompress(whole[start:], -15)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(inside)
    bomb += b"".join(packer.compress(bytes(1 << 24)) for _ in range(3)) + packer.flush()
    path.write_bytes(whole[:start] + bomb)
    assert path.stat().st_size < 3 << 20
    tracemalloc.start()
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == "too_many_pixels"
    assert peak < 8 << 20


def of_the_library() -> Iterator[Path]:
    yield from sorted((Path(pydicom.data.__file__).parent / "test_files").rglob("*.dcm"))


NO_PICTURE = "liver rtdose rtplan rtstruct SR ecg DICOMDIR reports badVR priv_SQ meta UN_seq"
EXPECTED = {
    # segmentations, doses, plans, reports, curves, and headers without a picture
    "not_an_image": (*NO_PICTURE.split(), "charset", "NoMeta"),
    "too_small": ("SC_rgb_small",),
    "truncated": ("MR_truncated",),
    # neither is read by pydicom with any of its decoders
    "damaged": ("JPEG-lossy", "embedded-sequence-delimiter"),
}


def test_files_of_the_library_are_read_or_refused_by_reason() -> None:
    read, refused = set(), {}
    for path in of_the_library():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                grey = read_picture(path)
        except RejectedImage as error:
            refused[path.name] = error.reason
        else:
            assert grey.dtype == np.float32
            assert 0 <= grey.min() < grey.max() <= 1
            read.add(path.name)
    assert len(read) >= 47
    for name, why in refused.items():
        parts = next((parts for reason, parts in EXPECTED.items() if reason == why), ())
        assert any(part in name for part in parts), (name, why)


def ramp_of(bits: int, signed: bool) -> np.ndarray:
    """Every 16th part of the values that so many bits can hold."""
    values = np.linspace(0, 2**bits - 1, 24 * 20).astype(int).reshape(24, 20)
    return values - (2 ** (bits - 1) if signed else 0)


WHOLE: dict[str, Callable[[np.ndarray], bytes] | None] = {
    "1.2.840.10008.1.2.1": None,
    RUNS: run_lengths,
    "1.2.840.10008.1.2.4.70": lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
    "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    J2K: lambda a: imagecodecs.jpeg2k_encode(
        a, codecformat="j2k", reversible=True, bitspersample=16
    ),
    HTJ2K: imagecodecs.htj2k_encode,
}
"""Lossless syntaxes, and how all 16 bits of a value are put in."""


@pytest.fixture
def stored(written: Written, tmp_path: Path) -> Callable[..., Path]:
    """Writes 16-bit words in a syntax, windowed over the values their stored bits hold."""

    def write(words: np.ndarray, syntax: str, bits: int, high: int, signed: bool = False) -> Path:
        path = written(
            tmp_path / f"{syntax}.dcm",
            words.astype(np.uint16),
            BitsStored=bits,
            HighBit=high,
            PixelRepresentation=int(signed),
            WindowCenter=0 if signed else 2 ** (bits - 1),
            WindowWidth=2**bits,
        )
        encode = WHOLE[syntax]
        if encode is not None:
            ds = pydicom.dcmread(path)
            ds.file_meta.TransferSyntaxUID = syntax
            ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
            ds.PixelData = encapsulate([encode(words.astype(np.uint16))])
            ds.save_as(path)
        return path

    return write


@pytest.mark.parametrize("syntax", WHOLE)
@pytest.mark.parametrize(
    ("bits", "signed", "junk"),
    [(12, False, 1 << 15), (12, True, 0), (10, True, 0), (12, True, 0xA000), (9, False, 0x7E00)],
)
def test_bits_that_are_not_stored_are_not_shown(
    stored: Callable[..., Path], syntax: str, bits: int, signed: bool, junk: int
) -> None:
    """Old overlays above the stored bits, and signs that are not extended."""
    values = ramp_of(bits, signed)
    words = values & (2**bits - 1)
    words[:, ::2] |= junk
    grey = read_picture(stored(words, syntax, bits, bits - 1, signed))
    np.testing.assert_allclose(grey, (values - values.min()) / (2**bits - 1), atol=1e-6)


@pytest.mark.parametrize("syntax", WHOLE)
@pytest.mark.parametrize(
    ("bits", "high", "signed", "junk"),
    [(12, 15, False, 0), (12, 13, False, 0x8001), (8, 15, False, 0), (12, 15, True, 0x000F)],
)
def test_stored_bits_end_at_the_high_bit(
    stored: Callable[..., Path], syntax: str, bits: int, high: int, signed: bool, junk: int
) -> None:
    values = ramp_of(bits, signed)
    words = (values & (2**bits - 1)) << (high - bits + 1)
    words[:, ::2] |= junk
    grey = read_picture(stored(words, syntax, bits, high, signed))
    np.testing.assert_allclose(grey, (values - values.min()) / (2**bits - 1), atol=1e-6)


def test_a_high_bit_outside_the_values_is_refused(stored: Callable[..., Path]) -> None:
    with pytest.raises(RejectedImage, match="HighBit is 16, while a value has 16 bits"):
        read_picture(stored(ramp_of(12, False), "1.2.840.10008.1.2.1", 12, 16))


@pytest.mark.parametrize("syntax", [J2K, "1.2.840.10008.1.2.4.57"])
def test_a_frame_of_the_stored_bits_alone_has_none_below(
    compressed: Callable[..., Path], scan: np.ndarray, syntax: str
) -> None:
    grey = read_picture(compressed(scan, syntax, HighBit=15))
    np.testing.assert_allclose(grey, scan / 4095, atol=1e-6)


def test_bits_that_are_not_stored_are_not_averaged(
    stored: Callable[..., Path], scan: np.ndarray
) -> None:
    large = np.kron(scan, np.ones((4, 4), np.uint16))
    words = large | (np.arange(large.shape[1]) % 2 << 15).astype(np.uint16)
    grey = read_picture(stored(words, J2K, 12, 11), target=80)
    np.testing.assert_allclose(grey, large / 4095, atol=1e-6)


LOSSY_OF_16_BITS = {
    "1.2.840.10008.1.2.4.81": lambda a: imagecodecs.jpegls_encode(a, level=3),
    "1.2.840.10008.1.2.4.91": lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k", level=70),
}


@pytest.mark.parametrize("syntax", LOSSY_OF_16_BITS)
def test_an_overshoot_of_a_lossy_frame_stays_white(
    compressed: Callable[..., Path], scan: np.ndarray, syntax: str
) -> None:
    sharp = np.where(scan > 1500, 4095, 0).astype(np.uint16)
    encode = LOSSY_OF_16_BITS[syntax]
    grey = read_picture(compressed(sharp, syntax, encode(sharp)))
    np.testing.assert_allclose(grey, sharp / 4095, atol=0.05)
    with pytest.raises(RejectedImage, match="beyond the 12 bits of BitsStored"):
        read_picture(compressed(sharp, syntax, encode(sharp | 1 << 15)))
