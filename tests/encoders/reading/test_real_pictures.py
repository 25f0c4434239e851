"""Real pictures in the formats they are published in are read, and each one once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from encoders.reading.picture import look, read_picture

DATA = Path(os.environ.get("KGDX_DATA", "../shared/data"))


@pytest.mark.skipif(not DATA.is_dir(), reason="KGDX_DATA names no folder of data sets")
@pytest.mark.parametrize(
    ("folder", "count"), [("figure1", 55), ("cov_ctr", 636), ("covid_chestxray", 638)]
)
def test_every_picture_is_a_still_that_is_read(folder: str, count: int) -> None:
    paths = sorted(path for path in (DATA / folder / "images").rglob("*") if path.is_file())
    assert len(paths) == count
    for path in paths[:: max(1, count // 60)]:
        assert look(path).parts == 1
        grey = read_picture(path, target=64)
        assert grey.dtype == np.float32
        assert 0 <= grey.min() < grey.max() <= 1
