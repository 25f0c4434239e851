"""Needs: inputs that a system requires beside studies and labels, read by the preprocessor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from encoders.study import View

__all__ = ["NO_NEEDS", "Needs"]


@dataclass(frozen=True)
class Needs:
    """Inputs that a system requires; none by default.

    Args:
        paired_report: In training, the report beside the images of a study.
        paired_policy: Text policy of the paired report and its statements.
        sentences: Training draws one sentence of the paired report per study and step.
        statements: In training, statements of the report, each with its assertion, site and words.
        text_statements: Likewise of every text of the system, in training and at test.
        triples: In training, edges of the graph that chance draws for every batch.
        boxes: Bounding box of a lesion in each image.
        pixels: Pixels of the images, not tokens of a frozen encoder.
        colour: Red, green and blue pixels as stored; a grey image is repeated.
        image_maps: Feature maps of the image encoder that are read, by name.
        vocabulary: The vocabulary of the text encoder, to write and to read words by number.
        definitions: Names and definitions of the concepts, for the text encoder.
        views: Views that are read; empty = all that the configuration allows.
    """

    paired_report: bool = False
    paired_policy: Literal["full", "findings", "impression"] = "full"
    sentences: bool = False
    statements: bool = False
    text_statements: bool = False
    triples: bool = False
    boxes: bool = False
    pixels: bool = False
    colour: bool = False
    image_maps: tuple[str, ...] = ()
    vocabulary: bool = False
    definitions: bool = False
    views: tuple[View, ...] = ()


NO_NEEDS = Needs()
