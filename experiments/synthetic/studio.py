"""Images of a study, and the drawing of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from encoders.study import View
from experiments.synthetic.axial import draw_axial
from experiments.synthetic.canvas import Drawing, stream
from experiments.synthetic.chest_findings import draw_frontal
from experiments.synthetic.lateral import draw_lateral
from experiments.synthetic.person import Finding
from experiments.synthetic.repertoire import NORMAL_AIR
from experiments.synthetic.rules import Rules
from experiments.synthetic.ultrasound import draw_ultrasound
from experiments.synthetic.world import Case


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """Specification of one image to draw.

    Args:
        name: File name without ending.
        view: Projection or probe.
    """

    name: str
    view: View


def images_of(case: Case, rules: Rules) -> list[ImageSpec]:
    """The images of a study, in order."""
    rng = stream(rules.seed, "shots", case.study)
    views: list[View] = ["axial"]
    if case.modality == "cxr":
        views = ["frontal", "lateral"] if rng.random() < rules.lateral else ["frontal"]
    elif case.modality == "ultrasound":
        views = ["convex" if rng.random() < 0.65 else "linear"]
        views = views * (1 + int(rng.random() < 0.4))
    elif rng.random() < 0.3:
        views = ["axial", "axial"]
    return [ImageSpec(f"{case.study}_{number}", view) for number, view in enumerate(views)]


def draw(case: Case, image: ImageSpec, rules: Rules, *, without: str = "") -> Drawing:
    """Draw one image of a study.

    Args:
        case: The sampled study.
        image: Specification of the image.
        rules: Seed and size.
        without: A concept to leave out; everything else stays the same.
    """
    findings = {f.concept: f for f in case.findings if f.shown and f.concept != without}

    def streams(name: str) -> np.random.Generator:
        return stream(rules.seed, "draw", image.name, name)

    if image.view == "frontal":
        return draw_frontal(rules.size, case.person, findings, streams)
    if image.view == "lateral":
        return draw_lateral(rules.size, case.person, findings, streams)
    if image.view == "axial":
        return draw_axial(rules.size, case.person, findings, streams)
    if "ckg:b_lines" not in findings and without != NORMAL_AIR:
        extent = 0.5
        findings[NORMAL_AIR] = Finding(NORMAL_AIR, "both", "middle", extent)
    convex = image.view == "convex"
    return draw_ultrasound(rules.size, case.person, findings, streams, convex=convex)
