"""Patient and findings: a person's build, and findings with their site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Side = Literal["right", "left", "both"]
Zone = Literal["upper", "middle", "lower"]

SIDES: tuple[Side, ...] = ("right", "left")
ZONES: tuple[Zone, ...] = ("upper", "middle", "lower")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a study and where it is.

    Args:
        concept: Concept id.
        side: Side of the patient; `both` also where a side has no meaning.
        zone: Height in the lung.
        extent: How large it is, in [0, 1].
        shown: True if images and text show it; a hidden one is only in the labels.
        hedged: True if the text states it as uncertain.
        stated: True if text and labels state it at all.
    """

    concept: str
    side: Side
    zone: Zone
    extent: float
    shown: bool = True
    hedged: bool = False
    stated: bool = True


@dataclass(frozen=True, slots=True)
class Person:
    """A patient: what stays the same over all of his or her studies.

    Args:
        patient: Patient identifier.
        sex: `F` or `M`.
        age: Years at the first study.
        build: Width of the trunk beside the usual one.
        depth: Depth of breath: how low the diaphragm stands, in [-1, 1].
        heart: Width of the heart beside that of the chest (cardiothoracic ratio).
    """

    patient: str
    sex: str
    age: int
    build: float
    depth: float
    heart: float


def meet(patient: str, rng: np.random.Generator) -> Person:
    """Draw a person.

    Args:
        patient: Identifier to give.
        rng: Source of randomness.
    """
    return Person(
        patient=patient,
        sex="F" if rng.random() < 0.5 else "M",
        age=int(np.clip(rng.normal(56, 17), 18, 94)),
        build=float(rng.uniform(0.92, 1.05)),
        depth=float(rng.uniform(-1, 1)),
        heart=float(rng.uniform(0.40, 0.48)),
    )
