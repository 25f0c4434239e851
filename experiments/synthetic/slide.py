"""Drawing of a stained slide of prostate tissue: glands, nuclei and stroma, by grade.

The grade is planted: from 1 to 5 glands become smaller until single cells are left, and nuclei
become larger and less alike. Stain, fixation and procedure change colours, sharpness and outline.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from experiments.synthetic.canvas import Plane, clouds, plane, soft

__all__ = ["Tissue", "draw_slide", "write_slide"]

HEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)
"""Optical density of the stains in red, green and blue (Ruifrok 2001)."""
MICRONS = 1.0
"""Micrometres a pixel."""
LEVELS = (2, 4)
"""Sizes of the pyramid beside the largest, as divisors."""


@dataclass(frozen=True)
class Tissue:
    """What is on the glass.

    Args:
        grade: 1 to 5.
        stain: `he`, or `ihc` with the brown of an antibody in place of eosin.
        frozen: Whether it was frozen, which leaves holes of ice, or fixed in formalin.
        biopsy: Whether it is a narrow core, or a block.
    """

    grade: int
    stain: str
    frozen: bool
    biopsy: bool


def draw_slide(tissue: Tissue, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Colours `[H, W, 3]` of a slide.

    Args:
        tissue: What is on it.
        size: Side in pixels.
        rng: Source of chance.
    """
    x, y = plane(size)
    edge = 0.06 * clouds(size, rng, grain=0.3)
    height = 0.72 if tissue.biopsy else 0.90
    there = soft(np.minimum(0.95 - np.abs(x), height - np.abs(y)) + edge, 0.01)
    stroma = 0.35 + 0.12 * clouds(size, rng, grain=0.08)
    rims, lumens = _glands(tissue, size, rng)
    nuclei = _nuclei(tissue, size, rims, rng)
    pink = np.clip(stroma + 0.35 * rims, 0, 1) * (1 - lumens) * there
    blue = nuclei * (1 - lumens) * there
    if tissue.frozen:
        holes = soft(clouds(size, rng, grain=0.03) - 0.9, 0.1)
        pink, blue = (gaussian_filter(one * (1 - 0.8 * holes), 1.5) for one in (pink, blue))
    second = EOSIN if tissue.stain == "he" else DAB
    strength = 0.9 if tissue.stain == "he" else 0.5
    density = 1.3 * blue[..., None] * np.array(HEMATOXYLIN)
    density = density + strength * pink[..., None] * np.array(second)
    density *= float(rng.uniform(0.85, 1.15))
    light = 0.96 * np.exp(-density) + rng.normal(0, 0.004, density.shape)
    pixels: NDArray[np.uint8] = np.round(np.clip(light, 0, 1) * 255).astype(np.uint8)
    return pixels


def _glands(tissue: Tissue, size: int, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Rims of glands, and their open middles."""
    rims, lumens = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    radius = (46, 36, 26, 17, 8)[tissue.grade - 1]
    step = int(2.6 * radius)
    for top in range(0, size, step):
        for left in range(0, size, step):
            r = radius * float(rng.uniform(0.8, 1.2))
            cy, cx = top + rng.uniform(0.3, 0.7) * step, left + rng.uniform(0.3, 0.7) * step
            up, low = max(int(cy - r - 4), 0), min(int(cy + r + 5), size)
            start, end = max(int(cx - r - 4), 0), min(int(cx + r + 5), size)
            rows, columns = np.ogrid[up:low, start:end]
            away = np.hypot(rows - cy, columns - cx)
            cell = (slice(up, low), slice(start, end))
            rims[cell] = np.maximum(rims[cell], soft(r - away, 1.0) * soft(away - 0.55 * r, 1.0))
            if tissue.grade < 5:
                lumens[cell] = np.maximum(lumens[cell], soft(0.5 * r - away, 1.0))
    return rims, lumens


def _nuclei(tissue: Tissue, size: int, rims: Plane, rng: np.random.Generator) -> Plane:
    """Nuclei, most of them in the rims of glands."""
    number = size * size // 160
    rows, columns = rng.integers(0, size, (2, number))
    kept = rng.random(number) < 0.15 + 0.85 * rims[rows, columns]
    spread = 0.05 + 0.08 * tissue.grade
    made = np.zeros((size, size), np.float32)
    sizes = np.exp(rng.normal(np.log(1.6 + 0.15 * tissue.grade), spread, number))
    for low, high in ((0.0, 1.8), (1.8, 2.5), (2.5, 20.0)):
        some = kept & (sizes >= low) & (sizes < high)
        dots = np.zeros((size, size), np.float32)
        dots[rows[some], columns[some]] = 1
        sigma = float(sizes[some].mean()) if some.any() else 1.0
        made = np.maximum(made, gaussian_filter(dots, sigma) * 2 * np.pi * sigma**2)
    return np.clip(made, 0, 1)


def write_slide(path: Path, pixels: NDArray[np.uint8], *, microns: float = MICRONS) -> None:
    """Write a slide as a scanner does: a tiled SVS file of several sizes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb", "compression": "deflate"}
    high, wide = pixels.shape[:2]
    about = f"Aperio Image Library (made up)\r\n{wide}x{high} |AppMag = 10|MPP = {microns}"
    with tifffile.TiffWriter(path) as file:
        file.write(pixels, description=about, metadata=None, **options)
        file.write(pixels[::8, ::8], description="Aperio thumbnail", metadata=None)
        for step in LEVELS:
            file.write(pixels[::step, ::step], description="Aperio", metadata=None, **options)
