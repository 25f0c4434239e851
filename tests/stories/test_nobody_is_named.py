"""What a file says of a person (name, number, dates) is in nothing that is written or printed.

A cohort whose every file names a canary is checked, prepared, trained on, predicted and reported,
broken files among them; then all that was written outside the raw folder is searched.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import nibabel
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from experiments.cli.main import main

NAME, NUMBER, BORN, TAKEN = "CANARYNAME^ANNA", "CANARY-4711", "19010203", "19020304"
SERIES = "1.2.826.0.1.4711.815.42"
CANARIES = ("canary", BORN, TAKEN, "4711.815.42")
KINDS = ("a.dcm", "b.nii.gz", "c.mp4", "d.gif", "e.png", "f.jpg", "g.tif", "h.dcm")
CONFIG = """\
name: named
about: Files that name people.
data: {name: table, labels: own, at_least: 2}
split: {kind: fixed}
text: {test: none}
image:
  encoder: {name: tiny_cnn, options: {size: 32, width: 64, weights: random}}
  grid: 2
  pool: mean
  reduce: 0
graph: {width: 16}
system: {name: logistic_image}
stages: []
"""


def dicom(written: Callable[..., Path], path: Path, pixels: np.ndarray, **more: object) -> Path:
    """A DICOM file that says all it can of a person."""
    from pydicom import dcmread

    written(path, pixels, **more)
    ds = dcmread(path)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = NAME, NUMBER, BORN
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = TAKEN
    ds.OtherPatientNames = ds.ReferringPhysicianName = ds.OperatorsName = NAME
    ds.AccessionNumber = ds.StudyID = NUMBER
    ds.InstitutionName = ds.PatientComments = ds.ImageComments = f"{NAME} {NUMBER}"
    ds.SeriesInstanceUID = ds.StudyInstanceUID = SERIES
    ds.BurnedInAnnotation = "YES"
    ds.file_meta.PrivateInformationCreatorUID = SERIES
    ds.file_meta.PrivateInformation = NAME.encode()
    ds.private_block(0x0011, "CANARY", create=True).add_new(1, "LO", NAME)
    ds.save_as(path)
    return path


def clip(path: Path, pixels: np.ndarray) -> None:
    """A film whose title is a name."""
    with av.open(path, "w", format="mp4") as output:
        output.metadata.update({"title": NAME, "comment": NUMBER, "date": BORN})
        stream = output.add_stream("mpeg4", rate=10)
        stream.height, stream.width = pixels.shape
        for shift in range(6):
            grey = np.roll(pixels, shift * 8, axis=1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
        output.mux(stream.encode())


@pytest.fixture
def raw(tmp_path: Path, written: Callable[..., Path]) -> Path:
    """32 studies in eight formats, two of them broken, and a configuration."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(32):
        ill = number // 8 % 2
        pixels = rng.integers(20, 90, (64, 64)).astype(np.uint8)
        pixels[16:40, 16:40] += np.uint8(100 * ill)
        name = f"{number}{KINDS[number % 8]}"
        _write(folder / name, pixels, written)
        rows.append((f"s{number}", f"p{number}", name, ill))
    with (folder / "studies.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("study", "patient", "image", "Cardiomegaly"))
        writer.writerows(rows)
    (tmp_path / "named.yaml").write_text(CONFIG)
    return folder


def _write(path: Path, pixels: np.ndarray, written: Callable[..., Path]) -> None:
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x013B] = exif[0x010E] = NAME
    exif[0x9003] = TAKEN
    ending = path.name.lstrip("0123456789")[1:]
    if ending == ".dcm":
        dicom(written, path, pixels.astype(np.uint16) * 9, Modality="CR")
    elif ending == ".nii.gz":
        volume = nibabel.Nifti1Image(np.repeat(pixels[:, :, None], 5, 2), np.eye(4))
        volume.header["descrip"] = volume.header["db_name"] = NAME.encode()
        nibabel.save(volume, path)
    elif ending == ".mp4":
        clip(path, pixels)
    elif ending == ".png":
        about = PngInfo()
        about.add_text("Patient", NAME)
        image.save(path, pnginfo=about, exif=exif)
    elif ending == ".gif":
        frames = [Image.fromarray(np.roll(pixels, 8, 1))]
        image.save(path, comment=NAME.encode(), save_all=True, append_images=frames)
    elif ending == ".tif":
        image.save(path, tiffinfo={270: NAME, 315: NUMBER, 306: TAKEN})
    else:
        image.save(path, comment=NAME.encode(), exif=exif)


