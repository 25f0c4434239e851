"""What a system asks of pictures beside their tokens: colour, feature maps by name, boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from encoders.image import Preprocessing
from encoders.reading.picture import shape_of
from encoders.reading.transforms import in_square
from encoders.study import StudyImage
from experiments.config.schema import ImageSection
from fusion.needs import Needs
from kg.errors import InputError, did_you_mean

__all__ = ["boxes_in_squares", "coloured", "maps_for"]


def coloured(wanted: Preprocessing, name: str) -> Preprocessing:
    """What a backbone wants to see, in colour.

    Args:
        wanted: What it wants to see.
        name: Its name, for the message.

    Raises:
        InputError: If it sees one channel alone.
    """
    if wanted.channels != 3:
        raise InputError(
            f"image.encoder {name} sees grey pictures alone, the system asks for colour",
            "choose an encoder of three channels",
        )
    return replace(wanted, colour=True)


def maps_for(needs: Needs, encoder: Any, section: ImageSection) -> dict[str, tuple[int, int, int]]:
    """Width, height and width in cells of the feature maps that a system reads, by name.

    Args:
        needs: What the system asks for.
        encoder: The image encoder.
        section: How pictures are encoded.

    Raises:
        InputError: If the encoder has no such map, or its tokens alone are cached.
    """
    if not needs.image_maps:
        return {}
    name = section.encoder.name if section.encoder else ""
    if section.frozen:
        raise InputError(
            f"the system reads feature maps of image.encoder {name}, of a frozen one tokens alone "
            "are kept",
            "set image.frozen to false",
        )
    give = getattr(encoder, "map_shapes", dict)
    shapes: dict[str, tuple[int, int, int]] = give()
    for one in needs.image_maps:
        if one not in shapes:
            raise InputError(
                f"image.encoder {name} has no feature map {one!r}", did_you_mean(one, shapes)
            )
    return {one: shapes[one] for one in needs.image_maps}


def boxes_in_squares(
    chosen: Sequence[Sequence[StudyImage]], root: Path, size: int, recipe: str
) -> Tensor:
    """Boxes in the square views of pictures, `[n, V, 4]`, NaN where there is none.

    Args:
        chosen: The pictures of each study.
        root: Folder their paths are relative to.
        size: Side of the view in pixels.
        recipe: Name of the view.
    """
    most = max([len(images) for images in chosen] + [1])
    made = torch.full((len(chosen), most, 4), float("nan"))
    for n, images in enumerate(chosen):
        for v, image in enumerate(images):
            box = image.tile.within(image.box) if image.tile and image.box else image.box
            if box is not None:
                shape = shape_of(root / image.path, image.frame)
                shape = image.tile.shape(shape) if image.tile else shape
                made[n, v] = torch.tensor(in_square(box, shape, size, recipe))
    return made
