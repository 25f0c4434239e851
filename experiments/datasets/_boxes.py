"""Boxes of findings on images: ground truth for explanations, never for training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from encoders.reading.picture import shape_of
from encoders.study import Study, StudyImage
from kg.errors import InputError


@dataclass(frozen=True, slots=True)
class Box:
    """One marked rectangle.

    Args:
        study: Study of the image.
        concept: Marked concept.
        x: Left edge, in pixels of the published image.
        y: Upper edge, in pixels.
        width: Width in pixels.
        height: Height in pixels.
        reader: The reader who drew it, if stated.
        picture: Path of the image relative to the root; empty = the study's only one.
        sides: Width and height of the published image; None = those of the file.
    """

    study: str
    concept: str
    x: float
    y: float
    width: float
    height: float
    reader: str = ""
    picture: str = ""
    sides: tuple[int, int] | None = None

    @property
    def area(self) -> float:
        """Area in pixels."""
        return self.width * self.height

    def shares(self, image: StudyImage, root: Path) -> tuple[float, float, float, float]:
        """Left, top, right and bottom edge in shares of the sides of the picture it is in."""
        wide, high = self.sides or shape_of(root / image.path, image.frame)[::-1]
        right, bottom = self.x + self.width, self.y + self.height
        return self.x / wide, self.y / high, right / wide, bottom / high


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of an image, in shares of its width and height from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


def with_boxes(studies: Sequence[Study], boxes: Iterable[Box], root: Path) -> list[Study]:
    """The studies with a box on each marked image.

    An image has one box: of several the largest, of equally large ones the first.

    Args:
        studies: The studies.
        boxes: The boxes of their data set.
        root: Folder that image paths are relative to.
    """
    largest: dict[tuple[str, str], Box] = {}
    for box in boxes:
        known = largest.setdefault((box.study, box.picture), box)
        if box.area > known.area:
            largest[box.study, box.picture] = box

    def marked(study: Study, image: StudyImage) -> StudyImage:
        one = largest.get((study.study, image.path))
        if one is None and len(study.images) == 1:
            one = largest.get((study.study, ""))
        if one is None or image.box is not None:
            return image
        return replace(image, box=one.shares(image, root))

    return [
        replace(study, images=tuple(marked(study, image) for image in study.images))
        for study in studies
    ]


def boxes_of(study: Study, image: StudyImage, boxes: Iterable[Box]) -> list[Box]:
    """The boxes of a picture, among those of its study.

    Args:
        study: The study.
        image: One of its pictures.
        boxes: Boxes of the study.
    """
    alone = len(study.images) == 1
    return [box for box in boxes if box.picture == image.path or (alone and not box.picture)]


def four_numbers(cells: Sequence[str], where: str) -> tuple[float, float, float, float]:
    """The numbers of a published box.

    Args:
        cells: Its cells.
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
