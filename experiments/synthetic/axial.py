"""Drawing of an axial CT slice of the chest in a lung window, with disease.

The patient lies on the back: the spine is at the bottom, the right lung on the left of the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    highest,
    lowest,
    patch,
    plane,
    soft,
    strokes,
)
from experiments.synthetic.person import SIDES, Finding, Person

SIGN = {"right": -1.0, "left": 1.0}
CENTRE = {"right": (-0.40, 0.02), "left": (0.41, 0.04)}
FLOAT = {"upper": -0.22, "middle": 0.02, "lower": 0.26}
"""Position of a zone's lesion in the slice, from front to back."""


@dataclass
class Slice:
    """Layers of a slice while it is drawn; every plane is `[H, W]`.

    Args:
        size: Side of the image in pixels.
        lungs: Both lungs, 1 inside.
        rim: Distance to the pleura, positive inside a lung.
        filled: Brightness added to the lung by disease.
    """

    size: int
    lungs: Plane
    rim: Plane
    filled: Plane

    def fill(self, layer: Plane) -> None:
        """Replace a share of the air, in [0, 1]."""
        self.filled = 1 - (1 - self.filled) * (1 - np.clip(layer, 0, 1))


def _sides(finding: Finding) -> tuple[str, ...]:
    return SIDES if finding.side == "both" else (finding.side,)


def _lung_rim(size: int, person: Person) -> Plane:
    """Distance to the pleura: two lungs with the heart and the spine pressed into them."""
    x, y = plane(size)
    rims = []
    for side, (cx, cy) in CENTRE.items():
        px, py = (x - cx) / (0.335 * person.build), (y - cy) / 0.50
        bean = 1 - np.sqrt(px**2 + py**2)
        inward = 0.10 + 0.05 * np.cos(3 * y)
        rims.append(np.minimum(bean * 0.36, (SIGN[side] * x - inward)))
    rim = highest(*rims)
    heart = np.sqrt(((x - 0.10) / 0.33) ** 2 + ((y + 0.16) / 0.27) ** 2) - 1
    back = np.sqrt((x / 0.17) ** 2 + ((y - 0.42) / 0.22) ** 2) - 1
    return lowest(rim, heart * 0.27, back * 0.17)


