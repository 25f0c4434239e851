"""Drawing of each finding on a frontal chest X-ray.

Each painter changes the layers of a `Chest` and returns its own layer, which gives the box of the
finding.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from experiments.synthetic.canvas import (
    Box,
    Drawing,
    Line,
    Plane,
    box_of,
    clouds,
    curve,
    ellipse,
    highest,
    patch,
    plane,
    smooth,
    soft,
    strokes,
)
from experiments.synthetic.chest import SIGN, Build, Chest, compose
from experiments.synthetic.person import SIDES, Finding, Person

Painter = Callable[[Chest, Finding, np.random.Generator], Plane]

HEIGHT = {"upper": -0.38, "middle": -0.04, "lower": 0.24}
"""Middle of each lung zone."""


def _sides(finding: Finding) -> tuple[str, ...]:
    return SIDES if finding.side == "both" else (finding.side,)


def _spot(
    finding: Finding, rng: np.random.Generator, *, near: float, far: float
) -> tuple[float, float]:
    """A position in the finding's side and zone, `near` to `far` from the midline."""
    side = finding.side if finding.side != "both" else "right"
    across = rng.uniform(near, far) * (0.8 if finding.zone == "upper" else 1.0)
    return SIGN[side] * across, HEIGHT[finding.zone] + rng.uniform(-0.06, 0.06)


