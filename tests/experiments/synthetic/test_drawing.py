"""Pictures show each finding where the truth says, and change nowhere else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from encoders.study import Modality, View
from experiments.synthetic import axial, chest_findings, lateral, ultrasound
from experiments.synthetic.canvas import Drawing, box_of, curve, smooth, stream
from experiments.synthetic.person import SIDES, Finding, Side, meet
from experiments.synthetic.repertoire import FINDINGS, NORMAL_AIR
from experiments.synthetic.rules import Rules
from experiments.synthetic.studio import ImageSpec, draw
from experiments.synthetic.world import Case

RULES = Rules(size=160)
SEEN: dict[View, tuple[Modality, tuple[str, ...]]] = {
    "frontal": ("cxr", (*chest_findings.SHAPES, *chest_findings.PAINTERS)),
    "lateral": ("cxr", ("ckg:emphysema", "ckg:cardiomegaly", *lateral.FILLERS)),
    "axial": ("ct", tuple(axial.PAINTERS)),
    "convex": ("ultrasound", tuple(c for c in ultrasound.PAINTERS if c != NORMAL_AIR)),
    "linear": ("ultrasound", tuple(c for c in ultrasound.PAINTERS if c != NORMAL_AIR)),
}
PAIRS = [(view, concept) for view, (_, concepts) in SEEN.items() for concept in concepts]
ONE_SIDED = [
    (view, concept, side)
    for view, concepts in {
        "frontal": (
            "ckg:pleural_effusion",
            "ckg:pneumothorax",
            "ckg:consolidation",
            "ckg:lung_mass",
        ),
        "axial": ("ckg:pleural_effusion", "ckg:consolidation", "ckg:ground_glass_opacity"),
    }.items()
    for concept in concepts
    for side in SIDES
]


def case_with(view: View, *findings: Finding, study: str = "S1") -> Case:
    person = meet("P1", stream(0, "P1"))
    modality = SEEN[view][0]
    return Case(study, person, person.age, modality, None, False, findings, (), ())


def picture(view: View, *findings: Finding, study: str = "S1", without: str = "") -> Drawing:
    case = case_with(view, *findings, study=study)
    return draw(case, ImageSpec(f"{study}_0", view), RULES, without=without)


def change(first: Drawing, second: Drawing) -> np.ndarray:
    return np.abs(first.pixels.astype(float) - second.pixels.astype(float))


@pytest.mark.parametrize(("view", "concept"), PAIRS)
@pytest.mark.parametrize("extent", [0.1, 0.9])
def test_the_picture_differs_inside_the_box(view: View, concept: str, extent: float) -> None:
    side: Side = "right" if concept in ("ckg:lung_nodule", "ckg:lung_mass") else "both"
    finding = Finding(concept, side, "middle", extent)
    with_it = picture(view, finding)
    without = picture(view, finding, without=concept)
    left, top, right, bottom = with_it.boxes[concept]
    assert 0 <= left < right <= RULES.size
    assert 0 <= top < bottom <= RULES.size
    inside = np.zeros((RULES.size, RULES.size), bool)
    inside[top:bottom, left:right] = True
    difference = change(with_it, without)
    assert difference[inside].mean() > 2
    assert difference[inside].mean() > 2 * difference[~inside].mean()
    assert concept not in without.boxes


@pytest.mark.parametrize(("view", "concept", "side"), ONE_SIDED)
def test_the_patients_right_is_on_the_left(view: View, concept: str, side: Side) -> None:
    drawing = picture(view, Finding(concept, side, "middle", 0.5))
    left, _, right, _ = drawing.boxes[concept]
    assert ((left + right) / 2 < RULES.size / 2) == (side == "right")


def test_zones_follow_from_top_to_bottom() -> None:
    places = []
    for zone in ("upper", "middle", "lower"):
        drawing = picture("frontal", Finding("ckg:lung_nodule", "left", zone, 0.5))
        _, top, _, bottom = drawing.boxes["ckg:lung_nodule"]
        places.append((top + bottom) / 2)
    assert places == sorted(places)


def test_taking_one_finding_away_leaves_the_others() -> None:
    findings = (
        Finding("ckg:pleural_effusion", "left", "lower", 0.5),
        Finding("ckg:lung_nodule", "right", "upper", 0.5),
    )
    both, one = (
        picture("frontal", *findings),
        picture("frontal", *findings, without=findings[0].concept),
    )
    left, top, right, bottom = both.boxes["ckg:lung_nodule"]
    assert one.boxes["ckg:lung_nodule"] == both.boxes["ckg:lung_nodule"]
    assert change(both, one)[top:bottom, left:right].max() == 0


def test_a_hidden_finding_is_not_drawn() -> None:
    finding = Finding("ckg:lung_mass", "left", "middle", 0.9)
    hidden = picture("frontal", replace(finding, shown=False))
    assert np.array_equal(hidden.pixels, picture("frontal").pixels)
    assert hidden.boxes == {}


def test_a_large_heart_is_wider_than_half_of_the_chest() -> None:
    chest = picture("frontal", Finding("ckg:emphysema", "both", "lower", 0.0)).boxes[
        "ckg:emphysema"
    ]
    heart = picture("frontal", Finding("ckg:cardiomegaly", "both", "lower", 0.0))
    left, _, right, _ = heart.boxes["ckg:cardiomegaly"]
    assert 0.5 < (right - left) / (chest[2] - chest[0]) < 0.75


@pytest.mark.parametrize("view", ["convex", "linear"])
def test_healthy_lung_repeats_the_pleural_line_and_rays_wipe_it_out(view: View) -> None:
    assert NORMAL_AIR in picture(view).boxes
    assert NORMAL_AIR not in picture(view, Finding("ckg:b_lines", "right", "lower", 0.5)).boxes


@pytest.mark.parametrize("view", list(SEEN))
def test_no_two_studies_look_alike_and_none_is_blank(view: View) -> None:
    first, second = picture(view), picture(view, study="S2")
    assert first.pixels.shape == (RULES.size, RULES.size)
    assert first.pixels.dtype == np.uint8
    assert change(first, second).mean() > 1
    assert 20 < first.pixels.mean() < 200
    assert first.pixels.std() > 20


def test_every_finding_of_the_repertoire_can_be_drawn() -> None:
    for view, (modality, concepts) in SEEN.items():
        if view != "lateral":
            assert set(FINDINGS[modality]) == set(concepts)


def test_a_box_holds_what_is_strong() -> None:
    layer = np.zeros((10, 10), np.float32)
    layer[2:5, 3:9] = 1.0
    layer[8, 0] = 0.1
    assert box_of(layer) == (3, 2, 9, 5)


def test_lines_keep_their_ends() -> None:
    way = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]
    assert smooth(way)[0] == way[0]
    assert smooth(way)[-1] == way[-1]
    bowed = curve((0.0, 0.0), (1.0, 0.0), 0.2)
    assert bowed[0] == pytest.approx((0.0, 0.0))
    assert bowed[-1] == pytest.approx((1.0, 0.0))
    assert max(y for _, y in bowed) == pytest.approx(0.2, abs=0.01)