def _peripheral(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """Two or three patches along the pleura on each side of the finding."""
    layer = np.zeros((slice_.size, slice_.size), np.float32)
    for side in _sides(finding):
        cx, cy = CENTRE[side]
        start = {"upper": -0.7, "middle": 0.1, "lower": 0.75}[finding.zone]
        for turn in (start - 0.35, start + 0.45):
            angle = turn + rng.uniform(-0.2, 0.2)
            centre = (cx + SIGN[side] * 0.25 * np.cos(angle), cy + 0.38 * np.sin(angle))
            radii = (0.11 + 0.07 * finding.extent, 0.12 + 0.07 * finding.extent)
            layer = np.maximum(layer, patch(slice_.size, centre, radii, rng, width=0.03))
    return layer * slice_.lungs


def _ground_glass(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """Hazy grey patches through which vessels are still seen."""
    layer = _peripheral(slice_, finding, rng)
    slice_.fill((0.30 + 0.12 * finding.extent) * layer)
    return layer


def _crazy_paving(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """Ground glass with a net of thickened septa on top."""
    layer = _peripheral(slice_, finding, rng)
    net = 1 - np.clip(np.abs(clouds(slice_.size, rng, grain=0.05)) / 0.30, 0, 1)
    slice_.fill(layer * (0.26 + 0.42 * net))
    return layer


def _consolidation(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """A white patch with dark air bronchograms, mostly at the back."""
    side = _sides(finding)[0]
    centre = (CENTRE[side][0] + SIGN[side] * 0.06, FLOAT[finding.zone] + 0.06)
    radii = (0.15 + 0.07 * finding.extent, 0.14 + 0.06 * finding.extent)
    layer = patch(slice_.size, centre, radii, rng, ragged=0.5, width=0.02) * slice_.lungs
    tubes = [
        curve((SIGN[side] * 0.17, 0.05), (centre[0] + dx, centre[1] + dy), 0.1)
        for dx, dy in rng.uniform(-0.13, 0.13, (5, 2))
    ]
    bronchi = strokes(slice_.size, tubes, width=0.016, blur=0.5)
    slice_.fill(layer * (0.86 - 0.62 * bronchi))
    return layer


def _effusion(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """A crescent of fluid at the back."""
    x, y = plane(slice_.size)
    layer = np.zeros_like(x)
    for side in _sides(finding):
        cx = CENTRE[side][0]
        level = 0.36 - 0.22 * finding.extent + 0.5 * (x - cx) ** 2
        layer = np.maximum(layer, soft(y - level, 0.012) * (np.sign(x) == SIGN[side]))
    layer = layer * slice_.lungs
    slice_.fill(0.93 * layer)
    return layer


def _nodule(slice_: Slice, finding: Finding, rng: np.random.Generator) -> Plane:
    """One round white spot."""
    side = _sides(finding)[0]
    radius = 0.035 + 0.025 * finding.extent
    centre = (CENTRE[side][0] + rng.uniform(-0.06, 0.10) * SIGN[side], FLOAT[finding.zone])
    layer = ellipse(slice_.size, centre, (radius, radius), width=0.006) * slice_.lungs
    slice_.fill(0.85 * layer)
    return layer


PAINTERS: dict[str, Callable[[Slice, Finding, np.random.Generator], Plane]] = {
    "ckg:ground_glass_opacity": _ground_glass,
    "ckg:crazy_paving_pattern": _crazy_paving,
    "ckg:consolidation": _consolidation,
    "ckg:lung_nodule": _nodule,
    "ckg:pleural_effusion": _effusion,
}
"""Painters in the order in which they are applied."""


def _frame(size: int, person: Person) -> tuple[Plane, Plane]:
    """Soft tissue with its fat, and bones: ribs around the chest, spine, breastbone."""
    wide, high = 0.90 * person.build, 0.70
    skin = ellipse(size, (0, 0.06), (wide, high), width=0.010)
    muscle = ellipse(size, (0, 0.06), (wide * 0.92, high * 0.91), width=0.014)
    soft_tissue = 0.55 * skin + 0.17 * muscle
    arcs = []
    for angle in np.linspace(0, 2 * np.pi, 15)[:-1]:
        turn = np.linspace(angle - 0.13, angle + 0.13, 6)
        arcs.append(list(zip(wide * 0.84 * np.cos(turn), 0.05 + 0.585 * np.sin(turn), strict=True)))
    ribs = strokes(size, arcs, width=0.050, blur=0.6)
    marrow = strokes(size, arcs, width=0.022, blur=0.6)
    body = ellipse(size, (0, 0.46), (0.12, 0.10), width=0.010)
    canal = ellipse(size, (0, 0.585), (0.055, 0.04), width=0.008)
    spines = strokes(
        size, [[(0, 0.62), (0, 0.74)], [(-0.2, 0.58), (0, 0.62), (0.2, 0.58)]], width=0.05, blur=0.6
    )
    bones = highest(ribs - 0.35 * marrow, body, 0.9 * spines) * (1 - 0.7 * canal)
    return soft_tissue, bones


def _vessels(size: int, rng: np.random.Generator) -> Plane:
    """Branches from the hila and round cross-sections, small towards the pleura."""
    trunks, twigs, dots = [], [], []
    for sign in SIGN.values():
        root = (sign * 0.15, 0.08)
        for angle in np.linspace(-1.3, 1.3, 7) + rng.normal(0, 0.08, 7):
            end = (root[0] + sign * 0.22 * np.cos(angle), root[1] + 0.25 * np.sin(angle))
            trunks.append(curve(root, end, rng.normal(0, 0.1)))
            for turn in rng.normal(0, 0.4, 2):
                tip = (
                    end[0] + sign * 0.17 * np.cos(angle + turn),
                    end[1] + 0.2 * np.sin(angle + turn),
                )
                twigs.append(curve(end, tip, rng.normal(0, 0.1)))
        for px, py in rng.uniform((0.14, -0.4), (0.70, 0.45), (26, 2)):
            dots.append([(sign * px, py), (sign * px + 0.006, py + 0.004)])
    return highest(
        0.75 * strokes(size, trunks, width=0.030, blur=0.6),
        0.50 * strokes(size, twigs, width=0.012, blur=0.5),
        0.60 * strokes(size, dots, width=0.018, blur=0.5),
    )


def draw_axial(
    size: int,
    person: Person,
    findings: dict[str, Finding],
    streams: Callable[[str], np.random.Generator],
) -> Drawing:
    """Draw an axial CT slice; arguments as for the frontal X-ray."""
    x, y = plane(size)
    rng = streams("slice")
    rim = _lung_rim(size, person)
    slice_ = Slice(size, soft(rim, 0.008), rim, np.zeros_like(x))
    boxes: dict[str, Box] = {}
    for concept, paint in PAINTERS.items():
        if concept in findings:
            boxes[concept] = box_of(paint(slice_, findings[concept], streams(concept)))
    tissue, bones = _frame(size, person)
    aorta = ellipse(size, (0.13, 0.34), (0.085, 0.085), width=0.010)
    air = soft(0.035 - np.sqrt((x + 0.10) ** 2 + (y - 0.16) ** 2), 0.008)
    air = air + soft(0.032 - np.sqrt((x - 0.13) ** 2 + (y - 0.15) ** 2), 0.008)
    density = np.maximum(tissue, 0.72 * aorta)
    density = density * (1 - slice_.lungs) + slice_.lungs * (
        0.10 + 0.03 * gaussian_filter(y, 3) + 0.68 * slice_.filled
    )
    open_lung = slice_.lungs * soft(rim - 0.03, 0.012)
    density = np.maximum(density, _vessels(size, rng) * open_lung * 0.95)
    density = density * (1 - 0.85 * air) + 0.30 * bones * (1 - slice_.lungs)
    table = [curve((-0.98, 0.82), (0.98, 0.82), 0.06)]
    density += 0.25 * strokes(size, table, width=0.02, blur=0.5) * (1 - soft(tissue - 0.3, 0.02))
    density = gaussian_filter(density, 0.45) * float(rng.uniform(0.95, 1.05)) + 0.01
    return Drawing(expose(density, rng, noise=0.022, gamma=float(rng.uniform(0.92, 1.1))), boxes)
