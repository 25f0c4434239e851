"""Read NIfTI volumes as axial slices in [0, 1], from feet to head, as a radiologist sees them.

The patient's right is on the left of a slice, the front on top, whatever way the volume was
stored. Values are scaled by the header. A volume is read plane by plane, to its end where it is
compressed, so that memory stays at a few slices and a file that is cut off is noticed.

- 8-bit values without scaling are divided by 255; colour becomes luma.
- Values are taken for HU where three slices (at a quarter, half and three quarters) hold air,
  below -200; they are shown in the window asked for, or the lung window.
- Other volumes are shown in the range their header states, or from the lowest to the highest
  value of these three slices.
- Of several volumes in a file (time points, components) the first is read, and a note says so.
- An affine that is no place in space (not finite, or flat) is not used, and a note says so.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
from nibabel.orientations import io_orientation
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from encoders.reading.limits import MAX_PIXELS, Grey, check_file, check_parts, check_size
from encoders.reading.pair import pair_of
from encoders.reading.rejected import RejectedImage
from encoders.reading.stack import About
from encoders.reading.windowing import spread, window_named

AIR = -200.0
"""HU below which only air and lung lie."""

MAX_VOXELS = 4_000_000_000
"""Volumes with more voxels are refused."""

REST = 1 << 20
"""Bytes that may follow the last volume of a file."""

MAX_HELD = 4 * MAX_PIXELS
"""Pixels of the slices that are shown together."""

_DECODING = (OSError, EOFError, ValueError, zlib.error, HeaderDataError, WrapStructError)
_LUMA = {"R": 0.299, "G": 0.587, "B": 0.114}


class Volume:
    """A NIfTI volume.

    Args:
        path: The file, compressed or not; of a volume in two files, either of them.

    Raises:
        RejectedImage: If its header is wrong, or promises more than is there or may be.
    """

    def __init__(self, path: Path) -> None:
        check_file(path)
        pair = pair_of(path)
        self.path, self._values = path, pair.values if pair else path
        with self._opened(pair.header if pair else path) as stream:
            self._header, affine = _header(path, stream, paired=pair is not None)
            self._type: np.dtype[Any] = self._header.get_data_dtype()
            shape = [int(side) for side in self._header.get_data_shape()] + [1, 1, 1]
        self._shape, volumes = shape[:3], int(np.prod(shape[3:], dtype=object))
        if min(shape) < 1 or int(np.prod(shape, dtype=object)) > MAX_VOXELS:
            raise RejectedImage(path, "too_many_pixels", " x ".join(map(str, shape[:3])))
        if self._type.kind not in "iuf" and set(_LUMA) - set(self._type.names or ()):
            raise RejectedImage(path, "damaged", f"values of type {self._type}")
        # world axis of each stored axis (0 to the right, 1 to the front, 2 to the head), and sign
        towards = io_orientation(np.eye(4) if affine is None else affine)
        self._axes = [int(np.flatnonzero(towards[:, 0] == world)[0]) for world in range(3)]
        self._reversed = [bool(towards[axis, 1] < 0) for axis in self._axes]
        x, y, z = self._axes
        check_size(path, self._shape[x], self._shape[y], self._type.itemsize)
        notes = [f"{volumes} volumes, the first is read"] if volumes > 1 else []
        spacing = None
        if affine is None:
            notes.append("its affine is no place in space: its axes are taken as they are stored")
        else:
            mm = np.sqrt((affine[:3, :3] ** 2).sum(0))
            spacing = float(mm[y]), float(mm[x])
        self.about = About(check_parts(path, self._shape[z]), "ct", spacing, tuple(notes))

    def read(
        self, parts: Sequence[int], *, target: int | None = None, window: str = ""
    ) -> Iterator[Grey]:
        """Slices from feet to head; see `Stack.read`."""
        count = self.about.parts
        samples = sorted({count // 4, count // 2, 3 * count // 4})
        wanted = sorted({*parts, *samples})
        x, y, _ = self._axes
        if len(wanted) * self._shape[x] * self._shape[y] > MAX_HELD:
            raise RejectedImage(self.path, "too_many_pixels", f"{len(wanted)} slices at once")
        slices = self._slices(wanted)
        seen = np.stack([slices[place] for place in samples])
        low, high = float(seen.min()), float(seen.max())
        if not (np.isfinite(low) and np.isfinite(high)) or low == high:
            raise RejectedImage(self.path, "degenerate")
        for part in parts:
            yield self._shown(slices[part], low, high, window)

    def _shown(self, values: Grey, low: float, high: float, window: str) -> Grey:
        if low < AIR:
            return window_named(window or "lung").apply(values)
        stated = (float(self._header["cal_min"]), float(self._header["cal_max"]))
        if self._type.itemsize == 1 or self._type.names:
            low, high = (0.0, 255.0) if self._scaling() == (1, 0) else (low, high)
        elif np.isfinite(stated).all() and stated[0] < stated[1]:
            low, high = stated
        return spread(values, low, high)

    def _slices(self, wanted: Sequence[int]) -> dict[int, Grey]:
        """Slices as they are shown, in values of the file; every stored plane is read once."""
        x, y, z = self._axes
        last = self._shape[z] - 1
        places = {last - at if self._reversed[2] else at: at for at in wanted}
        held: dict[int, list[np.ndarray]] = {at: [] for at in wanted}
        for number, plane in self._planes(set(places) if z == 2 else None):
            if z == 2:
                held[places[number]].append(plane)
            else:
                for stored, at in places.items():
                    held[at].append(plane.take(stored, axis=z))
        slope, intercept = self._scaling()
        upright = {}
        for at, pieces in held.items():
            # axes of `flat` are the two stored axes other than z, in their order
            flat = pieces[0] if z == 2 else np.stack(pieces, axis=-1)
            rows = flat.T if x < y else flat
            rows = rows if self._reversed[1] else rows[::-1]
            rows = rows if self._reversed[0] else rows[:, ::-1]
            upright[at] = np.ascontiguousarray(rows * np.float32(slope) + np.float32(intercept))
        return upright

    def _planes(self, wanted: set[int] | None) -> Iterator[tuple[int, np.ndarray]]:
        """Stored planes `[n0, n1]` along the last axis, by number; those wanted, or all.

        A compressed file is read to its end, where its checksum stands.
        """
        width, height, depth = self._shape
        size = width * height * self._type.itemsize
        with self._opened(self._values) as stream:
            start = int(self._header.get_data_offset())
            zipped = isinstance(stream, gzip.GzipFile)
            if not zipped and self._values.stat().st_size < start + size * depth:
                raise RejectedImage(self.path, "truncated")
            stream.seek(start)
            for number in range(depth):
                if not zipped and wanted is not None and number not in wanted:
                    stream.seek(size, os.SEEK_CUR)
                    continue
                raw = stream.read(size)
                if len(raw) < size:
                    raise RejectedImage(self.path, "truncated", f"plane {number + 1} of {depth}")
                if wanted is None or number in wanted:
                    plane = np.frombuffer(raw, self._type).reshape(height, width).T
                    yield number, _plain(plane)
            if zipped:
                self._check_rest(stream)

    def _check_rest(self, stream: IO[bytes]) -> None:
        """Read what follows the planes, further volumes at most, to the checksum at the end."""
        left = (
            int(np.prod(self._header.get_data_shape(), dtype=object)) * self._type.itemsize + REST
        )
        while some := stream.read(min(REST, left)):
            left -= len(some)
        if left <= 0:
            raise RejectedImage(self.path, "damaged", "it unpacks to more than its header says")

    def _scaling(self) -> tuple[float, float]:
        slope, intercept = self._header.get_slope_inter()
        return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0))

    @contextmanager
    def _opened(self, path: Path) -> Iterator[IO[bytes]]:
        """A file's bytes, unpacked."""
        with path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            try:
                yield gzip.GzipFile(fileobj=file) if zipped else file  # type: ignore[misc]
            except _DECODING as error:
                cut = isinstance(error, EOFError)
                raise RejectedImage(self.path, "truncated" if cut else "damaged") from None


def _header(path: Path, stream: IO[bytes], *, paired: bool) -> tuple[Any, np.ndarray | None]:
    """Header and affine `[4, 4]`, in mm towards right, front and head; None where it is none."""
    begins = stream.read(4)
    stream.seek(0)
    newer = 540 in _either_way(begins)
    if paired:
        kind = Nifti2PairHeader if newer else Nifti1PairHeader
    else:
        kind = Nifti2Header if newer else Nifti1Header
    header = kind.from_fileobj(stream, check=False)
    if header["magic"].item()[:2] == b"ni" and not paired:
        raise RejectedImage(path, "not_an_image", "a header alone", "put its .img beside it")
    affine = header.get_best_affine()
    usable = np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3
    return header, affine if usable else None


def _either_way(begins: bytes) -> tuple[int, int]:
    return int.from_bytes(begins, "little"), int.from_bytes(begins, "big")


def _plain(plane: np.ndarray) -> Grey:
    """Plain numbers; luma of colours."""
    if plane.dtype.names is None:
        return plane.astype(np.float32)
    mixed = sum(plane[name] * np.float32(weight) for name, weight in _LUMA.items())
    return np.asarray(mixed, dtype=np.float32)
