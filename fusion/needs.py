"""Needs: what a system asks of its input beside studies and labels, read by the preprocessor."""

from __future__ import annotations

from dataclasses import dataclass

from encoders.study import View

__all__ = ["NO_NEEDS", "Needs"]


@dataclass(frozen=True)
class Needs:
    """What a system asks of its input; nothing by default.

    Args:
        paired_report: In training, the whole report beside the pictures of a study.
        sentences: Training draws one sentence of the paired report per study and step.
        statements: In training, what the report states, each with its assertion, site and words.
        boxes: Where a lesion lies in each picture.
        colour: Pixels as stored, red, green and blue; a grey picture is repeated.
        image_maps: Feature maps of the image encoder that are read, by name.
        vocabulary: The vocabulary of the text encoder, to write and to read words by number.
        definitions: The definition of each concept, beside its names.
        views: Views that are read; empty = all that the configuration lets through.
    """

    paired_report: bool = False
    sentences: bool = False
    statements: bool = False
    boxes: bool = False
    colour: bool = False
    image_maps: tuple[str, ...] = ()
    vocabulary: bool = False
    definitions: bool = False
    views: tuple[View, ...] = ()


NO_NEEDS = Needs()
