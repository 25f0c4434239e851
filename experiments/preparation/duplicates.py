"""Near-duplicate images: groups of images that were saved again, scaled or lightly changed.

Images are compared by their difference hashes (256 bits). At most `NEAR` different bits count as
the same image: on Open-i, whose films of different patients look most alike, the closest two of
different patients differ in 17.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from encoders.study import Study
from experiments.preparation.image_scan import ScannedImage
from experiments.privacy.pseudonyms import sealed
from experiments.records.atomic import atomic_path
from experiments.splits.manifest import Manifest
from kg.errors import InputError
from kg.files.shown import cell

__all__ = ["duplicate_groups", "joined", "refuse_divided", "write_duplicates"]

NEAR = 9
"""Maximum number of different bits in the hashes of near-duplicates."""
BITS = 256

Hashes = NDArray[np.uint8]
Pairs = NDArray[np.int64]


def duplicate_groups(scanned: Sequence[ScannedImage]) -> dict[str, int]:
    """Group number of each image that has a near-duplicate, by path.

    Groups are connected components of near-duplicate pairs, numbered by their first image.
    """
    readable = [look for look in scanned if look.shape]
    if len(readable) < 2:
        return {}
    shapes = [bytes.fromhex(look.shape) for look in readable]
    table = np.frombuffer(b"".join(shapes), np.uint8).reshape(len(readable), -1)
    distinct, member = np.unique(table, axis=0, return_inverse=True)
    first, second = near_pairs(distinct).T
    ties = coo_array((np.ones(len(first)), (first, second)), shape=(len(distinct),) * 2)
    cluster = connected_components(ties, directed=False)[1][member.ravel()]
    sizes = Counter(cluster.tolist())
    number: dict[int, int] = {}
    return {
        look.path: number.setdefault(group, len(number))
        for look, group in zip(readable, cluster.tolist(), strict=True)
        if sizes[group] > 1
    }


def near_pairs(hashes: Hashes, most: int = NEAR) -> Pairs:
    """Pairs of rows `[n, 2]` that differ in at most `most` bits.

    The bits are cut into `most + 1` pieces: two hashes that near agree on at least one whole
    piece, so only rows that share a piece are compared.

    Args:
        hashes: Distinct hashes, `[n, 32]` bytes.
        most: Maximum number of different bits.
    """
    bits = np.unpackbits(hashes, axis=1)
    words = np.ascontiguousarray(hashes).view(np.uint64)
    pairs: list[Pairs] = [np.zeros((0, 2), np.int64)]
    for piece in np.array_split(np.arange(BITS), most + 1):
        key = bits[:, piece] @ (1 << np.arange(len(piece), dtype=np.int64))
        order = np.argsort(key, kind="stable")
        ends = np.flatnonzero(np.diff(key[order])) + 1
        for alike in np.split(order, ends):
            pairs.extend(_near(words, alike, most) if len(alike) > 1 else ())
    return np.unique(np.concatenate(pairs), axis=0)


def _near(words: NDArray[np.uint64], alike: NDArray[np.int64], most: int) -> list[Pairs]:
    """Pairs among the rows that share a piece."""
    pairs = []
    for place, row in enumerate(alike[:-1]):
        others = alike[place + 1 :]
        apart = np.bitwise_count(words[others] ^ words[row]).sum(1)
        close = others[apart <= most]
        pairs.append(np.sort(np.stack([np.full_like(close, row), close], 1), axis=1))
    return pairs


def refuse_divided(
    manifest: Manifest, studies: Sequence[Study], duplicates: Mapping[str, int]
) -> None:
    """Raise for a split that divides near-duplicates.

    Raises:
        InputError: `leakage`, with the first two images and their subsets.
    """
    first: dict[int, tuple[str, str]] = {}
    for study in studies:
        for image in study.images:
            if image.path not in duplicates:
                continue
            group = duplicates[image.path]
            other, path = first.setdefault(group, (study.study, image.path))
            one, two = manifest.assignments[other], manifest.assignments[study.study]
            if one != two:
                raise InputError(
                    f"leakage: {manifest.name}: {path} ({one}) and {image.path} ({two}) are the "
                    "same image or near-duplicates",
                    "--duplicates join keeps such patients together, --duplicates list only "
                    "lists them",
                )


def joined(studies: Sequence[Study], duplicates: Mapping[str, int]) -> dict[str, str]:
    """New patient group of each group; groups that share a near-duplicate are joined."""
    from experiments.datasets._near_duplicates import join

    return join(
        (
            (
                (
                    ("", str(duplicates[image.path]))
                    if image.path in duplicates
                    else ("own", image.path)
                ),
                study.patient,
            )
            for study in studies
            for image in study.images
        ),
        (),
    )


def write_duplicates(path: Path, studies: Sequence[Study], duplicates: Mapping[str, int]) -> None:
    """Write one row for each image that has a near-duplicate."""
    rows = sorted(
        (duplicates[image.path], study.study, study.patient, image.path)
        for study in studies
        for image in study.images
        if image.path in duplicates
    )
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("duplicates", "study", "group", "path"))
        writer.writerows(map(cell, (*row, sealed(path))) for *row, path in rows)
