"""Drawing of a lung ultrasound frame, linear or convex, with disease.

It is drawn in the beam's own coordinates, across (0 to 1) and down (0 at the skin, 1 at the
bottom), and bent into a fan where the probe is convex.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d, map_coordinates

from experiments.synthetic.canvas import (
    Box,
    Drawing,
    Plane,
    box_of,
    clouds,
    ellipse,
    plane,
    soft,
)
from experiments.synthetic.person import Finding, Person


@dataclass
class Beam:
    """Layers of a frame while it is drawn; every plane is `[H, W]`, before bending.

    Args:
        size: Side of the image in pixels.
        pleura: Depth of the pleural line for each column, `[W]`.
        line: Brightness of the pleural line for each column, `[W]`.
        ring: Strength of the repeats of the pleural line (A-lines).
        echo: Brightness added below the pleura by disease.
        hush: Share of all other echoes removed by disease, in [0, 1].
    """

    size: int
    pleura: NDArray[np.float32]
    line: NDArray[np.float32]
    ring: float
    echo: Plane
    hush: Plane

    def below(self) -> Plane:
        """Depth below the pleural line, negative above it."""
        return (plane(self.size)[1] + 1) / 2 - self.pleura[None, :]


def _a_lines(beam: Beam, finding: Finding, rng: np.random.Generator) -> Plane:
    """Strong repeats of the pleural line at even steps."""
    beam.ring = 0.55
    below = beam.below()
    layer = np.zeros_like(below)
    for step in (1, 2):
        layer = np.maximum(layer, np.exp(-(((below - step * beam.pleura[None, :]) / 0.015) ** 2)))
    return layer


def _b_lines(beam: Beam, finding: Finding, rng: np.random.Generator) -> Plane:
    """Bright narrow rays from the pleura to the bottom, wiping out the A-lines."""
    across = (plane(beam.size)[0] + 1) / 2
    below = beam.below()
    layer = np.zeros_like(across)
    count = 2 + round(3 * finding.extent)
    starts = np.linspace(0.28, 0.72, count) + rng.uniform(-0.04, 0.04, count)
    for start in starts:
        width = rng.uniform(0.012, 0.03) * (1 + 0.8 * np.clip(below, 0, 1))
        ray = np.exp(-(((across - start) / width) ** 2)) * rng.uniform(0.75, 1.0)
        layer = np.maximum(layer, ray * soft(below, 0.008))
    texture = 1 + 0.15 * clouds(beam.size, rng, grain=0.05)
    beam.echo = np.maximum(beam.echo, 0.75 * layer * texture * (1 - 0.35 * np.clip(below, 0, 1)))
    beam.ring *= 0.25
    return layer


def _irregular(beam: Beam, finding: Finding, rng: np.random.Generator) -> Plane:
    """A thick, wavy and broken pleural line."""
    steps = np.arange(beam.size) / beam.size
    waves = gaussian_filter1d(rng.standard_normal(beam.size), beam.size / 40)
    waves = waves / (np.abs(waves).max() + 1e-6)
    middle = np.exp(-(((steps - 0.5) / 0.32) ** 4))
    beam.pleura = (beam.pleura + 0.035 * waves * middle).astype(np.float32)
    gaps = np.clip(1.2 - 1.6 * (waves > 0.35), 0.15, 1)
    beam.line = (beam.line * (1 - middle + middle * gaps)).astype(np.float32)
    layer = np.asarray(np.exp(-((beam.below() / 0.03) ** 2)) * middle[None, :], dtype=np.float32)
    beam.echo = np.maximum(beam.echo, 0.30 * layer * (1 + 0.5 * clouds(beam.size, rng, grain=0.04)))
    return layer


def _consolidation(beam: Beam, finding: Finding, rng: np.random.Generator) -> Plane:
    """Tissue-like grey lung below the pleura with bright air inside and a shredded border."""
    size, depth = beam.size, 0.18 + 0.12 * finding.extent
    below = beam.below()
    top = float(beam.pleura.mean())
    centre = (rng.uniform(-0.12, 0.12), 2 * (top + depth * 0.35) - 1)
    blob = ellipse(size, centre, (0.40 + 0.1 * finding.extent, depth * 1.7), width=0.02)
    shred = 1 + 0.5 * clouds(size, rng, grain=0.06)
    layer = soft(blob * shred - 0.5, 0.05) * soft(below - 0.012, 0.006)
    bright = np.clip(clouds(size, rng, grain=0.045) - 1.1, 0, 1)
    border = np.clip(gaussian_filter(layer, 2) * (1 - layer) * 3, 0, 1) * soft(below - depth, 0.02)
    beam.hush = np.maximum(beam.hush, layer)
    inside = layer * (0.24 + 0.05 * clouds(size, rng, grain=0.04) + 0.55 * bright)
    beam.echo = np.maximum(beam.echo, np.maximum(inside, 0.6 * border))
    return layer


def _effusion(beam: Beam, finding: Finding, rng: np.random.Generator) -> Plane:
    """Black fluid between the pleura and a bright, sunken lung surface."""
    below = beam.below()
    across = (plane(beam.size)[0] + 1) / 2
    middle = np.exp(-(((across - 0.52) / 0.42) ** 2))
    depth = (0.14 + 0.16 * finding.extent) * middle
    layer = soft(below - 0.012, 0.005) * soft(depth - below, 0.006)
    lung = np.exp(-(((below - depth) / 0.012) ** 2)) * soft(depth - 0.05, 0.02)
    beam.hush = np.maximum(beam.hush, layer)
    beam.echo = np.maximum(beam.echo * (1 - layer), 0.75 * lung)
    return layer


PAINTERS: dict[str, Callable[[Beam, Finding, np.random.Generator], Plane]] = {
    "ckg:irregular_pleural_line": _irregular,
    "ckg:a_lines": _a_lines,
    "ckg:b_lines": _b_lines,
    "ckg:pleural_effusion": _effusion,
    "ckg:ultrasound_consolidation": _consolidation,
}
"""Painters in the order in which they are applied; the pleura is shaped before all else."""


def _tissue(beam: Beam, rng: np.random.Generator) -> tuple[Plane, Plane]:
    """Skin, muscle and fat above the pleura, and the shadows of two ribs."""
    across, down = (plane(beam.size)[0] + 1) / 2, (plane(beam.size)[1] + 1) / 2
    below = beam.below()
    layers = 0.36 + 0.12 * np.sin(down * 95 + 2.5 * clouds(beam.size, rng, grain=0.6))
    tissue = layers * soft(-below, 0.01) * (0.75 + 0.5 * np.exp(-down * 14))
    shadow = np.ones_like(across)
    ribs = np.zeros_like(across)
    for middle in (0.04 + rng.uniform(-0.04, 0.03), 0.96 + rng.uniform(-0.03, 0.04)):
        top = float(beam.pleura.mean()) - 0.075
        bow = ((across - middle) / 0.16) ** 2 * 0.07
        near = np.exp(-(((across - middle) / 0.13) ** 6))
        ribs = np.maximum(ribs, np.exp(-(((down - top - bow) / 0.016) ** 2)) * near)
        shadow = np.minimum(shadow, 1 - near * soft(down - top - bow - 0.01, 0.012) * 0.93)
    return np.maximum(tissue, 0.85 * ribs), shadow


@lru_cache(maxsize=2)
def _fan(size: int) -> tuple[NDArray[np.float64], Plane]:
    """Beam coordinates of each pixel of a convex image, and True inside the fan."""
    x, y = plane(size)
    apex, near, far, half = -1.55, 0.62, 2.48, 0.60
    radius = np.hypot(x, y - apex)
    angle = np.arctan2(x, y - apex)
    down = (radius - near) / (far - near)
    across = angle / (2 * half) + 0.5
    inside = (down >= 0) & (down <= 1) & (across >= 0) & (across <= 1)
    return np.stack([down * (size - 1), across * (size - 1)]), inside.astype(np.float32)


def _bend(picture: Plane, size: int) -> Plane:
    """Bend a beam image into the fan of a convex probe; black outside it."""
    places, inside = _fan(size)
    bent = map_coordinates(picture, places, order=1, mode="nearest")
    return np.asarray(bent * inside, dtype=np.float32)


def draw_ultrasound(
    size: int,
    person: Person,
    findings: dict[str, Finding],
    streams: Callable[[str], np.random.Generator],
    *,
    convex: bool,
) -> Drawing:
    """Draw an ultrasound frame; arguments as for the frontal X-ray.

    Args:
        size: Side of the image in pixels.
        person: The patient.
        findings: Findings to draw, by concept.
        streams: Random generator by name of the item.
        convex: True for a convex probe (a fan), False for a linear one (a rectangle).
    """
    rng = streams("beam")
    steps = np.arange(size) / size
    depth = 0.22 + 0.04 * person.build + rng.uniform(-0.03, 0.03)
    pleura = depth + 0.02 * np.cos((steps - rng.uniform(0.4, 0.6)) * 4) - 0.02
    zero = np.zeros((size, size), np.float32)
    beam = Beam(size, pleura.astype(np.float32), np.ones(size, np.float32), 0.06, zero, zero)
    painted = {
        concept: paint(beam, findings[concept], streams(concept))
        for concept, paint in PAINTERS.items()
        if concept in findings
    }
    below = beam.below()
    tissue, shadow = _tissue(beam, rng)
    line = np.exp(-((below / 0.013) ** 2)) * beam.line[None, :]
    repeats: Plane = zero
    for step in (1, 2, 3):
        repeats = repeats + np.exp(-(((below - step * pleura[None, :]) / 0.013) ** 2)) * 0.75**step
    lung = (0.17 * np.exp(-np.clip(below, 0, 1) * 2.6) + beam.ring * repeats) * soft(below, 0.006)
    picture = np.maximum(tissue, lung * (1 - 0.92 * beam.hush))
    picture = np.maximum(picture, beam.echo * soft(below + 0.02, 0.006))
    picture = np.maximum(picture * shadow, 0.98 * line * (0.35 + 0.65 * shadow))
    speckle = np.abs(rng.standard_normal((size, size)) + 1j * rng.standard_normal((size, size)))
    speckle = gaussian_filter(speckle.astype(np.float32), (0.5, 1.1)) / 1.2533
    picture = np.clip(picture * (0.35 + 0.65 * speckle) * float(rng.uniform(0.9, 1.12)), 0, 1)
    boxes: dict[str, Box] = {}
    for concept, layer in painted.items():
        seen = layer * shadow
        boxes[concept] = box_of(_bend(seen, size) if convex else seen)
    picture = _bend(picture, size) if convex else picture
    return Drawing(np.asarray(picture * 255, dtype=np.uint8), boxes)
