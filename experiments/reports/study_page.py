"""Page of one study: images, text, labels and metadata."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from encoders.reading.picture import look, read_parts
from encoders.reading.places import share
from encoders.reading.rejected import RejectedImage
from encoders.study import Stated, Study
from experiments.reports.pages import page_style, page_templates
from kg.model.graph import KnowledgeGraph

__all__ = ["render_study_page"]

NORMAL = "ckg:no_finding"
ORDER: tuple[Stated, ...] = ("present", "uncertain", "absent")
MOST = 12
"""Maximum number of images shown of a study, slices and frames included."""
SIDE = 640
"""Longer side in pixels an image is shown at."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """Image on the page, or the reason why it cannot be shown."""

    caption: str
    address: str = ""
    reason: str = ""


def render_study_page(study: Study, root: Path, graph: KnowledgeGraph) -> str:
    """The page as one HTML document: everything escaped, no external references.

    Args:
        study: The study.
        root: Folder its images' paths are relative to.
        graph: Graph with the names of findings.
    """
    stated = sorted(
        (ORDER.index(word), graph.concept(concept).label, word, _tone(concept, word))
        for concept, word in study.stated.items()
    )
    return (
        page_templates()
        .get_template("study_page.html")
        .render(
            style=page_style(),
            study=study,
            shown=list(_images(study, root)),
            stated=[row[1:] for row in stated],
        )
    )


def _tone(concept: str, word: Stated) -> str:
    """Colour of a label; `no finding` is no alarm."""
    if concept == NORMAL:
        return "plain"
    return {"present": "alarm", "absent": "calm", "uncertain": "warn"}[word]


def _images(study: Study, root: Path) -> Iterator[_Shown]:
    """Images, and evenly spaced slices or frames, of the study's files."""
    counts = []
    for image in study.images:
        try:
            counts.append(1 if image.frame is not None else look(root / image.path).parts)
        except RejectedImage:
            counts.append(1)
    for image, count, places in zip(study.images, counts, share(counts, MOST), strict=True):
        name = f"{image.modality}, {image.view}"
        parts = [image.frame] if count == 1 else [*places]
        try:
            for part, grey in zip(parts, read_parts(root / image.path, parts), strict=False):
                place = "" if part is None else f", {part + 1} of {max(count, part + 1)}"
                yield _Shown(name + place, _address(grey))
        except RejectedImage as error:
            yield _Shown(name, reason=error.reason)


def _address(grey: np.ndarray) -> str:
    """An image as a data address."""
    picture = Image.fromarray((np.clip(grey, 0, 1) * 255).round().astype(np.uint8))
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
