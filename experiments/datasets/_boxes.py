"""Where a finding was marked in a picture: ground truth for explanations, never for training."""

from __future__ import annotations

from dataclasses import dataclass


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
