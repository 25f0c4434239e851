"""Pictures a second from file to tensor: beside torchxrayvision's data sets and MONAI's loader.

Not part of the default suite; needs the extra `benchmark`. Writes a table into `results`:

    python tests/benchmarks/reading.py

All read the same made-up files in one process and one thread, in turns, from a warm disk cache, to
a float tensor of 224 x 224, timed by the processor's clock. torchxrayvision: `NIH_Dataset` for
JPEG, `VinDr_Dataset` for DICOM, cropped and resized by its own transforms, with OpenCV where that
is installed (its faster engine).
MONAI: `LoadImage` with `PILReader` or `PydicomReader`, `Resize` and `ScaleIntensity` (no window is
applied). Ours: from the files; from the pictures that `data prepare --images` keeps.
"""

from __future__ import annotations

import argparse
import csv
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import imagecodecs
import numpy as np
import torch
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid
from torch import Tensor

from encoders.image import Preprocessing
from encoders.reading.pixels import load_pixels
from experiments.datasets.table import Table
from experiments.preparation.prepare import Plan, prepare
from experiments.preparation.store import ImageStore

SIDE, TOGETHER = 224, 16
RESULT = Path(__file__).parent / "results" / "reading.md"
PLAIN = Preprocessing(SIDE, (0.0,), (1.0,))
Reader = Callable[[Sequence[Path]], None]
KINDS: Mapping[str, tuple[int, str]] = {
    "JPEG, 8 bits, 1024 x 1024": (1024, ".jpg"),
    "DICOM, plain, 12 bits, 1024 x 1024": (1024, ".dicom"),
    "DICOM, plain, 12 bits, 2048 x 2048": (2048, ".dicom"),
    "DICOM, JPEG 2000, 12 bits, 2048 x 2048": (2048, ".dicom"),
}


def scan(rng: np.random.Generator, side: int) -> np.ndarray:
    """A made-up radiograph of 12 bits: soft shapes, fine grain."""
    coarse = Image.fromarray(rng.random((24, 24), np.float32)).resize((side, side))
    grain = rng.normal(0, 0.02, (side, side))
    return (np.clip(0.15 + 0.7 * np.asarray(coarse) + grain, 0, 1) * 4095).astype(np.uint16)


def write(path: Path, values: np.ndarray, compressed: bool) -> None:
    """Save a picture as JPEG (quality 90) or windowed DICOM, by the ending."""
    if path.suffix == ".jpg":
        Image.fromarray((values >> 4).astype(np.uint8)).save(path, quality=90)
        return
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless if compressed else ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.PhotometricInterpretation, ds.SamplesPerPixel = "DX", "MONOCHROME2", 1
    ds.Rows, ds.Columns = values.shape
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = values.tobytes()
    if compressed:
        coded = imagecodecs.jpeg2k_encode(
            values, codecformat="j2k", reversible=True, bitspersample=12
        )
        ds.PixelData = encapsulate([bytes(coded)])
        ds["PixelData"].is_undefined_length = True
    ds.save_as(path, enforce_file_format=True)


def ours(files: Sequence[Path]) -> None:
    for start in range(0, len(files), TOGETHER):
        checked(torch.from_numpy(load_pixels(files[start : start + TOGETHER], PLAIN)))


def torchxrayvision(files: Sequence[Path], folder: Path, engine: str) -> Reader:
    """Its data set class over these files."""
    import torchxrayvision as xrv

    both = [xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(SIDE, engine=engine)]

    def transform(picture: np.ndarray) -> np.ndarray:
        return both[1](both[0](picture))

    table = folder / "torchxrayvision.csv"
    if files[0].suffix == ".jpg":
        columns = ("Image Index", "Finding Labels", "Patient ID", "View Position")
        rows = [(file.name, "No Finding", n, "PA", 50, "F") for n, file in enumerate(files)]
        _table(table, (*columns, "Patient Age", "Patient Gender"), rows)
        made = xrv.datasets.NIH_Dataset(str(folder), csvpath=str(table), transform=transform)
    else:
        _table(table, ("image_id", "class_name"), [(file.stem, "No finding") for file in files])
        made = xrv.datasets.VinDr_Dataset(str(folder), csvpath=str(table), transform=transform)
    assert len(made) == len(files)

    def read(_: Sequence[Path]) -> None:
        for place in range(len(made)):
            checked(torch.from_numpy(made[place]["img"]))

    return read


