"""Drawing of a lateral chest X-ray, with the findings visible on it.

The spine is on the right of the image and the breastbone on the left.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from experiments.synthetic.canvas import (
    Box,
    Drawing,
    Plane,
    box_of,
    clouds,
    curve,
    ellipse,
    expose,
    lowest,
    patch,
    plane,
    soft,
    strokes,
)
from experiments.synthetic.person import Finding, Person

HEIGHT = {"upper": (0.10, -0.34), "middle": (-0.02, 0.02), "lower": (0.26, 0.24)}
"""Middle of each lung zone as it falls on a lateral film."""


def _lung(size: int, flat: float) -> tuple[Plane, Plane]:
    """Distance to the border of the lungs seen from the side, and the height of the diaphragm."""
    x, y = plane(size)
    floor = 0.40 + flat * 0.16 + (0.16 - 0.12 * flat) * ((x + 0.22) / 0.5) ** 2
    down = np.clip((y + 0.75) / 0.9, 0, 1)
    front = -0.14 - 0.44 * down**0.7
    back = 0.34 + 0.24 * np.sin(np.pi * np.clip(down * 0.85, 0, 1))
    sides = np.minimum(x - front, back - x)
    top = 0.7 * (y + 0.77 - 1.9 * (x - 0.12) ** 2)
    return lowest(sides, floor - y, top), np.asarray(floor)


def _bones(size: int, rng: np.random.Generator) -> Plane:
    """Spine with its discs, breastbone and ribs."""
    x, y = plane(size)
    middle = 0.52 + 0.10 * np.sin((y + 0.9) * 1.7)
    spine = soft(0.085 - np.abs(x - middle), 0.014) * (0.10 + 0.05 * np.cos(y * 30))
    front = -0.24 - 0.44 * np.clip((y + 0.75) / 0.9, 0, 1) ** 0.7
    bone = soft(0.03 - np.abs(x - front), 0.012) * soft(0.25 - y, 0.03) * soft(y + 0.7, 0.03)
    ribs = [curve((0.50, top), (-0.45, top + 0.40), -0.10) for top in np.arange(-0.72, 0.3, 0.15)]
    return spine + 0.10 * bone + 0.045 * strokes(size, ribs, width=0.05, blur=1.2)


def _spot(finding: Finding, rng: np.random.Generator) -> tuple[float, float]:
    x, y = HEIGHT[finding.zone]
    return x + rng.uniform(-0.06, 0.06), y + rng.uniform(-0.06, 0.06)


def _effusion(size: int, lung: Plane, finding: Finding, rng: np.random.Generator) -> Plane:
    x, y = plane(size)
    level = 0.50 - (0.06 + 0.36 * finding.extent) * (
        0.3 + 0.7 * np.clip((x + 0.3) / 0.8, 0, 1) ** 2
    )
    return 0.85 * soft(y - level, 0.02) * lung


def _consolidation(size: int, lung: Plane, finding: Finding, rng: np.random.Generator) -> Plane:
    radius = 0.18 + 0.07 * finding.extent
    return 0.60 * lung * patch(size, _spot(finding, rng), (radius, radius), rng, width=0.04)


def _mass(size: int, lung: Plane, finding: Finding, rng: np.random.Generator) -> Plane:
    radius = 0.13 + 0.06 * finding.extent
    return (
        0.70
        * lung
        * patch(size, _spot(finding, rng), (radius, radius), rng, ragged=0.14, width=0.01)
    )


def _nodule(size: int, lung: Plane, finding: Finding, rng: np.random.Generator) -> Plane:
    radius = 0.045 + 0.022 * finding.extent
    return 0.50 * lung * ellipse(size, _spot(finding, rng), (radius, radius), width=0.008)


def _edema(size: int, lung: Plane, finding: Finding, rng: np.random.Generator) -> Plane:
    x, y = plane(size)
    reach = ((x - 0.02) / 0.34) ** 2 + ((y + 0.02) / 0.42) ** 2
    haze = np.exp(-reach) * (1 + 0.15 * clouds(size, rng, grain=0.1))
    return np.asarray((0.40 + 0.25 * finding.extent) * haze * lung, dtype=np.float32)


FILLERS: dict[str, Callable[[int, Plane, Finding, np.random.Generator], Plane]] = {
    "ckg:pulmonary_edema": _edema,
    "ckg:consolidation": _consolidation,
    "ckg:lung_mass": _mass,
    "ckg:lung_nodule": _nodule,
    "ckg:pleural_effusion": _effusion,
}
"""Findings that replace air, in the order in which they are painted."""


def draw_lateral(
    size: int,
    person: Person,
    findings: dict[str, Finding],
    streams: Callable[[str], np.random.Generator],
) -> Drawing:
    """Draw a lateral chest X-ray; arguments as for the frontal one."""
    x, y = plane(size)
    boxes: dict[str, Box] = {}
    flat = 0.8 if "ckg:emphysema" in findings else 0.0
    depth, floor = _lung(size, flat)
    lung = soft(depth, 0.010)
    if "ckg:emphysema" in findings:
        boxes["ckg:emphysema"] = box_of(lung)
    large = findings.get("ckg:cardiomegaly")
    radius = 0.24 + (person.heart - 0.44) * 0.3 + (0.08 + 0.05 * large.extent if large else 0.0)
    heart = ellipse(size, (-0.30 + radius * 0.35, 0.22), (radius, radius * 1.05), width=0.02)
    if large:
        boxes["ckg:cardiomegaly"] = box_of(heart, 0.5)
    air = lung * (1 - 0.62 * heart)
    for concept, filler in FILLERS.items():
        if concept in findings:
            layer = filler(size, lung, findings[concept], streams(concept))
            boxes[concept] = box_of(layer)
            air = air * (1 - layer)
    rng = streams("lateral")
    half = 0.72 * person.build - 0.30 * np.clip(-(y + 0.45) / 0.5, 0, 1) ** 1.5
    ratio = np.clip(np.abs(x - 0.02) / half, 0, 1)
    density = soft(half - np.abs(x - 0.02), 0.014) * (0.54 + 0.20 * np.sqrt(1 - ratio**2))
    density = density + 0.06 * soft(y - floor, 0.03)
    density -= (0.44 + 0.06 * flat) * air * (0.7 + 0.3 * gaussian_filter(lung, size / 28))
    root = (0.03, -0.04)
    vessels = [
        curve(root, (root[0] + 0.42 * np.cos(a), root[1] + 0.42 * np.sin(a)), rng.normal(0, 0.06))
        for a in np.linspace(0, 2 * np.pi, 13)[:-1] + rng.normal(0, 0.1, 12)
    ]
    hilum = ellipse(size, root, (0.09, 0.12), width=0.04)
    density += (0.09 * strokes(size, vessels, width=0.016, blur=1.0) + 0.10 * hilum) * lung
    density += _bones(size, rng) * soft(density - 0.08, 0.02)
    density = gaussian_filter(density, 0.55) * float(rng.uniform(0.96, 1.06)) + 0.02
    pixels = expose(density, rng, noise=0.015, gamma=float(rng.uniform(0.9, 1.12)))
    return Drawing(pixels, boxes)
