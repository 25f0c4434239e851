"""NIfTI volumes: upright slices whatever the storage, HU, ranges, and damage of every kind."""

from __future__ import annotations

import gzip
import itertools
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from encoders.reading.picture import look, read_parts, read_picture
from encoders.reading.rejected import RejectedImage
from encoders.reading.windowing import WINDOWS

SHAPE = (12, 10, 9)


@pytest.fixture
def hounsfield() -> np.ndarray:
    """A volume `[x, y, z]` in HU whose every voxel differs, x to the right, y front, z head."""
    values = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE) - 1000
    values[0, 0, :] = -1024
    return values


def save(
    path: Path, values: np.ndarray, affine: np.ndarray | None = None, **header: object
) -> Path:
    image = nib.Nifti1Image(values, np.diag([0.7, 0.8, 5, 1]) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def expected(values: np.ndarray, z: int) -> np.ndarray:
    """Axial slice with the patient's right on the left, the front on top, in the lung window."""
    return WINDOWS["lung"].apply(values[::-1, ::-1, z].T.astype(np.float32))


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    return caught.value.reason


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".odd"])
def test_slices_from_feet_to_head(tmp_path: Path, hounsfield: np.ndarray, ending: str) -> None:
    path = save(tmp_path / f"a{ending if ending != '.odd' else '.nii'}", hounsfield)
    if ending == ".odd":
        path = path.rename(tmp_path / "no ending")
    about = look(path)
    assert (about.parts, about.modality, about.notes) == (9, "ct", ())
    assert about.spacing == pytest.approx((0.8, 0.7))
    for z, grey in enumerate(read_parts(path, list(range(9)))):
        assert grey.shape == (10, 12)
        np.testing.assert_allclose(grey, expected(hounsfield, z), atol=1e-6)
    np.testing.assert_array_equal(read_picture(path), expected(hounsfield, 4))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (1, -1, 1), (-1, -1, -1)])
def test_however_it_is_stored(
    tmp_path: Path, hounsfield: np.ndarray, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    stored = hounsfield[tuple(slice(None, None, sign) for sign in signs)].transpose(order)
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    for column, world in enumerate(order):
        affine[world, column] = signs[world] * 2.0
    path = save(tmp_path / "a.nii.gz", np.ascontiguousarray(stored), affine)
    for z, grey in zip((2, 7), read_parts(path, [2, 7]), strict=True):
        np.testing.assert_allclose(grey, expected(hounsfield, z), atol=1e-6)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float32, np.float64, ">i2"])
def test_every_type_gives_the_same_slice(tmp_path: Path, hounsfield: np.ndarray, kind: str) -> None:
    image = nib.Nifti1Image(hounsfield.astype(kind), np.eye(4))
    path = tmp_path / "a.nii"
    nib.save(image.__class__(image.get_fdata(), np.eye(4), image.header), path)
    np.testing.assert_allclose(read_picture(path), expected(hounsfield, 4), atol=1e-5)
    nib.save(nib.Nifti2Image(hounsfield.astype(kind), np.eye(4)), path)
    np.testing.assert_allclose(read_picture(path), expected(hounsfield, 4), atol=1e-5)


