"""Feature cache: tokens of a frozen encoder, computed once for each image and kept on disk.

One folder per key (weights, preprocessing, view recipe and its version) holds `rows.f16`, the
token features in half precision, and `index.jsonl`, one line a row with the SHA-256 of the
image's bytes. A row is first written and synced, then listed; readers see listed rows
only, so a killed writer leaves nothing half-written to be seen. One process writes at a
time; readers need no lock.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from filelock import FileLock, Timeout

from encoders.contents import Contents
from encoders.image import ImageEncoder
from encoders.reading.picture import Picture
from kg.errors import InputError
from kg.files.json_text import json_in, json_of

__all__ = ["FeatureCache", "encode_pixels", "image_key"]

log = logging.getLogger(__name__)

Item = TypeVar("Item", Path, Picture, str)
Array = np.ndarray[Any, np.dtype[Any]]
LARGEST = float(np.finfo(np.float16).max)


def image_key(
    encoder: ImageEncoder, recipe: str, version: str, *, trains: bool = False, random: bool = False
) -> dict[str, str]:
    """Key of the cache: everything that decides the tokens of an image beside its bytes.

    Args:
        encoder: The frozen encoder.
        recipe: Name of the view recipe.
        version: Version of the code that reads and prepares images.
        trains: True if the encoder is trained in this run.
        random: True if the recipe is random.

    Raises:
        InputError: If the tokens would not be the same each time.
    """
    if trains:
        raise InputError(
            "the feature cache cannot hold tokens of an encoder that trains",
            "set image.frozen to true, or train without the cache",
        )
    if random:
        raise InputError(
            f"the feature cache cannot hold tokens of the random view recipe {recipe!r}",
            "choose a fixed recipe, or set image.frozen to false",
        )
    return {
        "weights": encoder.weights_hash(),
        "preprocessing": json.dumps(encoder.preprocessing.plain(), sort_keys=True),
        "recipe": recipe,
        "version": version,
    }


def encode_pixels(
    encoder: ImageEncoder, pixels: Array, device: str = "cpu", together: int = 0
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Tokens `[n, S, D]` of normalised pixels `[n, c, H, W]`, without gradients.

    Args:
        encoder: A frozen encoder in evaluation mode, on `device`.
        pixels: Normalised pixels.
        device: Device of the encoder.
        together: Images encoded together; 0 = 4 on a CPU, where small batches stay in its
            memory cache (three times as fast as 16), and all of them elsewhere.
    """
    size = together or (4 if device == "cpu" else max(len(pixels), 1))
    with torch.no_grad():
        tokens = [
            encoder(torch.as_tensor(pixels[start : start + size]).to(device)).float().cpu()
            for start in range(0, len(pixels), size)
        ]
    return torch.cat(tokens).numpy()


