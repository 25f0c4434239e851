"""Box reader: feature maps at several scales, pooled in the box of a lesion (RoIAlign, He 2017)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from encoders.batch import StudyBatch
from encoders.study import VIEWS
from fusion.system import Setting
from kg.errors import InputError

__all__ = ["BoxReader", "Where", "as_map", "pooled_in"]

Where = Literal["box", "picture"]
"""What a feature map is pooled in: the box of the lesion, or the whole picture."""


class BoxReader(nn.Module):
    """Feature maps of the pictures, pooled in the box of the lesion, as one vector a study.

    A picture without a box is pooled as a whole. Where no map is named, as where tokens are cached,
    the grid of tokens is the one map.

    Args:
        setting: Gives the encoder that trains, or the width of cached tokens.
        maps: Feature maps of the encoder by the name of the stage, each with what it is pooled in.
        roi: Side of the grid a map is pooled to.
        width: Features of each map.

    Raises:
        InputError: If there are no pictures.
    """

    def __init__(
        self, setting: Setting, maps: Mapping[str, Where], *, roi: int, width: int
    ) -> None:
        super().__init__()
        if not (setting.image_width or maps):
            raise InputError("the system reads pictures", "set image.encoder")
        self.encoder = cast(Any, setting.image_encoder)
        self.names = tuple(maps)
        self.where: tuple[Where, ...] = tuple(maps.values()) or ("box",)
        self.roi, self.width = roi, width * len(self.where)
        widths = [setting.image_maps[name][0] for name in maps] or [setting.image_width]
        self.lines = nn.ModuleList(nn.Linear(each * roi**2, width) for each in widths)
        self.view = nn.Embedding(len(VIEWS), self.width)

    def maps(self, batch: StudyBatch) -> list[Tensor]:
        """Maps `[R, D, h, w]` of the `R` real pictures; of a batch without one they are empty."""
        real = batch.image_mask
        if batch.image_tokens is not None:
            return [as_map(batch.image_tokens[real])]
        if batch.pixels is None or not real.any():
            return [self.view.weight.new_zeros(0, 1, 1, 1) for _ in self.where]
        pixels = batch.pixels[real]
        if self.names:
            made: Mapping[str, Tensor] = self.encoder.maps(pixels)
            return [made[name] for name in self.names]
        return [as_map(self.encoder(pixels))]

    def forward(self, batch: StudyBatch, maps: list[Tensor], boxes: Tensor | None) -> Tensor:
        """Features `[B, width]`, the mean over a study's pictures; zeros where there is none."""
        real = batch.image_mask
        made = maps[-1].new_zeros(*real.shape, self.width)
        if real.any():
            whole = made.new_tensor([0.0, 0.0, 1.0, 1.0]).expand(int(real.sum()), 4)
            given = whole if boxes is None else boxes[real].to(whole)
            inside = torch.where(given.isnan(), whole, given)
            rows = [
                line(pooled_in(one, inside if where == "box" else whole, self.roi).flatten(1))
                for line, one, where in zip(self.lines, maps, self.where, strict=True)
            ]
            read = (torch.cat(rows, 1) + self.view(batch.view[real])).relu()
            made = made.to(read.dtype).index_put((real,), read)
        return made.sum(1) / real.sum(1, keepdim=True).clamp_min(1)


def as_map(tokens: Tensor) -> Tensor:
    """Tokens `[R, S, D]` as a map `[R, D, h, w]`; one row high where they form no square."""
    side = math.isqrt(tokens.shape[1])
    shape = (side, side) if side * side == tokens.shape[1] else (1, tokens.shape[1])
    return tokens.transpose(1, 2).reshape(len(tokens), tokens.shape[2], *shape)


def pooled_in(features: Tensor, boxes: Tensor, side: int) -> Tensor:
    """Means of the cells of a box: maps `[R, D, h, w]` and shares `[R, 4]` to `[R, D, g, g]`."""
    high, wide = features.shape[2:]
    corners = boxes.float() * boxes.new_tensor([wide, high, wide, high], dtype=torch.float32)
    number = torch.arange(len(boxes), device=boxes.device, dtype=torch.float32)[:, None]
    pooled: Tensor = roi_align(
        features.float(), torch.cat((number, corners), 1), side, aligned=True
    )
    return pooled
