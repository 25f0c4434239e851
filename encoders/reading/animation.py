"""Reading of animated GIF and WebP as grey frames in [0, 1]; a single frame is a still image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import ImageOps

from encoders.reading.limits import Grey, check_parts, check_size
from encoders.reading.raster import DECODING, grey_of, open_raster, reason_of
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About


class Animation:
    """A GIF or WebP file.

    Args:
        path: The file.

    Raises:
        RejectedImage: If it is cut off, cannot be opened, or its frames are too large or many.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_raster(path) as image:
            check_size(path, *image.size)
            if image.format == "GIF" and not _ended(path):
                raise RejectedImage(path, "truncated")
            try:
                count = int(getattr(image, "n_frames", 1))
            except DECODING as error:
                raise RejectedImage(path, reason_of(error)) from None
        self.about = About(check_parts(path, count), "ultrasound" if count > 1 else None)

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Frames in order; see `Stack.read`."""
        with open_raster(self.path) as image:
            for part in parts:
                try:
                    image.seek(part)
                    grey = grey_of(ImageOps.exif_transpose(image))
                except DECODING as error:
                    raise RejectedImage(self.path, reason_of(error)) from None
                yield grey


def _ended(path: Path) -> bool:
    """True if a GIF has its end mark, without which Pillow finds fewer frames."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1024, 0))
        return file.read().rstrip(b"\0\r\n").endswith(b";")
