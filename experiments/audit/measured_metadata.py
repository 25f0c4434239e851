"""Metadata measured for the probes: format, size and bytes of image files, length of texts.

Files are measured in the local copy: a copy that was saved again has other bytes and formats. Width
and height are those stated by the data set, else those of the file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import fmean

from encoders.reading.kinds import kind_of
from encoders.reading.limits import check_file
from encoders.reading.raster import open_raster
from encoders.reading.rejected import RejectedImage
from encoders.study import Study
from experiments.preparation.image_scan import stamp
from experiments.splits.origins import origin_of

__all__ = ["with_measured_metadata"]


def with_measured_metadata(study: Study, root: Path) -> Study:
    """Add metadata measured from the files and texts of a study.

    Args:
        study: The study.
        root: Folder its image paths are relative to.
    """
    return replace(study, metadata=_of_files(study, root) | dict(study.metadata) | _of_text(study))


def _of_files(study: Study, root: Path) -> dict[str, str]:
    """Format, bytes and size of the image files."""
    paths = [path for image in study.images if (path := root / image.path).exists()]
    facts = {"source": origin_of(study)}
    if study.images:
        facts |= {"modality": study.images[0].modality, "images": str(len(study.images))}
    if not paths:
        return facts
    facts["bytes"] = f"{fmean(stamp(path)[0] for path in paths):.0f}"
    facts["format"] = "+".join(sorted({_format(path)[0] for path in paths}))
    stated = study.metadata.get("width"), study.metadata.get("height")
    width, height = stated if all(stated) else _format(paths[0])[1]
    if width and height:
        facts |= {"width": width, "height": height, "size": f"{width} x {height}"}
        facts["aspect"] = f"{float(width) / float(height):.3f}"
    return facts


def _format(path: Path) -> tuple[str, tuple[str, str]]:
    """Format and pixel depth of a file (`JPEG L`), and its width and height if known."""
    try:
        check_file(path)
        kind = kind_of(path)
        if kind not in ("raster", "animation"):
            return kind, ("", "")
        with open_raster(path) as image:
            return f"{image.format} {image.mode}", (str(image.width), str(image.height))
    except RejectedImage:
        return "unreadable", ("", "")


def _of_text(study: Study) -> dict[str, str]:
    """Length, number of passages and language of the texts; nothing of their content."""
    facts = {}
    for name, passages in (("report", study.report), ("dialogue", study.dialogue)):
        if passages:
            facts[f"{name}_characters"] = str(sum(len(passage.text) for passage in passages))
            facts[f"{name}_passages"] = str(len(passages))
            facts[f"{name}_language"] = "+".join(sorted({one.language for one in passages}))
    return facts
