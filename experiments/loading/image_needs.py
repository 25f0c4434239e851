"""Requirements of a system on images beyond tokens: pixels, colour, feature maps, boxes."""

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

__all__ = ["check_pixels", "maps_for", "resized_boxes", "with_colour"]


def check_pixels(needs: Needs, section: ImageSection) -> None:
    """Check that a system that reads pixels is given them.

    Args:
        needs: Inputs that the system requires.
        section: The image section of the configuration.

    Raises:
        InputError: If a frozen encoder would give tokens alone.
    """
    if needs.pixels and section.frozen:
        raise InputError(
            "the system reads pixels, but a frozen encoder gives only tokens",
            "set image.frozen to false",
        )


def with_colour(preprocessing: Preprocessing, name: str) -> Preprocessing:
    """Preprocessing of an image encoder for colour images.

    Args:
        preprocessing: Its preprocessing for grey images.
        name: Name of the encoder, for the message.

    Raises:
        InputError: If it has a single channel.
    """
    if preprocessing.channels != 3:
        raise InputError(
            f"image.encoder {name} takes grey images alone, the system requires colour",
            "choose an encoder of three channels",
        )
    return replace(preprocessing, colour=True)


def maps_for(needs: Needs, encoder: Any, section: ImageSection) -> dict[str, tuple[int, int, int]]:
    """Width, height and width in cells of the feature maps that a system reads, by name.

    Args:
        needs: Inputs that the system requires.
        encoder: The image encoder.
        section: The image section of the configuration.

    Raises:
        InputError: If the encoder has no such map, or only its tokens are cached.
    """
    if not needs.image_maps:
        return {}
    name = section.encoder.name if section.encoder else ""
    if section.frozen:
        raise InputError(
            f"the system reads feature maps of image.encoder {name}, but a frozen encoder gives "
            "only tokens",
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


def resized_boxes(
    chosen: Sequence[Sequence[StudyImage]], root: Path, size: int, recipe: str
) -> Tensor:
    """Bounding boxes in the resized images, `[n, V, 4]`, NaN where there is none.

    Args:
        chosen: The images of each study.
        root: Folder their paths are relative to.
        size: Side of the view in pixels.
        recipe: Name of the view.
    """
    most = max([len(images) for images in chosen] + [1])
    boxes = torch.full((len(chosen), most, 4), float("nan"))
    for n, images in enumerate(chosen):
        for v, image in enumerate(images):
            box = image.tile.within(image.box) if image.tile and image.box else image.box
            if box is not None:
                shape = shape_of(root / image.path, image.frame)
                shape = image.tile.shape(shape) if image.tile else shape
                boxes[n, v] = torch.tensor(in_square(box, shape, size, recipe))
    return boxes