def _effusion(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """Fluid with a meniscus that rises along the chest wall."""
    x, y = plane(chest.size)
    layer = np.zeros_like(x)
    for side in _sides(finding):
        across = np.clip((x * SIGN[side] - 0.12) / (chest.build.width - 0.12), 0, 1)
        base = chest.build.base[side]
        level = base + 0.06 - (0.14 + 0.42 * finding.extent) * (0.45 + 0.55 * across**3)
        level = level + rng.uniform(-0.01, 0.01)
        layer = np.maximum(layer, soft(y - level, 0.018) * chest.lungs[side])
    chest.fill(0.93 * layer)
    chest.clear(layer)
    return layer


def _pneumothorax(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A lung that has come off the wall: a fine line, black and empty outside it."""
    side = _sides(finding)[0]
    gap = 0.07 + 0.13 * finding.extent
    x, y = plane(chest.size)
    across = np.clip((x * SIGN[side] - 0.2) / (chest.build.width - 0.2), 0, 1)
    lung = chest.reach(side, lateral=gap, apical=0.0)
    lung = np.minimum(lung, y - chest.build.apex - gap * (1.3 + 1.6 * across**2))
    free = chest.lungs[side] * soft(-lung, 0.008)
    free = free * soft(chest.build.base[side] + 0.02 - y, 0.05)
    rim = np.exp(-((lung / 0.011) ** 2)) * chest.lungs[side]
    chest.clear(free)
    chest.added += 0.11 * rim * soft(free + rim - 0.3, 0.1) - 0.085 * free
    chest.fill(0.10 * chest.lungs[side] * (1 - free))
    return free


def _consolidation(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A dense patch of one zone with dark air bronchograms."""
    centre = _spot(finding, rng, near=0.34, far=0.48)
    radii = (0.16 + 0.07 * finding.extent, 0.15 + 0.07 * finding.extent)
    layer = patch(chest.size, centre, radii, rng, ragged=0.45, width=0.035) * chest.both
    root = (np.sign(centre[0]) * 0.2, 0.0)
    tubes = [
        curve(root, (centre[0] + dx, centre[1] + dy), 0.08)
        for dx, dy in rng.uniform(-0.12, 0.12, (4, 2))
    ]
    bronchi = strokes(chest.size, tubes, width=0.014, blur=0.8) * layer
    chest.fill(0.80 * layer * (1 + 0.08 * clouds(chest.size, rng, grain=0.06)) - 0.28 * bronchi)
    chest.clear(0.8 * layer)
    return layer


def _infiltrate(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """Ill-defined patchy shadowing, thinner than consolidation."""
    centre = _spot(finding, rng, near=0.34, far=0.50)
    radii = (0.20 + 0.06 * finding.extent, 0.20 + 0.06 * finding.extent)
    layer = patch(chest.size, centre, radii, rng, ragged=1.0, width=0.06) * chest.both
    grain = np.clip(0.75 + 0.45 * clouds(chest.size, rng, grain=0.07), 0.2, 1.3)
    chest.fill(0.42 * layer * grain)
    return layer


def _ground_glass(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """Hazy patches along the chest wall of both lungs; vessels stay visible."""
    layer: Plane = np.zeros((chest.size, chest.size), np.float32)
    for side in _sides(finding):
        for height in (HEIGHT["middle"] + 0.02, HEIGHT["lower"] + 0.05):
            centre = (SIGN[side] * rng.uniform(0.54, 0.62), height + rng.uniform(-0.08, 0.08))
            radii = (0.15 + 0.07 * finding.extent, 0.16 + 0.06 * finding.extent)
            layer = np.maximum(layer, patch(chest.size, centre, radii, rng, width=0.05))
    layer = layer * chest.both
    chest.fill((0.30 + 0.14 * finding.extent) * layer)
    return layer


def _atelectasis(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """Plate-like bands above a raised, hazy base."""
    lines: list[Line] = []
    for side in _sides(finding):
        sign, low = SIGN[side], chest.build.base[side] - 0.10
        height = low if finding.zone == "lower" else HEIGHT[finding.zone]
        for step in range(2 + round(finding.extent)):
            y = height - 0.075 * step + rng.uniform(-0.015, 0.015)
            start, end = (
                (sign * rng.uniform(0.24, 0.32), y + 0.02),
                (sign * rng.uniform(0.58, 0.66), y),
            )
            lines.append(curve(start, end, rng.normal(0, 0.03)))
    band = strokes(chest.size, lines, width=0.032, blur=0.9) * chest.both
    haze = gaussian_filter(band, chest.size / 26) * chest.both
    layer = highest(band, np.clip(1.3 * haze, 0, 1))
    chest.fill(np.maximum(0.68 * band, 0.55 * np.clip(1.3 * haze, 0, 1)))
    return layer


def _nodule(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """One small round shadow with a sharp border."""
    radius = 0.042 + 0.022 * finding.extent
    layer = ellipse(
        chest.size, _spot(finding, rng, near=0.32, far=0.56), (radius, radius), width=0.006
    )
    layer = layer * chest.both
    chest.fill(0.62 * layer)
    return layer


def _mass(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """One large lobulated shadow."""
    radius = 0.12 + 0.06 * finding.extent
    centre = _spot(finding, rng, near=0.34, far=0.48)
    layer = patch(chest.size, centre, (radius, radius * 0.92), rng, ragged=0.14, width=0.010)
    layer = layer * chest.both
    chest.fill(0.86 * layer)
    chest.clear(layer)
    return layer


def _edema(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """Haze around both hila like bat wings, and Kerley lines at the outer bases."""
    x, y = plane(chest.size)
    reach = np.sqrt(((np.abs(x) - 0.22) / 0.36) ** 2 + ((y - 0.02) / 0.44) ** 2)
    grain = 1 + 0.16 * clouds(chest.size, rng, grain=0.10)
    layer = np.asarray(np.exp(-(reach**2)) * grain * chest.both, dtype=np.float32)
    short = []
    for sign in SIGN.values():
        for y_line in np.arange(0.12, 0.40, 0.045) + rng.normal(0, 0.006, 7):
            edge = chest.build.width - 0.015
            short.append(
                [(sign * edge, y_line), (sign * (edge - rng.uniform(0.07, 0.12)), y_line + 0.006)]
            )
    kerley = strokes(chest.size, short, width=0.008, blur=0.5) * chest.both
    chest.fill((0.48 + 0.28 * finding.extent) * layer)
    chest.added += 0.12 * kerley
    return np.maximum(layer, kerley)


def _fibrosis(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A net of fine lines, densest at the bases and along the wall."""
    y = plane(chest.size)[1]
    where = np.zeros_like(y)
    for side in SIDES:
        rim = np.exp(-np.clip(chest.depth[side], 0, None) / 0.10)
        outside = chest.lungs[side] * (1 - chest.heart)
        where = np.maximum(where, outside * rim * soft(y - 0.02 + 0.15 * finding.extent, 0.08))
    net = 1 - np.clip(np.abs(clouds(chest.size, rng, grain=0.07)) / 0.35, 0, 1)
    fine = 1 - np.clip(np.abs(clouds(chest.size, rng, grain=0.045)) / 0.35, 0, 1)
    chest.fill(0.26 * where)
    chest.added += 0.20 * where * np.maximum(net, fine)
    return where


def _thickening(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A band along the chest wall, or a cap over the apex."""
    y = plane(chest.size)[1]
    side = _sides(finding)[0]
    thick = (0.055 + 0.03 * finding.extent) * (1 + 0.25 * clouds(chest.size, rng, grain=0.2))
    centre = -0.56 if finding.zone == "upper" else HEIGHT[finding.zone] + 0.08
    span = soft(0.26 - np.abs(y - centre), 0.03)
    away = soft(np.abs(plane(chest.size)[0]) - 0.30, 0.02)
    layer = chest.lungs[side] * soft(thick - chest.depth[side], 0.008) * span * away
    layer = layer * soft(chest.build.base[side] - 0.02 - y, 0.02)
    chest.fill(0.78 * layer)
    return layer


def _hernia(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A round shadow behind the heart with air over fluid."""
    low = (chest.build.base["left"] + chest.build.base["right"]) / 2
    centre = (0.06 + rng.uniform(-0.03, 0.05), low - 0.16)
    radius = 0.16 + 0.05 * finding.extent
    layer = ellipse(chest.size, centre, (radius * 1.1, radius), width=0.010)
    inside = ellipse(chest.size, centre, (radius * 0.94, radius * 0.84), width=0.010)
    above = soft(centre[1] + 0.01 - plane(chest.size)[1], 0.006)
    chest.fill(0.9 * layer)
    chest.added += 0.09 * layer - 0.30 * inside * above
    return layer


def _catheter(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A central line from the neck or arm to the superior vena cava."""
    sign = SIGN[_sides(finding)[0]]
    tip = (-0.09, -0.02 + rng.uniform(-0.05, 0.05))
    line = [(sign * 0.62, -0.86), (sign * 0.40, -0.66), (sign * 0.16, -0.58), (-0.08, -0.44), tip]
    layer = strokes(chest.size, [smooth(line)], width=0.018, blur=0.4)
    chest.added += 0.26 * layer
    return layer


def _breathing_tube(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A tube in the windpipe that ends above the carina."""
    tip = -0.36 + rng.uniform(-0.05, 0.05)
    walls = [[(0.005 + side * 0.022, -1.0), (0.005 + side * 0.02, tip)] for side in (-1, 1)]
    layer = strokes(chest.size, walls, width=0.011, blur=0.4)
    chest.added += 0.24 * layer
    return strokes(chest.size, [[(0.005, -1.0), (0.005, tip)]], width=0.06, blur=0.4)


def _pacemaker(chest: Chest, finding: Finding, rng: np.random.Generator) -> Plane:
    """A metal case below the clavicle with a lead into the heart."""
    case = ellipse(chest.size, (0.60, -0.50), (0.10, 0.085), width=0.008)
    lead = [
        (0.56, -0.56),
        (0.44, -0.66),
        (0.10, -0.54),
        (-0.10, -0.36),
        (-0.09, 0.14),
        (0.24, 0.30),
    ]
    layer = np.maximum(case, strokes(chest.size, [smooth(lead)], width=0.014, blur=0.4))
    chest.added += 0.34 * layer
    return layer


PAINTERS: dict[str, Painter] = {
    "ckg:pulmonary_edema": _edema,
    "ckg:pulmonary_fibrosis": _fibrosis,
    "ckg:ground_glass_opacity": _ground_glass,
    "ckg:infiltrate": _infiltrate,
    "ckg:consolidation": _consolidation,
    "ckg:atelectasis": _atelectasis,
    "ckg:lung_mass": _mass,
    "ckg:lung_nodule": _nodule,
    "ckg:pleural_thickening": _thickening,
    "ckg:hiatal_hernia": _hernia,
    "ckg:pneumothorax": _pneumothorax,
    "ckg:pleural_effusion": _effusion,
    "ckg:central_venous_catheter": _catheter,
    "ckg:endotracheal_tube": _breathing_tube,
    "ckg:pacemaker": _pacemaker,
}
"""Painters in the order in which they are applied."""

SHAPES: dict[str, Callable[[Build, float], Build]] = {
    "ckg:emphysema": Build.overinflated,
    "ckg:cardiomegaly": Build.with_large_heart,
}
"""Findings that change the measures of the chest, in order of application."""


def draw_frontal(
    size: int,
    person: Person,
    findings: dict[str, Finding],
    streams: Callable[[str], np.random.Generator],
) -> Drawing:
    """Draw a frontal chest X-ray.

    Args:
        size: Side of the image in pixels.
        person: The patient.
        findings: Findings to draw, by concept; those without a painter are left out.
        streams: Random generator by name of the item (`body`, `film`, or a concept).
    """
    build = Build.of(person, streams("body"))
    for concept, reshape in SHAPES.items():
        if concept in findings:
            build = reshape(build, findings[concept].extent)
    chest = Chest(size, build)
    boxes: dict[str, Box] = {}
    if "ckg:emphysema" in findings:
        boxes["ckg:emphysema"] = box_of(chest.both)
        chest.clear(0.45 * chest.both)
    if "ckg:cardiomegaly" in findings:
        low = plane(size)[1] > -0.25
        boxes["ckg:cardiomegaly"] = box_of(np.where(low, chest.heart, 0), 0.5)
    for concept, paint in PAINTERS.items():
        if concept in findings:
            boxes[concept] = box_of(paint(chest, findings[concept], streams(concept)))
    drawing = compose(chest, person, streams("film"))
    drawing.boxes.update(boxes)
    return drawing
