"""Image maps: where in its pictures a study shows a finding, in the geometry of each picture.

Occlusion is the measured share of each place: what the logit loses with the place replaced by what
the picture shows on average (Zeiler: Visualizing and Understanding Convolutional Networks, 2014).
Integrated gradients (Sundararajan: Axiomatic Attribution for Deep Networks, 2017) and Grad-CAM
(Selvaraju: Grad-CAM, 2017) are estimates from gradients, on the same tokens or pixels and from the
same average, made by captum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from encoders.batch import StudyBatch
from experiments.explanation.answer import ImageMap, MapMethod, ShownImage
from experiments.explanation.deletion import Places, repeated, shares
from experiments.explanation.placing import SIDE, on_picture
from experiments.metrics.arrays import FloatArray
from fusion.capabilities import Classifies

__all__ = ["cells_of", "image_maps"]

STEPS = 24
"""Steps of the path of integrated gradients."""


def cells_of(
    system: Any, places: Places, findings: tuple[str, ...], method: MapMethod
) -> FloatArray:
    """Maps of each picture's square view, `[C, V, h, w]`.

    Args:
        system: The system, in evaluation mode.
        places: Places of one study's pictures.
        findings: Concept ids (`C`).
        method: Method; Grad-CAM is zero wherever a picture speaks against a finding.
    """
    if method == "occlusion":
        return _occlusion(system, places, findings)
    made = _integrated if method == "integrated_gradients" else _grad_cam
    if method == "grad_cam":
        tokens = _feature_map(system, places.batch)
        places = replace(places, batch=replace(places.batch, pixels=None, image_tokens=tokens))
    maps = [made(system, places, finding) for finding in findings]
    return np.asarray(torch.stack(maps).double().numpy())


def image_maps(
    cells: FloatArray, method: MapMethod, shown: Sequence[ShownImage], view: tuple[int, str]
) -> tuple[ImageMap, ...]:
    """Maps of a study's pictures; tiles of one picture are joined.

    Args:
        cells: Map of the square view of each image `[V, h, w]`, of one finding.
        method: How it was made.
        shown: The images, in the same order, with the shape of the whole picture.
        view: Side in pixels and recipe of the square view.
    """
    size, recipe = view
    joined: dict[int, FloatArray] = {}
    pictures = [one.image for one in unique_pictures(shown)]
    for one, square in zip(shown, cells, strict=True):
        placed = on_picture(square, one.shape, size=size, recipe=recipe, tile=one.image.tile)
        place = pictures.index(replace(one.image, tile=None))
        known = joined.get(place)
        joined[place] = placed if known is None else np.where(np.isnan(placed), known, placed)
    return tuple(ImageMap(place, method, np.nan_to_num(one)) for place, one in joined.items())


def unique_pictures(shown: Sequence[ShownImage]) -> tuple[ShownImage, ...]:
    """The pictures of some images, each tiled one once."""
    whole = (one._replace(image=replace(one.image, tile=None)) for one in shown)
    return tuple({one.image: one for one in whole}.values())


def _occlusion(system: Any, places: Places, findings: tuple[str, ...]) -> FloatArray:
    lost = shares(system, places, findings).T
    return lost.reshape(len(findings), len(places.pictures), places.side, places.side)


def _integrated(system: Any, places: Places, finding: str) -> Tensor:
    """Integrated gradients from the mean of each picture, summed over channels, `[V, h, w]`."""
    name, values, axes = _input(places)
    found = IntegratedGradients(_answers(system, places.batch, finding, name)).attribute(
        values, baselines=values.mean(axes, keepdim=True).expand_as(values), n_steps=STEPS
    )
    return _on_places(found.detach(), places)


def _grad_cam(system: Any, places: Places, finding: str) -> Tensor:
    """Grad-CAM on the last feature map, `[V, h, w]`."""
    tokens = places.batch.image_tokens
    assert tokens is not None
    side = math.isqrt(tokens.shape[2])
    maps = tokens[0].transpose(1, 2).reshape(len(tokens[0]), -1, side, side)  # [V, D, h, w]
    layer = nn.Identity()
    answer = _answers(system, places.batch, finding, "image_tokens")

    def forward(values: Tensor) -> Tensor:
        read: Tensor = layer(values).flatten(2).transpose(1, 2)[None]
        return answer(read).expand(len(values))

    with torch.enable_grad():
        found = LayerGradCam(forward, layer).attribute(maps, relu_attributions=True)
    cam: Tensor = found.detach()[list(places.pictures), 0]
    return cam


def _input(places: Places) -> tuple[str, Tensor, tuple[int, ...]]:
    """Field of the batch that holds the pictures, its values, and the axes of places."""
    tokens, pixels = places.batch.image_tokens, places.batch.pixels
    if tokens is not None:
        return "image_tokens", tokens, (2,)
    assert pixels is not None
    return "pixels", pixels, (-2, -1)


def _answers(
    system: Any, batch: StudyBatch, finding: str, field: str
) -> Callable[[Tensor], Tensor]:
    """Logit of a finding as a function of the study's pictures."""
    classifier: Classifies = system

    def answer(values: Tensor) -> Tensor:
        given: dict[str, Any] = {"pixels": None, field: values}
        read = replace(repeated(batch, len(values)), **given)
        return classifier.predict(read, (finding,)).logits[:, 0]

    return answer


def _feature_map(system: Any, batch: StudyBatch) -> Tensor:
    """Tokens of the last feature map, cached or encoded, `[1, V, S, D]`."""
    if batch.image_tokens is not None:
        return batch.image_tokens
    assert batch.pixels is not None
    with torch.no_grad():
        tokens: Tensor = system.setting.image_encoder(batch.pixels[0])
    return tokens[None]


def _on_places(values: Tensor, places: Places) -> Tensor:
    """Values of tokens `[1, V, S, D]` or pixels `[1, V, c, H, W]`, summed, as `[V, h, w]`."""
    chosen = values[0, list(places.pictures)]
    if places.batch.image_tokens is not None:
        return chosen.sum(-1).view(-1, places.side, places.side)
    summed = chosen.sum(1)
    side = min(SIDE, *summed.shape[-2:])
    pooled: Tensor = adaptive_avg_pool2d(summed, side)
    return pooled
