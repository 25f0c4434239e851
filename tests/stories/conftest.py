"""Studies of a user, and what stands in a file, decoded: parquet, zip, tar, gzip and base64."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def texts_of() -> Callable[[Path], Iterator[str]]:
    """Every text in a file, as it is and decoded."""
    return lambda path: _texts(path.read_bytes())


def _texts(content: bytes) -> Iterator[str]:
    yield content.decode("latin-1")
    yield content.replace(b"\0", b"").decode("latin-1")
    yield content.decode("utf-8", "replace")
    if content[:4] == b"PAR1":
        yield str(parquet.read_table(io.BytesIO(content)).to_pylist())
        yield str(parquet.read_schema(io.BytesIO(content)))
    elif content[:2] == b"\x1f\x8b":
        yield from _texts(gzip.decompress(content))
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as held:
            for name in held.namelist():
                yield name
                yield from _texts(held.read(name))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                yield member.name
                file = tar.extractfile(member)
                yield from _texts(file.read() if file else b"")
    for coded in re.findall(rb"[A-Za-z0-9+/]{64,}={0,2}", content):
        bare = coded.rstrip(b"=")
        # bytes that look like base64 by chance may be one letter too long
        yield base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + b"==").decode("latin-1")


@pytest.fixture(scope="session")
def own_studies() -> Callable[[Path], None]:
    """Writes 60 studies of 30 patients, every second report in its own file, and a new patient."""
    return _own_studies


def _own_studies(here: Path) -> None:
    (here / "pictures").mkdir()
    (here / "reports").mkdir()
    rng = np.random.default_rng(0)
    with (here / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("study", "patient", "image", "report", "Cardiomegaly", "pleural effusion"))
        for number in range(60):
            large, fluid = rng.integers(2), rng.integers(2)
            image = f"pictures/{number}.png"
            _draw(here / image, rng, bool(large), bool(fluid))
            report = (
                f"Findings: The heart is {'enlarged' if large else 'normal in size'}. "
                f"{'There is a' if fluid else 'No'} pleural effusion."
            )
            if number % 2:
                (here / "reports" / f"{number}.txt").write_text(report)
                report = f"reports/{number}.txt"
            writer.writerow((f"s{number}", f"p{number // 2}", image, report, large, fluid))
    (here / "new patient").mkdir()
    _draw(here / "new patient" / "chest.png", np.random.default_rng(1), True, False)
    (here / "new patient" / "report.txt").write_text("Findings: Sternotomy wires.")


def _draw(path: Path, rng: np.random.Generator, large: bool, fluid: bool) -> None:
    grey = rng.integers(20, 60, (64, 64))
    grey[24:40, 28:36] += 120
    if large:
        grey[20:44, 16:48] += 70
    if fluid:
        grey[48:, :20] += 120
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(path)
