"""Protocol of the readers of slices and frames: content of a file, and its images one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from encoders.reading.limits import Grey
from encoders.study import Modality


@dataclass(frozen=True, slots=True)
class About:
    """Content of a file by its header, without the identity of the patient.

    Args:
        parts: Slices or frames it holds; 1 for a still image.
        modality: How it was taken, where the file says so.
        spacing: Millimetres from pixel to pixel, down and across; None where not known.
        notes: What a reader must know (gaps, slices left out, text burned in), for people.
    """

    parts: int = 1
    modality: Modality | None = None
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


class Stack(Protocol):
    """An opened file of slices or frames, or a folder of them."""

    about: About

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Slices or frames `[H, W]` in [0, 1], in the order of `parts`.

        Args:
            parts: Their places, each once and ascending.
            target: Side in pixels they will be resized to; what allows it is decoded smaller.
            window: Name of a CT window in HU; empty = the file's own, or the lung window.

        Raises:
            RejectedImage: If they cannot be read.
        """
