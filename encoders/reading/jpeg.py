"""Check that the coded data of a JPEG is complete: other decoders fill gaps with grey."""

from __future__ import annotations

from pathlib import Path

import simplejpeg

from encoders.reading.rejected import RejectedImage

__all__ = ["check_jpeg"]

MOST_SCANS = 500
"""Passes over the image; a progressive JPEG has about ten, and each takes its time."""


def check_jpeg(path: Path, coded: bytes) -> None:
    """Refuse a JPEG whose data has a hole, jumps or ends early.

    Its codes are read to the end at an eighth of the size. What this decoder cannot read (12 bits,
    no loss) passes.

    Args:
        path: The file, for messages.
        coded: The image.

    Raises:
        RejectedImage: `truncated` or `damaged`.
    """
    if coded.count(b"\xff\xda") > MOST_SCANS:
        raise RejectedImage(path, "damaged", f"more than {MOST_SCANS} passes over the picture")
    try:
        simplejpeg.decode_jpeg(coded, "GRAY", min_factor=8)
    except ValueError as error:
        said = str(error)
        if said.startswith("Premature end"):
            raise RejectedImage(path, "truncated") from None
        if not said.startswith(("Unsupported JPEG", "Unsupported color")) and "ICC" not in said:
            raise RejectedImage(path, "damaged", "a part of its data is missing") from None
