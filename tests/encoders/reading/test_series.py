"""Folders of DICOM slices: sorted by position, with what is odd about them said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from encoders.reading.folder import study_pictures
from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage

Written = Callable[..., Path]
AXIAL, CORONAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1]


@pytest.fixture
def slices(written: Written, tmp_path: Path) -> Callable[..., Path]:
    """Writes slices at heights into a folder; the value of a slice is its height in HU."""

    def write(heights: list[float], *, start: int = 0, **fields: object) -> Path:
        folder = tmp_path / "series"
        folder.mkdir(exist_ok=True)
        for number, height in enumerate(heights, start):
            pixels = np.full((16, 20), height + 1000, np.int16)
            pixels[0, :2] = 0, 2000
            about = {
                "Modality": "CT",
                "SeriesInstanceUID": "1.2.3",
                "InstanceNumber": number,
                "ImagePositionPatient": [-100, -100, height],
                "ImageOrientationPatient": AXIAL,
                "PixelSpacing": [0.7, 0.8],
                "RescaleSlope": 1,
                "RescaleIntercept": -1000,
                "WindowCenter": 0,
                "WindowWidth": 2001,
                **fields,
            }
            written(folder / f"{number:03d}.dcm", pixels, **about)
        return folder

    return write


def heights(folder: Path) -> list[float]:
    """Heights of the slices in the order they are read."""
    greys = read_parts(folder, list(range(look(folder).parts)))
    return [round(float(grey[8, 8] * 2000 - 1000.5)) for grey in greys]


def test_sorted_by_position_and_never_by_name_or_number(slices: Callable[..., Path]) -> None:
    folder = slices([30, 10, 50, 20, 40])
    assert heights(folder) == [10, 20, 30, 40, 50]
    about = look(folder)
    assert (about.parts, about.modality, about.spacing) == (5, "ct", (0.7, 0.8))
    assert about.notes == ()


def test_feet_to_head_also_where_columns_run_the_other_way(slices: Callable[..., Path]) -> None:
    assert heights(slices([10, 20, 30], ImageOrientationPatient=[1, 0, 0, 0, -1, 0])) == [
        10,
        20,
        30,
    ]


@pytest.mark.parametrize(("orientation", "axis"), [(CORONAL, 1), (SAGITTAL, 0)])
def test_other_planes(
    slices: Callable[..., Path], orientation: list[float], axis: int, written: Written
) -> None:
    for number, place in enumerate([30, 10, 20]):
        position = [0, 0, 0]
        position[axis] = place
        folder = slices(
            [place],
            start=number,
            ImagePositionPatient=position,
            ImageOrientationPatient=orientation,
        )
    assert heights(folder) == [10, 20, 30]


def test_gaps_duplicates_scouts_and_other_orientations_are_said(
    slices: Callable[..., Path], written: Written
) -> None:
    folder = slices([10, 20, 30, 50, 60, 60, 70])
    slices([1], start=20, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    slices([2], start=21, ImageOrientationPatient=CORONAL)
    slices([3], start=3, ImagePositionPatient=None)
    (folder / "DICOMDIR.txt").write_text("a list")
    slices([40], start=22, InstanceNumber=6)
    about = look(folder)
    assert heights(folder) == [10, 20, 30, 40, 60, 70]
    assert about.notes == (
        "files that are no slices left out: 1",
        "scout images left out: 1",
        "instance numbers used twice: 1",
        "slices without a position left out: 1",
        "slices of another orientation left out: 1",
        "further slices at the same position left out: 1",
        "gaps between slices: 1 (largest 20 mm, usual step 10 mm)",
    )


def test_without_positions_the_numbers_decide(slices: Callable[..., Path]) -> None:
    folder = slices([30, 10, 20], ImagePositionPatient=None)
    assert heights(folder) == [30, 10, 20]
    assert look(folder).notes == ("no positions: sorted by instance number",)


def test_the_longest_of_several_series(slices: Callable[..., Path]) -> None:
    folder = slices([10, 20, 30])
    slices([15, 25], start=10, SeriesInstanceUID="1.2.4")
    assert heights(folder) == [10, 20, 30]
    assert look(folder).notes == ("2 series (3, 2 slices), the longest is read",)


def test_one_window_for_the_whole_stack(slices: Callable[..., Path]) -> None:
    folder = slices([10, 20, 30])
    slices([40], start=5, WindowWidth=11)
    assert heights(folder) == [10, 20, 30, 40]


def test_windows_in_hu(slices: Callable[..., Path]) -> None:
    folder = slices([-600, -500, 50])
    assert read_picture(folder, part=0, window="lung")[8, 8] == pytest.approx(0.5, abs=1e-5)
    assert read_picture(folder, part=2, window="mediastinum")[8, 8] == pytest.approx(0.5, abs=1e-5)
    plain = slices([-600, -500, 50], WindowWidth=None, WindowCenter=None)
    assert read_picture(plain, part=0)[8, 8] == pytest.approx(0.5, abs=1e-5)


def test_a_broken_slice_is_named_by_its_place(slices: Callable[..., Path]) -> None:
    folder = slices([10, 20, 30])
    path = folder / "001.dcm"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RejectedImage, match="slice 2 of 3") as caught:
        read_picture(folder)
    assert (caught.value.path, caught.value.reason) == (folder, "truncated")
    (folder / "002.dcm").write_bytes(b"\x08\x00")
    assert read_picture(folder, part=0).shape == (16, 20)
    assert look(folder).notes == ("files that are no slices left out: 1",)


def test_a_folder_without_slices(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(RejectedImage) as caught:
        read_picture(tmp_path)
    assert caught.value.reason == "not_an_image"
    with pytest.raises(RejectedImage) as caught:
        look(tmp_path / "none")
    assert caught.value.reason == "missing"


def test_pictures_of_a_study_folder(
    slices: Callable[..., Path], written: Written, tmp_path: Path
) -> None:
    slices([10, 20, 30])
    one = np.arange(400, dtype=np.uint16).reshape(20, 20)
    written(tmp_path / "frontal", one, Modality="DX")
    written(tmp_path / "single.dcm", one, Modality="CT")
    (tmp_path / "report.txt").write_text("Findings: none.")
    (tmp_path / "later.csv").write_text("a,b")
    (tmp_path / "bad.png").write_bytes(b"")
    (tmp_path / ".hidden.png").write_bytes(b"")
    names = [path.name for path in study_pictures(tmp_path)]
    assert names == ["single.dcm", "bad.png", "frontal", "series"]
    assert study_pictures(tmp_path / "series") == [tmp_path / "series"]