def test_nobody_is_named(
    raw: Path,
    written: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    texts_of: Callable[[Path], Iterator[str]],
) -> None:
    monkeypatch.chdir(raw.parent)
    caplog.set_level(logging.DEBUG)
    root = ["--root", str(raw)]
    assert main(["data", "check", "table", *root]) == 0
    assert main(["data", "prepare", "table", *root, "-o", "prepared"]) == 0
    assert main(["experiment", "run", "named.yaml", *root, "--runs", "runs"]) == 0
    run = next(path.name for path in Path("runs").iterdir() if path.name.startswith("named"))
    using = ["--run", run, "--runs", "runs"]
    series = raw / "series"
    series.mkdir()
    for z in (0, 10, 30):
        place = {"ImagePositionPatient": [0, 0, z], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        pixels = np.random.default_rng(z).integers(0, 999, (32, 32)).astype(np.uint16)
        dicom(written, series / f"{z}.dcm", pixels, Modality="CT", **place)
    broken = damaged(raw)
    inputs = [str(series), *map(str, broken), *(str(raw / f"{n}") for n in ("0a.dcm", "1b.nii.gz"))]
    assert main(["predict", *inputs, *using, "-o", "out.csv"]) == 0
    assert main(["predict", "-v", str(broken[0]), *using]) == 3
    assert main(["experiment", "report", run, "--runs", "runs", "-o", "page.html"]) == 0
    said = capfd.readouterr()
    assert "gaps between slices" in said.err
    assert "burned into the pixels" in said.err
    assert "rejected" in said.err
    found = [
        f"{place}: {canary}"
        for place, text in everything(raw, said.out + said.err + caplog.text, texts_of)
        for canary in CANARIES
        if canary in text.lower()
    ]
    assert not found


def damaged(raw: Path) -> list[Path]:
    """Broken copies: cut off, misspelt lengths, a name where a number belongs."""
    whole = (raw / "0a.dcm").read_bytes()
    copies = {
        "cut.dcm": whole[:-2000],
        "head.dcm": whole[:700],
        "bare.dcm": whole[132:-9000],
        "number.dcm": whole.replace(b"CR", b"\\\\").replace(b"US\x02\x00", b"US\x22\x00"),
        "volume.nii.gz": (raw / "1b.nii.gz").read_bytes()[:-200],
        "clip.mp4": (raw / "2c.mp4").read_bytes()[:-900],
        "still.png": (raw / "4e.png").read_bytes()[:-900],
    }
    for name, content in copies.items():
        (raw / name).write_bytes(content)
    return [raw / name for name in copies]


def everything(
    raw: Path, printed: str, texts_of: Callable[[Path], Iterator[str]]
) -> Iterator[tuple[str, str]]:
    """All that was written outside the raw folder, unpacked, with what was printed."""
    yield "printed", printed
    for path in sorted(raw.parent.rglob("*")):
        if path.is_relative_to(raw):
            continue
        yield "a file's name", path.name
        if path.is_file():
            for text in texts_of(path):
                yield str(path), text


def test_the_search_finds_what_is_there(
    raw: Path, texts_of: Callable[[Path], Iterator[str]]
) -> None:
    """A search that finds nothing in the raw files would prove nothing."""
    for name in ("0a.dcm", "2c.mp4", "4e.png", "6g.tif"):
        (raw.parent / name).write_bytes((raw / name).read_bytes())
    (raw.parent / "1b.nii.gz").write_bytes((raw / "1b.nii.gz").read_bytes())
    table = {place for place, text in everything(raw, "", texts_of) if "canaryname" in text.lower()}
    assert {Path(place).name for place in table} == {
        "0a.dcm",
        "1b.nii.gz",
        "2c.mp4",
        "4e.png",
        "6g.tif",
    }
