"""Order of slices by their position in the patient, with notes on faults of the stack.

Positions are millimetres in the patient's axes (x to the left, y to the back, z to the head).
Slices run from feet to head, from right to left or from front to back, however they were stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SAME_PLACE = 0.01
"""Slices closer than this (mm) lie at one place."""

GAP = 1.5
"""A step larger than this many usual steps is a gap: a slice is missing there."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Position of one slice.

    Args:
        position: Its first pixel, `(x, y, z)` in mm; None where not stated.
        orientation: Direction of its rows and of its columns, six numbers; None where not stated.
        number: Its number in the series; None where not stated.
        scout: True for a scout (localizer), which is no slice of the stack.
    """

    position: tuple[float, ...] | None = None
    orientation: tuple[float, ...] | None = None
    number: int | None = None
    scout: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """A stack ordered from some slices.

    Args:
        places: Their indices, in order.
        step: Usual distance between two (mm); None where not known.
        notes: Left-out slices and possible faults.
    """

    places: tuple[int, ...]
    step: float | None = None
    notes: tuple[str, ...] = ()


def put_in_order(slices: Sequence[Placed]) -> Ordered:
    """The stack of some slices: of one orientation, one a place, sorted by position.

    Scouts, slices of other orientations than most, those without position among placed ones, and
    further slices at a place are left out, and counted in the notes. Where no slice has a
    position, their numbers decide.
    """
    notes: list[str] = []
    kept = [at for at, one in enumerate(slices) if not one.scout]
    _tell(notes, len(slices) - len(kept), "scout images left out")
    numbers = Counter(slices[at].number for at in kept if slices[at].number is not None)
    _tell(notes, sum(count - 1 for count in numbers.values()), "instance numbers used twice")
    placed = [at for at in kept if slices[at].position and slices[at].orientation]
    if not placed:
        if len(kept) > 1:
            notes.append("no positions: sorted by instance number")
        numbered = sorted(kept, key=lambda at: (slices[at].number or 0, at))
        return Ordered(tuple(numbered), None, tuple(notes))
    _tell(notes, len(kept) - len(placed), "slices without a position left out")
    usual = _usual_orientation([slices[at] for at in placed])
    along = [at for at in placed if _same(slices[at].orientation, usual)]
    _tell(notes, len(placed) - len(along), "slices of another orientation left out")
    axis = _axis(usual)
    depth = {at: float(np.dot(slices[at].position or (0, 0, 0), axis)) for at in along}
    ordered = _one_a_place(sorted(along, key=lambda at: (depth[at], _number(slices[at]))), depth)
    _tell(notes, len(along) - len(ordered), "further slices at the same position left out")
    step = _gaps(notes, [depth[at] for at in ordered])
    return Ordered(tuple(ordered), step, tuple(notes))


def _usual_orientation(slices: Sequence[Placed]) -> tuple[float, ...]:
    """Orientation of most slices; of the first among equals."""
    counts = Counter(tuple(round(x, 2) for x in one.orientation or ()) for one in slices)
    return counts.most_common(1)[0][0]


def _same(orientation: tuple[float, ...] | None, usual: tuple[float, ...]) -> bool:
    return bool(np.allclose(orientation or (), usual, atol=0.02))


def _axis(orientation: tuple[float, ...]) -> np.ndarray:
    """Direction across the slices, towards head, left or back."""
    normal = np.cross(orientation[:3], orientation[3:])
    largest = int(np.argmax(np.abs(normal)))
    axis: np.ndarray = normal * np.sign(normal[largest])
    return axis / max(float(np.linalg.norm(axis)), 1e-6)


def _one_a_place(ordered: Sequence[int], depth: dict[int, float]) -> list[int]:
    kept: list[int] = []
    for at in ordered:
        if not kept or depth[at] - depth[kept[-1]] > SAME_PLACE:
            kept.append(at)
    return kept


def _gaps(notes: list[str], depths: Sequence[float]) -> float | None:
    """Usual step between slices in mm; notes the gaps."""
    if len(depths) < 2:
        return None
    steps = np.diff(depths)
    usual = float(np.sort(steps)[(len(steps) - 1) // 2])
    wide = steps[steps > GAP * usual]
    if len(wide):
        largest = float(wide.max())
        notes.append(
            f"gaps between slices: {len(wide)} (largest {largest:g} mm, usual step {usual:g} mm)"
        )
    return usual


def _number(one: Placed) -> int:
    return 0 if one.number is None else one.number


def _tell(notes: list[str], count: int, what: str) -> None:
    if count:
        notes.append(f"{what}: {count}")
