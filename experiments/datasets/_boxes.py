"""Where a finding was marked in a picture: ground truth for explanations, never for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kg.errors import InputError


@dataclass(frozen=True, slots=True)
class Box:
    """One marked rectangle.

    Args:
        study: Study whose picture it is in.
        concept: Concept that was marked.
        x: Left edge, in pixels of the published picture.
        y: Upper edge, in pixels.
        width: Width in pixels.
        height: Height in pixels.
        reader: Who marked it, where that is told.
    """

    study: str
    concept: str
    x: float
    y: float
    width: float
    height: float
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of a picture, in shares of its width and height from its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


def four_numbers(cells: Sequence[str], where: str) -> tuple[float, float, float, float]:
    """The numbers of a published box.

    Args:
        cells: What is written of it.
        where: File and row, for the message.

    Raises:
        InputError: If these are not four numbers.
    """
    try:
        first, second, third, fourth = map(float, cells)
    except ValueError:
        raise InputError(
            f"{where}: the box is {', '.join(cells)}", "write four numbers, in pixels"
        ) from None
    return first, second, third, fourth
