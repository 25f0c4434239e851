"""Mismatched pairs: some images beside a text of other labels, for image-text matching."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["mismatch"]


def mismatch(
    labels: Tensor,
    mask: Tensor,
    *,
    share: float = 0.5,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw the text that each image is shown with.

    As in MedViLL (Moon 2022), a wrong text is that of a study whose labels differ as a whole, so
    that a text that fits as well is never called wrong.

    Args:
        labels: Labels of each study, `[B, C]`; NaN = not stated, which is a value of its own.
        mask: True where a study has image and text, `[B]`; others are never exchanged.
        share: Chance of a study to be shown a wrong text, where there is one in the batch.
        generator: Source of the draws; None = that of the run.

    Returns:
        Row of the text of each study, `[B]`, and True where it is its own.
    """
    known = labels.nan_to_num(-1.0)
    differ = (known[:, None] != known[None]).any(-1)
    rivals = differ & mask[:, None] & mask[None]
    chance, order = (
        torch.rand(shape, generator=generator, device=labels.device)
        for shape in (labels.shape[:1], rivals.shape)
    )
    wrong = (chance < share) & rivals.any(1)
    other = order.masked_fill(~rivals, -1.0).argmax(1)
    return torch.where(wrong, other, torch.arange(len(labels), device=labels.device)), ~wrong