class FeatureCache(Generic[Item]):
    """Token features on disk, computed once for each image.

    An item is the path of a file (identified by the hash of its bytes), an image in such a file, or
    a hash.

    Args:
        folder: Folder of the caches; each key has its own folder in it.
        key: Everything that decides the features beside the item; see `image_key`.
        shape: Tokens of one item and their width, `(S, D)`.
        contents: Hashes of files, computed once.

    Raises:
        InputError: If the folder cannot be written, or holds this key with another shape.
    """

    def __init__(
        self,
        folder: Path,
        key: Mapping[str, str],
        shape: tuple[int, int],
        contents: Contents | None = None,
    ) -> None:
        self.shape: tuple[int, int] = shape
        self._contents: Contents = contents or Contents()
        about: dict[str, Any] = {"key": dict(key), "shape": list(shape), "type": "float16"}
        name = hashlib.sha256(json.dumps(about["key"], sort_keys=True).encode()).hexdigest()[:32]
        self.folder: Path = folder / name
        with _explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.folder / "lock")
        self._rows = self.folder / "rows.f16"
        self._index = self.folder / "index.jsonl"
        self._check(about)
        self._known: dict[str, int] = {}
        self._read = 0
        self._refresh()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._known)

    def rows(self, items: Sequence[Item]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Row of each item in `array`.

        Raises:
            InputError: If some items have not been computed.
        """
        self._refresh()
        names = _contents(items, self._contents)
        missing = [item for item, name in zip(items, names, strict=True) if name not in self._known]
        if missing:
            raise InputError(
                f"{len(missing)} of {len(items)} pictures are not in the feature cache, "
                f"first {missing[0]}",
                "compute them first, with the same encoder and view recipe",
            )
        return np.array([self._known[name] for name in names], dtype=np.int64)

    def array(self) -> np.ndarray[Any, np.dtype[np.float16]]:
        """All rows `[n, S, D]`, mapped from disk, read-only."""
        self._refresh()
        shape = (len(self), *self.shape)
        if not len(self):
            return np.zeros(shape, np.float16)
        return np.memmap(self._rows, np.float16, mode="r", shape=shape)

    def fill(
        self,
        items: Sequence[Item],
        encode: Callable[[list[Item]], Array],
        batch: int = 32,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Compute the missing features.

        Args:
            items: Images whose features are needed.
            encode: Function from a list of items to their features `[n, S, D]`.
            batch: Items encoded and written together.
            progress: Called with the number done and the number to do after each batch.

        Returns:
            Row of each item in `array`.

        Raises:
            InputError: If features are not finite, or cannot be written; rows written before
                stay.
        """
        names = _contents(items, self._contents)
        with self._locked():
            self._truncate()
            todo = {
                name: item
                for name, item in zip(names, items, strict=True)
                if name not in self._known
            }
            waiting = list(todo.items())
            for start in range(0, len(waiting), batch):
                chunk = waiting[start : start + batch]
                features = self._checked([item for _, item in chunk], encode)
                self._append([name for name, _ in chunk], features)
                if progress is not None:
                    progress(start + len(chunk), len(waiting))
        return np.array([self._known[name] for name in names], dtype=np.int64)

    def _checked(self, items: list[Item], encode: Callable[[list[Item]], Array]) -> Array:
        """Features of items in half precision; every number finite."""
        features = np.asarray(encode(items), dtype=np.float32)
        if features.shape != (len(items), *self.shape):
            raise InputError(
                f"the encoder gave {features.shape} for {len(items)} images, "
                f"the cache holds {self.shape} for each image",
                "choose another cache folder, or the encoder the cache was made with",
            )
        within = (np.abs(features) <= LARGEST).all(axis=(1, 2))
        if not within.all():
            raise InputError(
                f"{items[int(np.argmin(within))]}: its features are not finite in half precision",
                "check the image and the weights",
            )
        return features.astype(np.float16)

    def _append(self, names: list[str], features: Array) -> None:
        """Write rows, sync them, and only then list them; an error leaves the cache as before."""
        first = len(self)
        with _explained(self.folder):
            try:
                _write(self._rows, np.ascontiguousarray(features).tobytes())
                lines = (
                    json.dumps({"row": first + place, "content": name}) + "\n"
                    for place, name in enumerate(names)
                )
                _write(self._index, "".join(lines).encode())
            except OSError:
                self._truncate()
                raise
        self._refresh()

    def _truncate(self) -> None:
        """Remove bytes of a killed writer after the last listed row; needs the lock."""
        self._refresh()
        with _explained(self.folder):
            for path, length in (
                (self._rows, len(self) * 2 * self.shape[0] * self.shape[1]),
                (self._index, self._read),
            ):
                if path.exists() and path.stat().st_size > length:
                    os.truncate(path, length)

    def _refresh(self) -> None:
        """Read the lines added since the last time; an incomplete line does not count."""
        if not self._index.exists() or self._index.stat().st_size <= self._read:
            return
        with self._index.open("rb") as stream:
            stream.seek(self._read)
            added = stream.read()
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.splitlines():
            entry = json_of(line)
            self._known[entry["content"]] = entry["row"]
        self._read += len(whole)

    def _check(self, about: dict[str, Any]) -> None:
        """Write the description of the folder, or compare it with the one there."""
        path = self.folder / "about.json"
        if not path.exists():
            with self._locked(), _explained(self.folder):
                _replace(path, json.dumps(about, indent=2).encode())
        held = json_in(path)
        if held != about:
            raise InputError(
                f"{self.folder}: holds features of shape {held['shape']}, not {about['shape']}",
                "remove the folder, or choose another",
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder alone, waiting for another process where one writes."""
        with _explained(self.folder):
            try:
                self._lock.acquire(timeout=0)
            except Timeout:
                log.info("%s: waiting for another process that fills it", self.folder)
                self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()


def _contents(items: Sequence[Path | Picture | str], contents: Contents) -> list[str]:
    """Hash of each item; an image inside a file has its index appended."""
    paths = [item.path if isinstance(item, Picture) else item for item in items]
    hashes = {path: contents.hash(path) for path in set(paths) if isinstance(path, Path)}
    names = []
    for item, path in zip(items, paths, strict=True):
        name = hashes[path] if isinstance(path, Path) else path
        names.append(name + (_place(item) if isinstance(item, Picture) else ""))
    return names


def _place(picture: Picture) -> str:
    """Slice or frame of a file, and tile of it."""
    place = "" if picture.part is None else f"/{picture.part}"
    return place if picture.tile is None else f"{place}/{picture.tile.place} of {picture.tile.side}"


def _write(path: Path, content: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    _write(beside, content)
    beside.replace(path)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn a full or read-only disk into an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{folder}: the feature cache cannot be written ({error.strerror or error})",
            "free some space or choose another folder; rows cached before are intact",
        ) from None
