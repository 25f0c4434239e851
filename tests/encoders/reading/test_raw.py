"""JSRT's pictures of bare numbers are told by their length and values, and shown bright."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.reading.picture import look, read_picture
from encoders.reading.raw import LENGTH
from encoders.reading.rejected import RejectedImage


@pytest.fixture
def values() -> np.ndarray:
    return (np.arange(2048**2) % 4096).reshape(2048, 2048).astype(">u2")


def reason(path: Path) -> str:
    with pytest.raises(RejectedImage) as caught:
        read_picture(path)
    return caught.value.reason


@pytest.mark.parametrize("name", ["JPCLN001.IMG", "a.img", "no ending"])
def test_dark_is_high(tmp_path: Path, values: np.ndarray, name: str) -> None:
    values.tofile(tmp_path / name)
    assert (tmp_path / name).stat().st_size == LENGTH
    grey = read_picture(tmp_path / name)
    assert (look(tmp_path / name).parts, grey.shape, grey.dtype) == (1, (2048, 2048), np.float32)
    assert grey[0, 0] == 1
    assert grey[1, 2047] == 0  # 4095
    assert grey[0, 1000] == np.float32(3095) / np.float32(4095)


def test_what_only_has_the_length_is_no_picture(tmp_path: Path, values: np.ndarray) -> None:
    path = tmp_path / "a.IMG"
    values.byteswap().tofile(path)  # little-endian: 4095 is 65295
    assert reason(path) == "not_an_image"
    path.write_bytes(b"a text of the very length".ljust(LENGTH))
    assert reason(path) == "not_an_image"
    path.write_bytes(bytes(LENGTH))
    assert reason(path) == "degenerate"
    path.write_bytes(values.tobytes()[:-2])
    assert reason(path) == "not_an_image"
    path.write_bytes(b"\xff\xd8\xff" + values.tobytes()[3:])
    assert reason(path) == "truncated"
