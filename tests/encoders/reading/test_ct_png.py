"""Slices of CT in PNG of 16 bits, HU + 32768, are shown in a window; other PNG are as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from encoders.reading.picture import read_picture
from encoders.reading.windowing import WINDOWS


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values.astype(np.uint16)).save(path)
    return path


def test_a_slice_is_shown_in_its_window(tmp_path: Path) -> None:
    units = np.linspace(-1024, 1500, 64 * 64).reshape(64, 64).round()
    path = saved(tmp_path / "a.png", units + 32768)
    for name in ("", "lung", "mediastinum", "bone"):
        shown = WINDOWS[name or "lung"].apply(units.astype(np.float32))
        np.testing.assert_allclose(read_picture(path, window=name), shown, atol=1e-6)


def test_a_radiograph_of_16_bits_is_not_a_slice(tmp_path: Path) -> None:
    for low, high in ((0, 65535), (0, 4095), (20_000, 33_000), (32_000, 40_000)):
        values = np.linspace(low, high, 64 * 64).reshape(64, 64).round()
        read = read_picture(saved(tmp_path / "b.png", values), window="lung")
        np.testing.assert_allclose(read, values / 65535, atol=1e-6)
