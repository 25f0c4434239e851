"""DICOM pictures: polarity, rescale, window, frames, colour; refusals; no patient data anywhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import (
    ImplicitVRLittleEndian,
    RLELossless,
    SMPTEST211020UncompressedProgressiveActiveVideo,
)

from encoders.reading import dicom
from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage

CANARY = "CANARY^PATIENT"
Written = Callable[..., Path]


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(20 * 30, dtype=np.uint16).reshape(20, 30) * 5


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert CANARY not in str(caught.value)
    return caught.value.reason


def test_without_window_the_frame_spans_the_range(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    grey = read_picture(written(tmp_path / "a.dcm", ramp))
    assert grey.dtype == np.float32
    np.testing.assert_allclose(grey, ramp / ramp.max(), atol=1e-6)


def test_monochrome1_is_the_inverse_of_its_twin(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    window = {"WindowCenter": 1200, "WindowWidth": 900}
    two = read_picture(written(tmp_path / "two.dcm", ramp, **window))
    one = read_picture(
        written(tmp_path / "one.dcm", ramp, PhotometricInterpretation="MONOCHROME1", **window)
    )
    np.testing.assert_allclose(one, 1 - two, atol=1e-6)


def test_window_by_hand(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(0, 300, 10, dtype=np.uint16), (10, 1))
    path = written(tmp_path / "a.dcm", values, WindowCenter=100, WindowWidth=101)
    # from 99.5 - 50 to 99.5 + 50
    expected = np.clip((values - 49.5) / 100, 0, 1)
    np.testing.assert_allclose(read_picture(path), expected, atol=1e-6)


def test_first_of_several_windows(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    one = written(tmp_path / "1.dcm", ramp, WindowCenter=1000, WindowWidth=500)
    two = written(tmp_path / "2.dcm", ramp, WindowCenter=[1000, 40], WindowWidth=[500, 400])
    np.testing.assert_array_equal(read_picture(one), read_picture(two))


def test_defaults_are_noted(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    window = {"WindowCenter": 1000, "WindowWidth": 500}
    several = {"WindowCenter": [1000, 40], "WindowWidth": [500, 400]}
    said = {
        "it has no window: its own range of values is shown (WindowWidth)": {},
        "the first of its windows is shown (WindowWidth)": several,
        "values are taken as stored: slope 1, intercept 0 (RescaleSlope)": {
            **window,
            "Modality": "CT",
        },
    }
    for place, (note, fields) in enumerate(said.items()):
        assert look(written(tmp_path / f"{place}.dcm", ramp, **fields)).notes == (note,)
    whole = {**window, "Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
    assert look(written(tmp_path / "whole.dcm", ramp, **whole)).notes == ()


def test_window_of_width_zero_is_ignored(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    path = written(tmp_path / "a.dcm", ramp, WindowCenter=100, WindowWidth=0)
    assert look(path).notes == (
        "its window has no width and is ignored: its own range of values is shown (WindowWidth)",
    )
    assert look(written(tmp_path / "b.dcm", ramp, WindowCenter=1, WindowWidth=9)).notes == ()
    np.testing.assert_allclose(read_picture(path), ramp / ramp.max(), atol=1e-6)


def test_rescale_comes_before_the_window(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(0, 2000, 50, dtype=np.uint16), (10, 1))
    path = written(
        tmp_path / "a.dcm",
        values,
        RescaleSlope=2,
        RescaleIntercept=-1024,
        WindowCenter=0.5,
        WindowWidth=2001,
    )
    expected = np.clip((values * 2.0 - 1024 + 1000) / 2000, 0, 1)
    np.testing.assert_allclose(read_picture(path), expected, atol=1e-5)


def test_signed_pixels(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(-1000, 1000, 50, dtype=np.int16), (10, 1))
    np.testing.assert_allclose(
        read_picture(written(tmp_path / "a.dcm", values)), (values + 1000) / 1950, atol=1e-6
    )


def test_twelve_bits_in_sixteen(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(0, 4096, 64, dtype=np.uint16), (10, 1))
    path = written(tmp_path / "a.dcm", values, BitsStored=12, HighBit=11)
    np.testing.assert_allclose(read_picture(path), values / 4032, atol=1e-6)


def test_frames_by_place_and_the_middle_one_without(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    frames = np.stack([ramp, ramp[::-1], ramp[:, ::-1]])
    path = written(tmp_path / "a.dcm", frames)
    assert look(path).parts == 3
    shown = frames / ramp.max()
    np.testing.assert_allclose(read_picture(path), shown[1], atol=1e-6)
    np.testing.assert_allclose(list(read_parts(path, [0, 2])), shown[[0, 2]], atol=1e-6)
    with pytest.raises(RejectedImage, match="3 slices or frames"):
        read_picture(path, part=3)


def test_colour_becomes_luma(written: Written, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    grey = read_picture(written(tmp_path / "a.dcm", values))
    np.testing.assert_allclose(grey, values @ [0.299, 0.587, 0.114] / 255, atol=3e-3)


def test_padding_is_black_in_both_polarities(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(100, 400, 10, dtype=np.uint16), (10, 1))
    values[:, :3] = 0
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        path = written(
            tmp_path / f"{kind}.dcm", values, PhotometricInterpretation=kind, PixelPaddingValue=0
        )
        grey = read_picture(path)
        assert not grey[:, :3].any()
        assert grey.max() == 1


def test_a_range_of_padding(written: Written, tmp_path: Path) -> None:
    values = np.tile(np.arange(0, 400, 10, dtype=np.uint16), (10, 1))
    path = written(tmp_path / "a.dcm", values)
    ds = pydicom.dcmread(path)
    ds.add_new("PixelPaddingValue", "US", 0)
    ds.add_new("PixelPaddingRangeLimit", "US", 90)
    ds.save_as(path)
    grey = read_picture(path)
    assert not grey[:, :10].any()
    np.testing.assert_allclose(grey[:, 10:], (values[:, 10:] - 100) / 290, atol=1e-6)


def test_without_preamble_and_file_meta(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    path = written(tmp_path / "bare", ramp, preamble=False)
    assert path.read_bytes()[128:132] != b"DICM"
    np.testing.assert_allclose(read_picture(path), ramp / ramp.max(), atol=1e-6)


def test_blank_after_decode(written: Written, tmp_path: Path) -> None:
    assert reason(written(tmp_path / "a.dcm", np.zeros((16, 16), np.uint16))) == (
        "blank_after_decode"
    )


def test_constant_is_degenerate(written: Written, tmp_path: Path) -> None:
    assert reason(written(tmp_path / "a.dcm", np.full((16, 16), 7, np.uint16))) == "degenerate"


def test_cut_off(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    whole = written(tmp_path / "a.dcm", ramp).read_bytes()
    (tmp_path / "half.dcm").write_bytes(whole[: len(whole) - ramp.nbytes // 2])
    assert reason(tmp_path / "half.dcm") == "truncated"
    (tmp_path / "head.dcm").write_bytes(whole[: len(whole) - ramp.nbytes - 8])
    assert reason(tmp_path / "head.dcm") == "truncated"


def test_report_is_not_an_image(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    path = written(tmp_path / "a.dcm", ramp)
    ds = pydicom.dcmread(path)
    for name in ("Rows", "Columns", "PixelData"):
        delattr(ds, name)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    ds.save_as(path)
    assert reason(path) == "not_an_image"


@pytest.mark.parametrize("fields", [{"BitsStored": 24}, {"SamplesPerPixel": 2}])
def test_contradicting_header(
    written: Written, tmp_path: Path, ramp: np.ndarray, fields: dict[str, int]
) -> None:
    assert reason(written(tmp_path / "a.dcm", ramp, **fields)) in ("damaged", "truncated")


def test_compression_without_decoder(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    path = written(tmp_path / "a.dcm", ramp)
    ds = pydicom.dcmread(path)
    ds.file_meta.TransferSyntaxUID = SMPTEST211020UncompressedProgressiveActiveVideo
    ds["PixelData"].is_undefined_length = True
    ds.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
    ds.save_as(path)
    with pytest.raises(RejectedImage, match="SMPTE") as caught:
        read_picture(path)
    assert caught.value.reason == "needs_decoder"


def test_lossless_compression_equals_plain(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    path = written(tmp_path / "a.dcm", ramp)
    plain = read_picture(path)
    ds = pydicom.dcmread(path)
    ds.compress(RLELossless)
    ds.save_as(path)
    np.testing.assert_array_equal(read_picture(path), plain)


@pytest.mark.parametrize(
    "name",
    ["JPEG2000.dcm", "JPGExtended.dcm", "SC_rgb_jpeg.dcm", "examples_palette.dcm", "CT_small.dcm"],
)
def test_files_of_the_library(name: str) -> None:
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip("not among the library's own files")
    grey = read_picture(path)
    assert grey.min() >= 0
    assert grey.max() <= 1
    assert grey.std() > 0.001


def test_too_many_pixels_by_header(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    assert reason(written(tmp_path / "a.dcm", ramp, Rows=60000, Columns=60000)) == (
        "too_many_pixels"
    )


def test_no_patient_field_is_parsed(
    written: Written,
    tmp_path: Path,
    ramp: np.ndarray,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture,
) -> None:
    path = written(tmp_path / "a.dcm", ramp, PatientBirthDate="19000101")
    header = dicom.parse(path)
    assert "PatientName" not in header
    assert CANARY not in str(header)
    broken = path.read_bytes().replace(b"19000101", b"CANARY!!")
    path.write_bytes(broken)
    with caplog.at_level(logging.DEBUG):
        read_picture(path)
        path.write_bytes(broken[:-300])
        assert reason(path) == "truncated"
    out = capfd.readouterr()
    assert "CANARY" not in caplog.text + out.out + out.err


def test_implicit_syntax_is_kept(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    path = written(tmp_path / "bare", ramp, preamble=False)
    assert dicom.parse(path).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