def test_scaling_by_the_header_comes_before_the_window(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    image = nib.Nifti1Image((hounsfield + 1024).astype(np.uint16), np.eye(4))
    image.header.set_slope_inter(1, -1024)
    path = tmp_path / "a.nii"
    image.to_filename(path)
    raw = bytearray(path.read_bytes())
    raw[112:120] = np.array([1, -1024], "<f4").tobytes()
    raw[352:] = (hounsfield + 1024).astype("<u2").tobytes(order="F")
    path.write_bytes(raw)
    np.testing.assert_allclose(read_picture(path), expected(hounsfield, 4), atol=1e-6)


def test_named_windows(tmp_path: Path, hounsfield: np.ndarray) -> None:
    path = save(tmp_path / "a.nii", hounsfield)
    bone = WINDOWS["bone"].apply(hounsfield[::-1, ::-1, 4].T.astype(np.float32))
    np.testing.assert_allclose(read_picture(path, window="bone"), bone, atol=1e-6)


def test_bytes_are_divided_by_255_and_colours_become_luma(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    path = save(tmp_path / "a.nii", values)
    np.testing.assert_allclose(read_picture(path), values[::-1, ::-1, 4].T / 255, atol=1e-6)
    colours = np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"] = values
    path = save(tmp_path / "b.nii", colours)
    np.testing.assert_allclose(read_picture(path), values[::-1, ::-1, 4].T * 0.587 / 255, atol=1e-6)


def test_other_values_span_the_range_stated_or_seen(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32) * 900
    seen = values[:, :, [2, 4, 6]]
    shown = (values - seen.min()) / np.ptp(seen)
    path = save(tmp_path / "a.nii", values)
    np.testing.assert_allclose(read_picture(path), shown[::-1, ::-1, 4].T, atol=1e-5)
    path = save(tmp_path / "b.nii", values, cal_min=0, cal_max=1800)
    np.testing.assert_allclose(read_picture(path), values[::-1, ::-1, 4].T / 1800, atol=1e-5)


def test_a_slice_does_not_depend_on_which_others_are_read(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    path = save(tmp_path / "a.nii.gz", values)
    alone = read_picture(path, part=7)
    np.testing.assert_array_equal(list(read_parts(path, [0, 1, 7]))[2], alone)


def test_the_first_of_several_volumes(tmp_path: Path, hounsfield: np.ndarray) -> None:
    path = save(tmp_path / "a.nii.gz", np.stack([hounsfield, hounsfield * 0], axis=-1))
    assert look(path).notes == ("2 volumes, the first is read",)
    np.testing.assert_allclose(read_picture(path), expected(hounsfield, 4), atol=1e-6)


def test_one_slice_alone(tmp_path: Path, hounsfield: np.ndarray) -> None:
    path = save(tmp_path / "a.nii", hounsfield[:, :, 4])
    assert look(path).parts == 1
    np.testing.assert_allclose(read_picture(path), expected(hounsfield, 4), atol=1e-6)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_cut_off(tmp_path: Path, ending: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (64, 64, 20)).astype(np.int16)
    whole = save(tmp_path / f"whole{ending}", noise).read_bytes()
    cut = tmp_path / f"cut{ending}"
    cut.write_bytes(whole[: int(len(whole) * share)])
    assert reason(cut) == "truncated"
    cut.write_bytes(whole[:200])
    assert reason(cut) in ("not_an_image", "truncated")


def test_a_changed_byte_in_a_compressed_volume(tmp_path: Path, hounsfield: np.ndarray) -> None:
    path = save(tmp_path / "a.nii.gz", hounsfield)
    broken = bytearray(path.read_bytes())
    broken[-8] ^= 1  # the checksum
    path.write_bytes(broken)
    assert reason(path) == "damaged"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_no_numbers(tmp_path: Path, value: float) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    values[3, 3, 4] = value
    assert reason(save(tmp_path / "a.nii", values)) == "degenerate"


def test_nothing_to_see(tmp_path: Path) -> None:
    assert reason(save(tmp_path / "a.nii", np.full(SHAPE, 7, np.int16))) == "degenerate"
    blank_end = np.random.default_rng(0).integers(0, 9, SHAPE).astype(np.int16)
    blank_end[:, :, 8] = 0
    below, end = read_parts(save(tmp_path / "b.nii", blank_end), [7, 8])
    assert below.any()
    assert not end.any()


def test_a_header_that_promises_too_much(tmp_path: Path, hounsfield: np.ndarray) -> None:
    raw = bytearray(save(tmp_path / "a.nii", hounsfield).read_bytes())
    for sides, wanted in (
        ((30000, 30000, 30000), "too_many_pixels"),
        ((30000, 9000, 2), "too_many_pixels"),
        ((12, 10, 25000), "too_many_parts"),
        ((12, 10, 2000), "truncated"),
        ((12, 3, 9), "too_small"),
        ((-5, 10, 9), "too_many_pixels"),
    ):
        raw[42:48] = np.array(sides, "<i2").tobytes()
        for name, content in (("b.nii", bytes(raw)), ("b.nii.gz", gzip.compress(raw))):
            (tmp_path / name).write_bytes(content)
            assert reason(tmp_path / name) == wanted


def test_an_unpacking_bomb_is_not_unpacked(tmp_path: Path, hounsfield: np.ndarray) -> None:
    raw = save(tmp_path / "a.nii", hounsfield).read_bytes()
    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        packed.write(raw)
        for _ in range(8):
            packed.write(bytes(4 << 20))
    tracemalloc.start()
    assert reason(path) == "damaged"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20


@pytest.mark.parametrize("longer", [1, 1000, 500_000])
def test_the_checksum_is_checked_where_the_header_promises_less(
    tmp_path: Path, hounsfield: np.ndarray, longer: int
) -> None:
    """A header of fewer slices, or bytes behind them, do not hide that the data were changed."""
    path = tmp_path / "a.nii.gz"
    packed = gzip.compress(save(tmp_path / "a.nii", hounsfield).read_bytes() + bytes(longer))
    path.write_bytes(packed)
    assert read_picture(path).shape == expected(hounsfield, 4).shape
    path.write_bytes(packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:])
    assert reason(path) == "damaged"


def test_what_a_header_says_of_people_is_not_repeated(
    tmp_path: Path, hounsfield: np.ndarray
) -> None:
    path = save(tmp_path / "a.nii", hounsfield, descrip=b"CANARY^PATIENT", aux_file=b"CANARY")
    assert "CANARY" not in repr(look(path))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_volume_in_two_files(
    tmp_path: Path, hounsfield: np.ndarray, kind: type[nib.Nifti1Pair], packed: str
) -> None:
    nib.save(kind(hounsfield, np.diag([0.7, 0.8, 5, 1])), tmp_path / f"a.hdr{packed}")
    for name in (f"a.hdr{packed}", f"a.img{packed}"):
        assert look(tmp_path / name).parts == 9
        for z, grey in enumerate(read_parts(tmp_path / name, list(range(9)))):
            np.testing.assert_allclose(grey, expected(hounsfield, z), atol=1e-6)
    values = tmp_path / f"a.img{packed}"
    values.write_bytes(values.read_bytes()[:-9])
    assert reason(values) == "truncated"


def test_half_of_a_pair(tmp_path: Path, hounsfield: np.ndarray) -> None:
    nib.save(nib.Nifti1Pair(hounsfield, np.eye(4)), tmp_path / "a.hdr")
    values = (tmp_path / "a.img").rename(tmp_path / "b.img")
    with pytest.raises(RejectedImage, match=r"put its \.img beside it"):
        read_picture(tmp_path / "a.hdr")
    assert reason(values) == "not_an_image"
    (tmp_path / "b.hdr").write_bytes(b"0" * 348)
    assert reason(values) == "not_an_image"


def stored(path: Path, values: np.ndarray, **fields: object) -> Path:
    """A volume whose header fields are set as they are, right or wrong."""
    image = nib.Nifti1Image(values, np.diag([2.0, 2, 3, 1]))
    content = bytearray(image.to_bytes())
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
@pytest.mark.parametrize("form", ["srow_x", "whole", "pixdim"])
def test_an_affine_that_is_no_place_is_told(
    tmp_path: Path, hounsfield: np.ndarray, value: float, form: str
) -> None:
    """The picture is shown as stored, with a note and without millimetres."""
    values = hounsfield.astype(np.int16)
    row = np.full(4, value, np.float32)
    if form == "pixdim":
        given = {"sform_code": 0, "qform_code": 0, "pixdim": np.full(8, value, np.float32)}
    elif form == "whole":
        given = {"srow_x": row, "srow_y": row, "srow_z": row}
    else:
        given = {"srow_x": row}
    path = stored(tmp_path / "a.nii", values, **given)
    about = look(path)
    assert about.spacing is None
    assert any("affine" in note for note in about.notes)
    plain = nib.Nifti1Image(values, np.eye(4))
    nib.save(plain, tmp_path / "plain.nii")
    assert np.array_equal(read_picture(path), read_picture(tmp_path / "plain.nii"))


def test_a_sound_affine_needs_no_note(tmp_path: Path, hounsfield: np.ndarray) -> None:
    about = look(stored(tmp_path / "a.nii", hounsfield.astype(np.int16)))
    assert about.notes == ()
    assert about.spacing == (2, 2)


@pytest.mark.parametrize(("more", "volumes"), [((1, 3), 3), ((2, 3), 6), ((4, 1, 2), 8)])
def test_the_first_of_more_dimensions(
    tmp_path: Path, hounsfield: np.ndarray, more: tuple[int, ...], volumes: int
) -> None:
    first = hounsfield.astype(np.int16)
    values = np.zeros((*first.shape, *more), np.int16)
    values[(..., *[0] * len(more))] = first
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    nib.save(nib.Nifti1Image(first, np.eye(4)), tmp_path / "one.nii")
    assert look(tmp_path / "a.nii").notes == (f"{volumes} volumes, the first is read",)
    assert np.array_equal(read_picture(tmp_path / "a.nii"), read_picture(tmp_path / "one.nii"))
