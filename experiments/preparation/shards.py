"""Shards: a prepared copy as tar files that several machines can stream.

The format is WebDataset's: plain tar files, read sequentially at the speed of disk or network,
without an index in memory. It needs no service and no cache folder (Hugging Face datasets has a
cache and fetches by name, litdata a format and a client of its own). None of its decoders is used:
a study is JSON, its resized images are a plain array, and nothing is unpickled.

Studies are assigned to shards at random, once, so that every shard is a sample of the whole.
Subsets are not written into them, so one set of shards serves every split.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoders.contents import file_hash
from encoders.study import Study
from experiments.preparation.stored import stored, stored_study
from experiments.privacy.pseudonyms import sealed, unsealed
from experiments.records.atomic import write_json
from kg.errors import InputError
from kg.files.json_text import json_in, json_of
from kg.progress import Progress

__all__ = ["Sample", "Shards", "write_shards"]

log = logging.getLogger(__name__)

FOLDER = "shards"
ABOUT = "shards.json"
RECORD, SQUARES = "study.json", "squares.npy"
MOST_OPEN = 512
"""Maximum number of shards, which are all open while they are written."""


@dataclass(frozen=True)
class Sample:
    """One study of a shard.

    Args:
        row: Its row in `studies.parquet`.
        study: The study.
        held: Paths of its resized images: stills, not volumes and clips.
        squares: Resized images, `[V, H, W]`.
    """

    row: int
    study: Study
    held: tuple[str, ...]
    squares: NDArray[np.float16]


@dataclass(frozen=True)
class Shards:
    """The shards of a prepared copy.

    Args:
        folder: Folder of the shards.
        files: File names.
        side: Side of the resized images in pixels; 0 = no images.
        view: View recipe of the resized images.
        studies: Number of studies in all shards.
    """

    folder: Path
    files: tuple[str, ...]
    side: int
    view: str
    studies: int

    @classmethod
    def open(cls, folder: Path) -> Shards:
        """Shards of a prepared copy; their lengths are checked, nothing is read.

        Raises:
            InputError: If they do not match their list.
        """
        path = folder / FOLDER / ABOUT
        try:
            about = json_in(path)
            for shard in about["shards"]:
                size = (folder / FOLDER / shard["file"]).stat().st_size
                if size != shard["bytes"]:
                    raise InputError(f"{path.parent / shard['file']}: cut short", "prepare again")
            names = tuple(str(shard["file"]) for shard in about["shards"])
            return cls(path.parent, names, about["side"], about["view"], about["studies"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not readable: {error}", "prepare again") from None

    def stream(
        self, files: Sequence[str], wanted: NDArray[np.bool_], seed: Sequence[int], mixed: int
    ) -> Iterator[Sample]:
        """Studies of some shards, in an order that depends only on the seed.

        Args:
            files: Names of the shards, in the order to read them.
            wanted: Mask of the rows of `studies.parquet` to yield.
            seed: Seed of the order.
            mixed: Size of the shuffle buffer in studies.
        """
        import random

        import webdataset

        number = int.from_bytes(hashlib.sha256(repr(list(seed)).encode()).digest()[:8], "big")
        pipeline = webdataset.DataPipeline(
            webdataset.SimpleShardList([str((self.folder / name).resolve()) for name in files]),
            webdataset.tarfile_to_samples(),
            webdataset.select(lambda sample: wanted[int(sample["__key__"])]),
            webdataset.shuffle(mixed, initial=mixed, rng=random.Random(number)),
        )
        for sample in pipeline:
            squares: NDArray[np.float16] = np.zeros((0, self.side, self.side), np.float16)
            if SQUARES in sample:
                squares = np.load(io.BytesIO(sample[SQUARES]), allow_pickle=False)
            record = json_of(sample[RECORD])
            held = tuple(map(unsealed, record["held"]))
            yield Sample(int(sample["__key__"]), stored_study(record["study"]), held, squares)


def write_shards(out: Path, samples: Iterator[Sample], about: dict[str, Any], count: int) -> None:
    """Write the shards of a copy atomically.

    Args:
        out: The prepared copy.
        samples: Its studies.
        about: Number of studies, side and view of the resized images.
        count: Number of shards.

    Raises:
        InputError: If there are more shards than studies, or too many to be written at once.
    """
    import webdataset

    studies = int(about["studies"])
    if not 0 < count <= min(studies, MOST_OPEN):
        raise InputError(
            f"{count} shards for {studies} studies", f"choose 1 to {min(studies, MOST_OPEN)}"
        )
    unfinished = out / f".unfinished-{FOLDER}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    names = [f"{number:05d}-of-{count:05d}.tar" for number in range(count)]
    assigned = np.random.default_rng(0).permutation(studies) % count
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                webdataset.TarWriter(str(unfinished / name), encoder=False, mtime=0)
            )
            for name in names
        ]
        progress = Progress(log, "shards", "studies")
        for done, sample in enumerate(samples, 1):
            progress.at(done, studies)
            held = tuple(map(sealed, sample.held))
            written: dict[str, str | bytes] = {
                "__key__": f"{sample.row:09d}",
                RECORD: json.dumps({"study": stored(sample.study), "held": held}).encode(),
            }
            if len(sample.squares):
                written[SQUARES] = _packed(sample.squares)
            writers[assigned[sample.row]].write(written)
    listed = [_about(unfinished / name) for name in names]
    write_json(unfinished / ABOUT, about | {"shards": listed})
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    unfinished.replace(out / FOLDER)


def _packed(squares: NDArray[np.float16]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, squares, allow_pickle=False)
    return buffer.getvalue()


def _about(path: Path) -> dict[str, Any]:
    return {"file": path.name, "bytes": path.stat().st_size, "sha256": file_hash(path)}
