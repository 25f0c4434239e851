"""How DICOM values become grey: tables, windows, regions, frames in space, other bits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from encoders.reading.dicom_header import PIXEL_FIELDS, parse
from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.windowing import WINDOWS

Written = Callable[..., Path]


@pytest.fixture
def ramp() -> np.ndarray:
    """Values 0 to 1023."""
    return np.arange(1024, dtype=np.uint16).reshape(32, 32)


def item(**fields: object) -> Dataset:
    made = Dataset()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def table(first: int, values: np.ndarray) -> Dataset:
    made = item(LUTDescriptor=[len(values), first, 16])
    made["LUTDescriptor"].VR = "US"
    made.add_new("LUTData", "OW", values.astype("<u2").tobytes())
    return made


def test_a_table_of_interest_comes_before_windows(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    steps = np.linspace(65535, 0, 512).astype(np.uint16)
    path = written(tmp_path / "a.dcm", ramp, VOILUTSequence=[table(256, steps)], WindowWidth=9)
    expected = steps[np.clip(ramp.astype(int) - 256, 0, 511)] / 65535
    np.testing.assert_allclose(read_picture(path), expected, atol=1e-6)


def test_a_table_of_the_modality_comes_before_the_window(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    squares = (np.arange(1024) ** 2 // 64).astype(np.uint16)
    path = written(
        tmp_path / "a.dcm",
        ramp,
        ModalityLUTSequence=[table(0, squares)],
        WindowCenter=8000,
        WindowWidth=16001,
    )
    expected = np.clip((squares[ramp] + 0.5) / 16000, 0, 1)
    np.testing.assert_allclose(read_picture(path), expected, atol=1e-5)


def test_the_first_window_that_has_a_width(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    many = written(tmp_path / "a.dcm", ramp, WindowCenter=[9, 500, 40], WindowWidth=[0, 200, 400])
    one = written(tmp_path / "b.dcm", ramp, WindowCenter=500, WindowWidth=200)
    np.testing.assert_array_equal(read_picture(many), read_picture(one))


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
def test_functions_of_windows(
    written: Written, tmp_path: Path, ramp: np.ndarray, function: str
) -> None:
    path = written(
        tmp_path / "a.dcm", ramp, WindowCenter=500, WindowWidth=200, VOILUTFunction=function
    )
    by_hand = {
        "SIGMOID": 1 / (1 + np.exp(-4 * (ramp - 500.0) / 200)),
        "LINEAR_EXACT": np.clip((ramp - 400.0) / 200, 0, 1),
    }
    np.testing.assert_allclose(read_picture(path), by_hand[function], atol=1e-5)


def test_ct_without_a_window_is_shown_in_the_lung_window(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    path = written(tmp_path / "a.dcm", ramp, Modality="CT", RescaleIntercept=-1024)
    hounsfield = ramp.astype(np.float32) - 1024
    np.testing.assert_allclose(read_picture(path), WINDOWS["lung"].apply(hounsfield), atol=1e-6)
    bone = WINDOWS["bone"].apply(hounsfield)
    np.testing.assert_allclose(read_picture(path, window="bone"), bone, atol=1e-6)
    chest = written(tmp_path / "b.dcm", ramp, Modality="DX")
    np.testing.assert_array_equal(read_picture(chest, window="bone"), read_picture(chest))


def test_bytes_without_a_window_are_those_of_a_png(written: Written, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(40, 90, (20, 20), np.uint8)
    np.testing.assert_allclose(
        read_picture(written(tmp_path / "a.dcm", values, Modality="US")), values / 255, atol=1e-6
    )


def test_single_bits(written: Written, tmp_path: Path) -> None:
    bits = np.random.default_rng(0).integers(0, 2, (16, 16)).astype(np.uint8)
    path = written(tmp_path / "a.dcm", bits)
    ds = dcmread(path)
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 1, 0
    ds.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    ds.save_as(path)
    np.testing.assert_array_equal(read_picture(path), bits)


def test_floats(written: Written, tmp_path: Path) -> None:
    values = np.linspace(-1, 3, 400, dtype=np.float32).reshape(20, 20)
    path = written(tmp_path / "a.dcm", values.view(np.uint32))
    ds = dcmread(path)
    del ds.PixelData
    ds.FloatPixelData = values.tobytes()
    ds.save_as(path)
    np.testing.assert_allclose(read_picture(path), (values + 1) / 4, atol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
def test_bits_of_old_overlays_are_no_pixels(written: Written, tmp_path: Path, signed: bool) -> None:
    """Twelve bits in sixteen, an overlay in the topmost bit; signed ones are extended."""
    values = np.arange(400).reshape(20, 20) * 5 - (1000 if signed else 0)
    stored = (values & 0xFFF).astype(np.uint16)
    stored[4:8, 4:16] |= 1 << 15
    fields = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": int(signed)}
    grey = read_picture(written(tmp_path / "a.dcm", stored, **fields))
    np.testing.assert_allclose(grey, (values - values.min()) / np.ptp(values), atol=1e-6)


def test_overlays_comments_and_private_fields_are_never_parsed(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    path = written(tmp_path / "a.dcm", ramp)
    ds = dcmread(path)
    ds.ImageComments = ds.AdditionalPatientHistory = "CANARY^PATIENT"
    ds.add_new(0x60000022, "LO", "CANARY overlay")
    block = ds.private_block(0x0009, "CANARY maker", create=True)
    block.add_new(0x01, "LO", "CANARY private")
    ds.save_as(path)
    header = parse(path)
    assert {element.keyword for element in header} <= {*PIXEL_FIELDS, "SpecificCharacterSet"}
    assert "CANARY" not in str(header)


def region(box: tuple[int, int, int, int], kind: int = 1, **more: object) -> Dataset:
    left, top, right, bottom = box
    return item(
        RegionSpatialFormat=kind,
        RegionDataType=1,
        RegionLocationMinX0=left,
        RegionLocationMinY0=top,
        RegionLocationMaxX1=right,
        RegionLocationMaxY1=bottom,
        PhysicalUnitsXDirection=3,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.02,
        PhysicalDeltaY=-0.03,
        **more,
    )


def test_ultrasound_in_colour_is_cut_to_its_region(written: Written, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    regions = [region((0, 0, 9, 9)), region((0, 30, 59, 39), kind=3), region((10, 5, 49, 29))]
    path = written(tmp_path / "a.dcm", values, Modality="US", SequenceOfUltrasoundRegions=regions)
    grey = read_picture(path)
    assert grey.shape == (25, 40)
    luma = values[5:30, 10:50] @ [0.299, 0.587, 0.114] / 255
    np.testing.assert_allclose(grey, luma, atol=3e-3)
    about = look(path)
    assert about.modality == "ultrasound"
    assert about.spacing == pytest.approx((0.3, 0.2))


@pytest.mark.parametrize(
    "box", [(10, 10, 80, 30), (30, 5, 10, 20), (0, 0, 0, 0), (9, 9, 10, 10), (5, 9, 50, 12)]
)
def test_a_region_that_is_none_changes_nothing(
    written: Written, tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    path = written(
        tmp_path / "a.dcm", values, Modality="US", SequenceOfUltrasoundRegions=[region(box)]
    )
    assert read_picture(path).shape == (40, 60)


def test_frames_in_colour(written: Written, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (5, 20, 24, 3), np.uint8)
    path = written(tmp_path / "a.dcm", frames[0], Modality="US")
    ds = dcmread(path)
    ds.NumberOfFrames, ds.PixelData = 5, frames.tobytes()
    ds.save_as(path)
    assert look(path).parts == 5
    for frame, grey in zip((1, 4), read_parts(path, [1, 4]), strict=True):
        luma = frames[frame] @ [0.299, 0.587, 0.114] / 255
        np.testing.assert_allclose(grey, luma, atol=3e-3)


def test_deep_colour(written: Written, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (20, 24, 3), np.uint16)
    path = written(tmp_path / "a.dcm", values, BitsStored=12, HighBit=11)
    luma = values @ [0.299, 0.587, 0.114] / 4095
    np.testing.assert_allclose(read_picture(path), luma, atol=1e-5)


def test_frames_of_an_enhanced_ct_lie_in_space(written: Written, tmp_path: Path) -> None:
    """Sorted by position; slope and window stated frame by frame, spacing and plane once."""
    heights = [20, 0, 30, 10]
    frames = np.stack([np.full((16, 20), height, np.uint16) for height in heights])
    frames[:, 0, 0] = 1
    per_frame = [
        item(
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, height])],
            PixelValueTransformationSequence=[item(RescaleSlope=2, RescaleIntercept=-height)],
            FrameVOILUTSequence=[item(WindowCenter=0, WindowWidth=101)],
        )
        for height in heights
    ]
    shared = item(
        PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        PixelMeasuresSequence=[item(PixelSpacing=[0.6, 0.7])],
    )
    path = written(
        tmp_path / "a.dcm",
        frames,
        Modality="CT",
        PerFrameFunctionalGroupsSequence=per_frame,
        SharedFunctionalGroupsSequence=[shared],
    )
    about = look(path)
    assert (about.parts, about.spacing) == (4, (0.6, 0.7))
    shown = [float(grey[8, 8]) * 100 - 50.5 for grey in read_parts(path, [0, 1, 2, 3])]
    assert shown == pytest.approx([0, 10, 20, 30], abs=1e-3)


NO_WIDTH = ("it has no window", "its window has no width and is ignored")
FIRST = "the first of its windows is shown (WindowWidth)"
FIRST_WIDE = "the first of its windows that has a width is shown (WindowWidth)"
NO_SLOPE = "values are taken with slope 1, intercept -1024 (RescaleSlope)"
NO_INTERCEPT = "values are taken with intercept 0 (RescaleIntercept)"
TABLE = table(0, np.arange(1024))
LUNG = "it has no window: it is shown in the lung window (WindowWidth)"
OWN = "its own range of values is shown (WindowWidth)"
BITS = "it is shown from 0 to the largest value of its bits (WindowWidth)"
CT = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -1024}
WINDOWED = item(WindowCenter=-600, WindowWidth=1500)


@pytest.mark.parametrize(
    ("fields", "notes"),
    [
        (CT, (LUNG,)),
        ({**CT, "WindowCenter": 40, "WindowWidth": 0}, (LUNG.replace(*NO_WIDTH),)),
        ({**CT, "WindowCenter": [9, 40], "WindowWidth": [0, 400]}, (FIRST_WIDE,)),
        ({**CT, "WindowCenter": [9, 40], "WindowWidth": [90, 400]}, (FIRST,)),
        ({"WindowWidth": [90, 400]}, ("it has no window: " + OWN,)),
        ({"WindowCenter": [9, 4], "WindowWidth": [9, 4], "VOILUTSequence": [TABLE]}, ()),
        ({**CT, "RescaleIntercept": None, "WindowCenter": 1, "WindowWidth": 9}, (NO_INTERCEPT,)),
        ({**CT, "RescaleSlope": None, "WindowCenter": 1, "WindowWidth": 9}, (NO_SLOPE,)),
        ({"Modality": "CT", "ModalityLUTSequence": [TABLE]}, (LUNG,)),
    ],
)
def test_notes_say_what_was_done(
    written: Written,
    tmp_path: Path,
    ramp: np.ndarray,
    fields: dict[str, object],
    notes: tuple[str, ...],
) -> None:
    assert look(written(tmp_path / "a.dcm", ramp, **fields)).notes == notes


def test_notes_of_bytes_and_colour(written: Written, tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(40, 90, (20, 24), np.uint8)
    path = written(tmp_path / "a.dcm", grey, Modality="US")
    assert look(path).notes == ("it has no window: " + BITS,)
    np.testing.assert_allclose(read_picture(path), grey / 255, atol=1e-6)
    line = written(tmp_path / "b.dcm", grey, RescaleSlope=2, RescaleIntercept=3)
    assert look(line).notes == ("it has no window: " + OWN,)
    wide = written(tmp_path / "c.dcm", grey.astype(np.uint16), BitsStored=8, HighBit=7)
    np.testing.assert_array_equal(read_picture(wide), read_picture(path))
    assert look(wide).notes == look(path).notes
    colour = written(tmp_path / "d.dcm", np.stack([grey] * 3, axis=-1), Modality="US")
    assert look(colour).notes == ()


@pytest.mark.parametrize("own", [False, True], ids=["shared", "per frame"])
@pytest.mark.parametrize("windows", [3, 0])
def test_notes_follow_the_groups_of_frames(
    written: Written, tmp_path: Path, ramp: np.ndarray, own: bool, windows: int
) -> None:
    line = item(RescaleSlope=1, RescaleIntercept=-1024)
    group = item(PixelValueTransformationSequence=[line])
    if windows:
        group.FrameVOILUTSequence = [WINDOWED]
    fields = {
        "PerFrameFunctionalGroupsSequence": [group] * 3 if own else [Dataset()] * 3,
        "SharedFunctionalGroupsSequence": [Dataset() if own else group],
    }
    path = written(tmp_path / "a.dcm", np.stack([ramp] * 3), Modality="CT", **fields)
    assert look(path).notes == (() if windows else (LUNG,))
    assert len({grey.tobytes() for grey in read_parts(path, [0, 1, 2])}) == 1


def test_a_frame_without_a_window_among_others_is_noted(
    written: Written, tmp_path: Path, ramp: np.ndarray
) -> None:
    groups = [item(FrameVOILUTSequence=[WINDOWED]), Dataset(), Dataset()]
    path = written(
        tmp_path / "a.dcm", np.stack([ramp] * 3), PerFrameFunctionalGroupsSequence=groups
    )
    assert look(path).notes == ("it has no window: " + OWN,)


def test_burned_in_text_is_warned_of(written: Written, tmp_path: Path, ramp: np.ndarray) -> None:
    path = written(tmp_path / "a.dcm", ramp, BurnedInAnnotation="YES")
    assert look(path).notes[0] == "text is burned into the pixels (BurnedInAnnotation)"


@pytest.mark.parametrize(
    "kind",
    [
        "1.2.840.10008.5.1.4.1.1.11.1",
        "1.2.840.10008.5.1.4.1.1.66.4",
        "1.2.840.10008.5.1.4.1.1.88.33",
        "1.2.840.10008.5.1.4.1.1.104.1",
        "1.2.840.10008.5.1.4.1.1.481.2",
        "1.2.840.10008.1.3.10",
    ],
)
def test_objects_that_are_no_pictures(
    written: Written, tmp_path: Path, ramp: np.ndarray, kind: str
) -> None:
    with pytest.raises(RejectedImage) as caught:
        read_picture(written(tmp_path / "a.dcm", ramp, SOPClassUID=kind))
    assert caught.value.reason == "not_an_image"


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": None, "WindowWidth": 10},
        {"RescaleSlope": 0},
        {"RescaleSlope": None, "RescaleIntercept": None},
        {"BurnedInAnnotation": None, "PixelSpacing": None, "NumberOfFrames": None},
    ],
)
def test_fields_that_say_nothing(
    written: Written, tmp_path: Path, ramp: np.ndarray, fields: dict[str, object]
) -> None:
    grey = read_picture(written(tmp_path / "a.dcm", ramp, **fields))
    np.testing.assert_allclose(grey, ramp / 1023, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "values"),
    [("WindowWidth", 1), ("PixelSpacing", 2), ("ImagePositionPatient", 3)],
)
def test_fields_that_hold_nonsense(
    written: Written, tmp_path: Path, ramp: np.ndarray, name: str, values: int
) -> None:
    """What cannot be a number is no number, and is not repeated."""
    path = written(tmp_path / "a.dcm", ramp, **{name: [1173] * values})
    raw = path.read_bytes()
    assert raw.count(b"1173") == values
    path.write_bytes(raw.replace(b"1173", b"Name"))
    np.testing.assert_allclose(read_picture(path), ramp / 1023, atol=1e-6)


def test_what_a_field_holds_is_never_printed(
    written: Written, tmp_path: Path, ramp: np.ndarray, processes: Any
) -> None:
    """The library's own warning would quote it: seen where nothing catches warnings."""
    path = written(tmp_path / "a.dcm", ramp, NumberOfFrames=1173)
    path.write_bytes(path.read_bytes().replace(b"1173", b"Name"))
    code = f"from encoders.reading.picture import read_picture; read_picture({str(path)!r})"
    done = processes.python(code)
    assert "RejectedImage" in done.stderr
    assert "Name" not in done.stderr + done.stdout


def test_what_libraries_say_of_a_file_is_not_logged(
    written: Written, tmp_path: Path, ramp: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.dcm", ramp, SOPClassUID="1.2.826.11")
    path.write_bytes(path.read_bytes().replace(b"1.2.826.11", b"CANARY^ANN"))
    pydicom_logger = logging.getLogger("pydicom")
    pydicom_logger.setLevel(logging.DEBUG)  # as pydicom itself does when it is imported
    with caplog.at_level(logging.DEBUG):
        assert read_picture(path).shape == (32, 32)
        pydicom_logger.warning("CANARY")
    assert "CANARY" not in caplog.text
