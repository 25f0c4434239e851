"""Which pictures a study has, and the drawing of each."""

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
class Shot:
    """One picture to draw.

    Args:
        name: File name without ending.
        view: Projection or probe.
    """

    name: str
    view: View


def shots(case: Case, rules: Rules) -> list[Shot]:
    """The pictures of a study, in order."""
    rng = stream(rules.seed, "shots", case.study)
    views: list[View] = ["axial"]
    if case.modality == "cxr":
        views = ["frontal", "lateral"] if rng.random() < rules.lateral else ["frontal"]
    elif case.modality == "ultrasound":
        views = ["convex" if rng.random() < 0.65 else "linear"]
        views = views * (1 + int(rng.random() < 0.4))
    elif rng.random() < 0.3:
        views = ["axial", "axial"]
    return [Shot(f"{case.study}_{number}", view) for number, view in enumerate(views)]


def draw(case: Case, shot: Shot, rules: Rules, *, without: str = "") -> Drawing:
    """Draw one picture of a study.

    Args:
        case: What is true.
        shot: Which picture.
        rules: Seed and size.
        without: A concept to leave out; everything else stays as it is.
    """
    findings = {f.concept: f for f in case.findings if f.shown and f.concept != without}

    def streams(name: str) -> np.random.Generator:
        return stream(rules.seed, "draw", shot.name, name)

    if shot.view == "frontal":
        return draw_frontal(rules.size, case.person, findings, streams)
    if shot.view == "lateral":
        return draw_lateral(rules.size, case.person, findings, streams)
    if shot.view == "axial":
        return draw_axial(rules.size, case.person, findings, streams)
    if "ckg:b_lines" not in findings and without != NORMAL_AIR:
        extent = 0.5
        findings[NORMAL_AIR] = Finding(NORMAL_AIR, "both", "middle", extent)
    convex = shot.view == "convex"
    return draw_ultrasound(rules.size, case.person, findings, streams, convex=convex)