def monai(files: Sequence[Path]) -> Reader:
    """Its loader over these files."""
    from monai.data import Dataset as Files
    from monai.data import PILReader, PydicomReader
    from monai.transforms import Compose, EnsureChannelFirst, LoadImage, Resize, ScaleIntensity

    reader = PILReader(converter=lambda image: image.convert("L"))
    if files[0].suffix != ".jpg":
        reader = PydicomReader()
    steps = [LoadImage(reader, image_only=True), EnsureChannelFirst(channel_dim="no_channel")]
    made = Files(
        [str(file) for file in files], Compose([*steps, Resize((SIDE, SIDE)), ScaleIntensity()])
    )

    def read(_: Sequence[Path]) -> None:
        for place in range(len(made)):
            checked(made[place].as_tensor())

    return read


def prepared(files: Sequence[Path], folder: Path, out: Path) -> tuple[Reader, float]:
    """The pictures that preparing keeps, and the seconds it took to make them."""
    _table(folder / "studies.csv", ("study", "image"), [(file.stem, file.name) for file in files])
    began = time.process_time()
    plan = Plan(side=SIDE, duplicates="list")
    prepare("table", Table(), folder, out, plan=plan)
    took = time.process_time() - began
    store = ImageStore.open(out)

    def read(wanted: Sequence[Path]) -> None:
        names = [file.name for file in wanted]
        for start in range(0, len(names), TOGETHER):
            checked(torch.from_numpy(store.grey(names[start : start + TOGETHER])))

    return read, took


def checked(pictures: Tensor) -> None:
    """What all must give."""
    assert pictures.shape[-2:] == (SIDE, SIDE)
    assert pictures.dtype == torch.float32


def measure(readers: Mapping[str, Reader], files: Sequence[Path], rounds: int) -> dict[str, float]:
    """Pictures a second of processor time: median of rounds in turns, a first one not counted."""
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds + 1):
        for name, read in readers.items():
            began = time.process_time()
            read(files)
            taken[name].append(len(files) / (time.process_time() - began))
    return {name: statistics.median(rates[1:]) for name, rates in taken.items()}


def row(kind: str, count: int, rounds: int) -> str:
    """The line of one kind of file."""
    side, ending = KINDS[kind]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "raw"
        folder.mkdir()
        rng = np.random.default_rng(0)
        files = [folder / f"p{number:04d}{ending}" for number in range(count)]
        for file in files:
            write(file, scan(rng, side), "2000" in kind)
        kept, took = prepared(files, folder, Path(place) / "prepared")
        engine = "cv2" if find_spec("cv2") else "skimage"
        readers = {
            "ours": ours,
            "xrv": torchxrayvision(files, folder, engine),
            "monai": monai(files),
            "prepared": kept,
        }
        rates = measure(readers, files, rounds)
    best = max(rates["xrv"], rates["monai"])
    cells = [f"{rates[name]:,.0f}" for name in ("xrv", "monai", "ours", "prepared")]
    ratios = f"{rates['ours'] / best:.1f} | {rates['prepared'] / best:,.0f}"
    return f"| {kind} | {' | '.join(cells)} | {ratios} | {count / took:,.0f} |"


def _table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([columns, *rows])


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, default=RESULT)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    engine = f"OpenCV {version('opencv-python-headless')}" if find_spec("cv2") else "scikit-image"
    names = ("torch", "torchxrayvision", "monai", "pillow", "pydicom")
    lines = [
        "# From file to tensor, pictures a second",
        "",
        f"`python tests/benchmarks/reading.py --count {given.count} --rounds {given.rounds}`: "
        "one process, one thread, made-up files, warm disk cache, seconds of processor time, "
        "median of the rounds.",
        "",
        f"{', '.join(f'{name} {version(name)}' for name in names)}; torchxrayvision resizes by "
        f"{engine}.",
        "",
        "| files | torchxrayvision | MONAI | kgdx, from files | kgdx, prepared | files / better of "
        "the two | prepared / better of the two | preparing |",
        "|---|---|---|---|---|---|---|---|",
        *(row(kind, given.count, given.rounds) for kind in KINDS),
        "",
        "kgdx decodes JPEG and JPEG 2000 at a half, a quarter or an eighth of their size where "
        "that is enough. Preparing also hashes every file and scanned for near-duplicates.",
    ]
    given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
