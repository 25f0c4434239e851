"""Decoded images of a prepared copy, memory-mapped and read in any order.

They are square images in half precision, with the same values that a run caches of the same files,
so a run that reads the store has the same inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from experiments.preparation.index import INDEX, read_columns
from experiments.privacy.pseudonyms import unsealed
from kg.errors import InputError
from kg.files.json_text import json_in

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ABOUT", "ImageStore", "SQUARES"]

SQUARES = Path("pictures") / "squares.f16"
ABOUT = Path("pictures") / "about.json"


@dataclass(frozen=True)
class ImageStore:
    """Grey square images `[P, H, W]` in [0, 1], one per readable image of a prepared copy.

    Args:
        folder: The prepared copy.
        side: Side of the images in pixels.
        view: View recipe of the images.
        count: Number of images, `P`.
    """

    folder: Path
    side: int
    view: str
    count: int
    kept: ClassVar[bool] = True

    @classmethod
    def open(cls, folder: Path) -> ImageStore:
        """The store of a prepared copy; nothing is read yet.

        Raises:
            InputError: If there is none, or its file has another length.
        """
        path = folder / ABOUT
        try:
            about = json_in(path)
            store = cls(folder, int(about["side"]), str(about["view"]), int(about["count"]))
            length = (folder / SQUARES).stat().st_size
        except FileNotFoundError:
            raise InputError(
                f"{folder}: has no decoded images", "kgdx data prepare NAME --images SIDE"
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable: {error}", "prepare again") from None
        if length != store.count * 2 * store.side**2:
            raise InputError(
                f"{folder / SQUARES}: has {length} bytes, not those of {store.count} images",
                "remove the folder and prepare again",
            )
        return store

    @cached_property
    def squares(self) -> NDArray[np.float16]:
        """All images `[P, H, W]`, memory-mapped, read-only."""
        shape = (self.count, self.side, self.side)
        if not self.count:
            return np.zeros(shape, np.float16)
        return np.memmap(self.folder / SQUARES, np.float16, mode="r", shape=shape)

    def rows(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """Row of each image in `squares`.

        Args:
            paths: Images as the index names them, relative to the raw folder.

        Raises:
            InputError: If one is not in the store.
        """
        rows = self.places(paths)
        if (rows < 0).any():
            missing = paths[int(np.argmax(rows < 0))]
            raise InputError(
                f"{self.folder}: the image {missing!r} is not in it",
                "prepare again; rejected.csv says which images cannot be read",
            )
        return rows

    def grey(self, paths: Sequence[str]) -> NDArray[np.float32]:
        """Grey values `[n, H, W]` in [0, 1] of images, in their order."""
        values: NDArray[np.float32] = self.squares[self.rows(paths)].astype(np.float32)
        return values

    def check(self, side: int, view: str) -> None:
        """Raise where an encoder needs another size or view.

        Raises:
            InputError: If side or view differ, with the command that makes them.
        """
        if (side, view) != (self.side, self.view):
            raise InputError(
                f"{self.folder}: has images of {self.side} pixels in the view {self.view!r}, "
                f"the image encoder needs {side} in {view!r}",
                f"prepare again with --images {side} --view {view}",
            )

    def places(self, paths: Sequence[str]) -> NDArray[np.int64]:
        """Row of each image, -1 where none is kept."""
        return np.array([self._rows.get(path, -1) for path in paths], dtype=np.int64)

    @cached_property
    def values(self) -> Tensor:
        """All images as a memory-mapped tensor."""
        import torch

        size = self.count * self.side**2
        path = str(self.folder / SQUARES)
        flat = torch.from_file(path, shared=False, size=size, dtype=torch.float16)
        return flat.view(self.count, self.side, self.side)

    @cached_property
    def _rows(self) -> dict[str, int]:
        """Row of each image by its path."""
        rows = read_columns(self.folder / INDEX, "path", "row")
        return {unsealed(path): row for path, row in rows}

    @cached_property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the file of each stored image, by its path."""
        rows = read_columns(self.folder / INDEX, "path", "sha256", "row")
        return {unsealed(path): digest for path, digest, row in rows if row >= 0}
