"""Drawing of a frontal chest X-ray: outline, lungs, ribs, clavicles, spine, heart, diaphragm.

Brightness is built as a film is: soft tissue is bright, air takes brightness away, bone adds some.
Pathology works on the same layers: `fill` takes air out of the lung, `clear` takes vessels out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.ndimage import gaussian_filter

from experiments.synthetic.canvas import (
    Drawing,
    Plane,
    clouds,
    curve,
    ellipse,
    expose,
    highest,
    lowest,
    plane,
    soft,
    strokes,
)
from experiments.synthetic.person import Person

SIGN = {"right": -1.0, "left": 1.0}


@dataclass(frozen=True, slots=True)
class Build:
    """Measures of a chest in image coordinates.

    Args:
        width: Half width of the lungs at their widest.
        apex: Height of the lung apices.
        base: Height of the domes of the diaphragm, right and left.
        dome: Height of the arch of the diaphragm; small = flat.
        heart: Half width of the heart.
        air: Darkness of the lungs.
    """

    width: float
    apex: float
    base: dict[str, float]
    dome: float
    heart: float
    air: float

    @classmethod
    def of(cls, person: Person, rng: np.random.Generator) -> Build:
        """The chest of a person on one day (breath and position vary a little)."""
        breath = person.depth * 0.05 + rng.normal(0, 0.015)
        base = 0.44 + breath
        width = 0.76 * person.build
        return cls(
            width=width,
            apex=-0.72 + rng.normal(0, 0.01),
            base={"right": base - 0.03, "left": base + 0.03},
            dome=0.17,
            heart=person.heart * width,
            air=0.46 + rng.normal(0, 0.012),
        )

    def with_large_heart(self, extent: float) -> Build:
        """The same chest with a cardiothoracic ratio of 0.58 to 0.70."""
        return replace(self, heart=self.width * (0.58 + 0.12 * extent))

    def overinflated(self, extent: float) -> Build:
        """The same chest with wide dark lungs, a flat low diaphragm and a narrow heart."""
        deeper = {side: height + 0.13 + 0.06 * extent for side, height in self.base.items()}
        return replace(
            self,
            width=self.width + 0.03,
            base=deeper,
            dome=0.05,
            heart=self.heart * 0.86,
            air=self.air + 0.05 + 0.03 * extent,
        )


@dataclass
class Chest:
    """The layers of a frontal film while it is drawn; every plane is `[H, W]`.

    Args:
        size: Side of the image in pixels.
        build: Measures of the chest.
        lungs: Each lung, 1 inside.
        depth: Distance to the border of each lung, positive inside.
        heart: The heart, 1 inside.
        filled: Share of air that is replaced, in [0, 1].
        cleared: Share of vessels that cannot be seen, in [0, 1].
        added: Brightness of lines, tubes and calcium on top.
    """

    size: int
    build: Build
    lungs: dict[str, Plane] = field(default_factory=dict)
    depth: dict[str, Plane] = field(default_factory=dict)
    heart: Plane = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    filled: Plane = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    cleared: Plane = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    added: Plane = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __post_init__(self) -> None:
        for side in SIGN:
            self.depth[side] = self.reach(side)
            self.lungs[side] = soft(self.depth[side], 0.008)
        self.heart = _heart(self.size, self.build)
        self.filled, self.cleared, self.added = (
            np.zeros((self.size, self.size), np.float32) for _ in range(3)
        )

    def reach(self, side: str, *, lateral: float = 0.0, apical: float = 0.0) -> Plane:
        """Distance to the border of a lung whose outer and upper border is moved inwards."""
        x, y = plane(self.size)
        build, across = self.build, x * SIGN[side]
        height = np.clip((y - build.apex) / (0.5 - build.apex), 0, 1)
        narrow = (1 - height) ** 2.4
        outer = 0.30 + (build.width - 0.30) * (1 - narrow) ** 0.62 - lateral
        inner = 0.125 + 0.16 * (1 - height) ** 5
        floor = self.floor(side, across)
        top = 0.7 * (y - build.apex - apical)
        return lowest(outer - across, across - inner, (floor - y), top)

    def floor(self, side: str, across: Plane) -> Plane:
        """Height of the diaphragm, which falls from its dome to the costophrenic angle."""
        build = self.build
        out = np.maximum(across - 0.36, 0) / (build.width - 0.36)
        within = np.maximum(0.36 - across, 0) / 0.5
        return np.asarray(build.base[side] + (build.dome + 0.05) * (out**2.2 + within**2))

    def fill(self, layer: Plane) -> None:
        """Replace a share of the air by something dense."""
        self.filled = 1 - (1 - self.filled) * (1 - np.clip(layer, 0, 1))

    def clear(self, layer: Plane) -> None:
        """Remove vessel markings."""
        self.cleared = 1 - (1 - self.cleared) * (1 - np.clip(layer, 0, 1))

    @property
    def both(self) -> Plane:
        """Both lungs together."""
        return np.maximum(self.lungs["right"], self.lungs["left"])


def _heart(size: int, build: Build) -> Plane:
    """The heart: a third to the right of the midline, two thirds to the left."""
    low = (build.base["left"] + build.base["right"]) / 2
    right, left = -0.62 * build.heart, 1.38 * build.heart
    half = (left - right) / 2
    body = ellipse(
        size, ((right + left) / 2, low - 0.16), (half * 1.03, half * 0.82), tilt=0.42, width=0.012
    )
    atrium = ellipse(size, (right + 0.15, low - 0.20), (0.15, 0.24), width=0.012)
    knob = ellipse(size, (0.11, -0.33), (0.09, 0.10), width=0.014)
    trunk = ellipse(size, (0.08, -0.10), (0.15, 0.24), tilt=-0.3, width=0.02)
    cava = ellipse(size, (-0.06, -0.30), (0.10, 0.34), width=0.02)
    return highest(body, atrium, knob, trunk, cava)


def _body(size: int, person: Person) -> Plane:
    """Neck, shoulders and trunk; brightest where the body is thickest."""
    x, y = plane(size)
    down = np.clip((y + 0.98) / 0.38, 0, 1)
    half = 0.27 + (1.02 * person.build - 0.27) * (3 * down**2 - 2 * down**3)
    half = half - 0.05 * np.clip(y + 0.2, 0, 1)
    ratio = np.clip(np.abs(x) / half, 0, 1)
    thick = 0.50 + 0.22 * np.sqrt(1 - ratio**2)
    return np.asarray(soft(half - np.abs(x), 0.012) * thick)


def _ribs(size: int, build: Build) -> Plane:
    """Posterior ribs (nearly level) and anterior ribs (falling, fainter), with bright rims."""
    behind, before = [], []
    for number in range(9):
        top = build.apex - 0.02 + number * 0.142
        reach = build.width * min(1.0, 0.62 + 0.13 * number) + 0.03
        for sign in SIGN.values():
            t = np.linspace(0, 1, 16)
            behind.append(
                list(
                    zip(
                        sign * (0.07 + (reach - 0.07) * t),
                        top + 0.02 - 0.12 * t + 0.26 * t**2.4,
                        strict=True,
                    )
                )
            )
            fall = top + 0.30 + 0.20 * (1 - t) ** 1.3
            before.append(list(zip(sign * (0.26 + (reach - 0.26) * t), fall, strict=True)))
    outer, core = strokes(size, behind, width=0.062), strokes(size, behind, width=0.036)
    faint = strokes(size, before, width=0.066, blur=1.4)
    return np.asarray(outer * 0.095 - core * 0.035 + faint * 0.04)


def _bones(size: int, build: Build) -> Plane:
    """Ribs, clavicles, shoulder blades and the spine."""
    x, y = plane(size)
    clavicles = [curve((s * 0.09, -0.60), (s * 0.80, -0.80), s * 0.06) for s in SIGN.values()]
    blades = [curve((s * 0.80, -0.62), (s * 0.70, 0.02), s * -0.05) for s in SIGN.values()]
    spine = soft(0.085 - np.abs(x), 0.016) * (0.045 + 0.03 * np.cos(y * 34))
    collar = strokes(size, clavicles, width=0.075, blur=0.8) * 0.12
    return np.asarray(
        _ribs(size, build) + collar + strokes(size, blades, width=0.035, blur=1.2) * 0.06 + spine
    )


def _vessels(size: int, build: Build, rng: np.random.Generator) -> Plane:
    """Hila and the vessels that fan out from them, thinner towards the chest wall."""
    hila, trunks, twigs = [], [], []
    for sign in SIGN.values():
        root = (sign * 0.20, -0.02 - 0.03 * sign)
        hila.append(ellipse(size, root, (0.075, 0.12), width=0.03))
        for angle in np.linspace(-1.25, 1.35, 11) + rng.normal(0, 0.06, 11):
            length = rng.uniform(0.22, 0.34)
            end = (root[0] + sign * length * np.cos(angle), root[1] + length * 1.15 * np.sin(angle))
            trunks.append(curve(root, end, rng.normal(0, 0.06)))
            for turn in rng.normal(0, 0.35, 2):
                far = length * rng.uniform(0.5, 0.9)
                tip = (
                    end[0] + sign * far * np.cos(angle + turn),
                    end[1] + far * np.sin(angle + turn),
                )
                twigs.append(curve(end, tip, rng.normal(0, 0.05)))
    return np.asarray(
        highest(*hila) * 0.16
        + strokes(size, trunks, width=0.018, blur=1.0) * 0.11
        + strokes(size, twigs, width=0.009, blur=0.7) * 0.085
    )


def compose(chest: Chest, person: Person, rng: np.random.Generator) -> Drawing:
    """Put the layers of a film together and expose it.

    Args:
        chest: The layers, with pathology painted in.
        person: The patient.
        rng: Source of vessels, grain and exposure.
    """
    size, build = chest.size, chest.build
    x, y = plane(size)
    air = chest.both * (1 - 0.84 * chest.heart) * (1 - chest.filled)
    thick = gaussian_filter(chest.both, size / 28)
    density = _body(size, person) - build.air * air * (0.72 + 0.28 * thick)
    vessels = _vessels(size, build, rng)
    density += (
        vessels
        * chest.both
        * (1 - 0.6 * chest.heart)
        * (1 - chest.cleared)
        * (1 - 0.7 * chest.filled)
    )
    density += _bones(size, build) * soft(density - 0.05, 0.02)
    trachea = soft(0.045 - np.abs(x - 0.005), 0.012) * soft(-0.18 - y, 0.02)
    density -= 0.11 * trachea
    if person.sex == "F":
        for sign in SIGN.values():
            breast = ellipse(size, (sign * 0.46, 0.26), (0.30, 0.26), width=0.03)
            density += 0.045 * breast
    bubble = ellipse(size, (0.36, build.base["left"] + 0.20), (0.13, 0.07), width=0.02)
    density -= 0.16 * bubble * (1 - chest.lungs["left"])
    middle = np.exp(-((x / 0.30) ** 2)) * soft(density - 0.1, 0.05)
    density += (
        chest.added
        + 0.10 * middle * (1 - 0.5 * air)
        + 0.02 * clouds(size, rng, grain=0.5) * soft(density - 0.1, 0.05)
    )
    density = gaussian_filter(density, 0.55) * float(rng.uniform(0.96, 1.06)) + 0.02
    pixels = expose(density, rng, noise=0.014, gamma=float(rng.uniform(0.9, 1.12)))
    return Drawing(pixels)
