"""Reading of clips (mp4, mov, avi, webm, mpeg, animated gif and webp) as grey frames in [0, 1].

Frames are counted without decoding them, then those asked for are decoded in one pass; no other
is ever held. What a container says beside images (title, place, sound) is not looked at. A film
that ends before its container says is refused; a bare MPEG stream does not say, and a note tells.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from encoders.reading.kinds import demuxer_of, first_bytes
from encoders.reading.limits import Grey, check_file, check_parts, check_size
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About

_SEGMENT = b"\x18\x53\x80\x67"
"""Element of Matroska that holds all but the first."""

_ENDLESS = "an MPEG stream does not say where it ends: frames after its last are not missed"

_DECODING = (FFmpegError, IndexError, ValueError, EOFError)


class Clip:
    """A film in one of the known containers.

    Args:
        path: The file.
        inside: The film's bytes where it stands inside another file.
        bare: Demuxer of a film without container.

    Raises:
        RejectedImage: If it is cut off, cannot be opened, or its frames are too large or many.
    """

    def __init__(self, path: Path, inside: bytes | None = None, bare: str = "") -> None:
        check_file(path)
        self.path, self._inside = path, inside
        begins = first_bytes(path) if inside is None else inside[:64]
        self._demuxer = demuxer_of(begins) or bare
        size = path.stat().st_size if inside is None else len(inside)
        if self._demuxer == "matroska" and _segment_end(begins) > size:
            raise RejectedImage(path, "truncated")
        with self._opened() as film:
            video = film.streams.video[0]
            check_size(path, video.codec_context.width, video.codec_context.height)
            stated = int(video.frames)
            times = [one.pts for one in film.demux(video) if one.size and not one.is_discard]
            counted = len(times)
            missing = 0.0 if stated else _seconds_missing(film, video, times)
        if counted < stated:
            raise RejectedImage(path, "truncated", f"{counted} of {stated} frames")
        if missing:
            raise RejectedImage(path, "truncated", f"its last {missing:.1f} seconds are missing")
        # a part of such a stream is a whole one
        notes = (_ENDLESS,) if self._demuxer in ("mpeg", "mpegvideo") else ()
        self.about = About(check_parts(path, counted), "ultrasound", notes=notes)

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Frames in order, upright; see `Stack.read`."""
        left = list(parts)
        with self._opened() as film:
            for place, frame in enumerate(film.decode(video=0)):
                if not left:
                    break
                if place == left[0]:
                    left.pop(0)
                    yield self._grey(frame)
        if left:
            raise RejectedImage(self.path, "truncated", f"no frame {left[0] + 1} decodes")

    def _grey(self, frame: Any) -> Grey:
        check_size(self.path, frame.width, frame.height)
        if frame.is_corrupt:
            raise RejectedImage(self.path, "damaged", "a frame is not whole")
        grey = frame.to_ndarray(format="gray").astype(np.float32) / np.float32(255)
        turned: Grey = np.ascontiguousarray(np.rot90(grey, frame.rotation // 90 % 4))
        return turned

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The film, by the demuxer its content calls for and no other, and never by a name."""
        source = self.path.open("rb") if self._inside is None else io.BytesIO(self._inside)
        with source:
            try:
                with av.open(source, format=self._demuxer, metadata_errors="ignore") as film:
                    for video in film.streams.video[:1]:
                        if video.codec_context is None:
                            raise RejectedImage(self.path, "needs_decoder")
                        # what is missing is refused, not painted over
                        video.codec_context.options = {"err_detect": "explode"}
                    yield film
            except _DECODING:
                raise RejectedImage(self.path, "truncated", "its film cannot be decoded") from None


def _segment_end(begins: bytes) -> int:
    """Bytes of a Matroska file up to the end of its segment; 0 where it does not say."""
    length, at = _number(begins, 4)
    at += length
    if begins[at : at + 4] != _SEGMENT:
        return 0
    length, at = _number(begins, at + 4)
    return at + length


def _number(some: bytes, at: int) -> tuple[int, int]:
    """A number of Matroska, whose first bits say how long it is, and the place after it.

    All ones stand for not known: zero.
    """
    if at >= len(some) or not some[at]:
        return 0, at
    size = 9 - some[at].bit_length()
    ones = (1 << 7 * size) - 1
    value = int.from_bytes(some[at : at + size]) & ones
    return (0 if value == ones else value), at + size


def _seconds_missing(film: Any, video: Any, times: Sequence[int | None]) -> float:
    """Seconds by which the frames end before the duration of their container; 0 without one."""
    told = sorted(time for time in times if time is not None)
    if film.duration is None or len(film.streams) > 1 or len(told) < 2:
        return 0.0
    step = (told[-1] - told[0]) / (len(told) - 1)
    end = (told[-1] + step) * float(video.time_base) - (film.start_time or 0) / av.time_base
    short = film.duration / av.time_base - end
    return short if short > 1.5 * step * float(video.time_base) else 0.0
