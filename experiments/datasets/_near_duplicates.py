"""Near-duplicate images: patients who share one are one group, so no split separates them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from experiments.datasets._pictures import stem
from experiments.datasets._tables import read_table

logger = logging.getLogger(__name__)

FILE = "near_duplicates.derived.csv"

NAMES = {
    "covid-chestxray-dataset": "covid_chestxray",
    "figure1-covid-chestxray": "figure1",
    "cov-ctr": "cov_ctr",
    "openi-iu-cxr-images": "openi",
}
"""Name here of each data set in the list."""

Picture = tuple[str, str]
"""A data set and the published name of one of its images (without folder)."""


def read_pairs(root: Path) -> list[tuple[Picture, Picture]]:
    """Pairs of near-duplicates listed in the root or beside it; none without a list."""
    for folder in (root, root.resolve().parent):
        path = folder / FILE
        if path.is_file():
            rows = read_table(path, ("dataset_a", "file_a", "dataset_b", "file_b"))
            return [(_picture(row.cells, "a"), _picture(row.cells, "b")) for row in rows]
    logger.info("%s: no %s; only patients who share an image are joined", root, FILE)
    return []


def join(
    pictures: Iterable[tuple[Picture, str]], pairs: Iterable[tuple[Picture, Picture]]
) -> dict[str, str]:
    """Group of each patient: patients with one image, or near-duplicates of it, share one.

    Args:
        pictures: Each image with its patient; an image may have several patients.
        pairs: Near-duplicates; those with an unknown image are skipped.

    Returns:
        The smallest patient key of each patient's group, by patient key.
    """
    parent: dict[str, str] = {}
    owner: dict[Picture, str] = {}

    def top(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    def merge(one: str, other: str) -> None:
        low, high = sorted((top(one), top(other)))
        parent[high] = low

    for picture, key in pictures:
        parent.setdefault(key, key)
        merge(owner.setdefault(picture, key), key)
    for first, second in pairs:
        if first in owner and second in owner:
            merge(owner[first], owner[second])
    return {key: top(key) for key in parent}


def _picture(cells: Mapping[str, str], side: str) -> Picture:
    dataset = cells[f"dataset_{side}"]
    return NAMES.get(dataset, dataset), published(cells[f"file_{side}"])


def published(path: str) -> str:
    """Published name of an image: without folder, and without the `.jpg` that a copy appended."""
    name = path.rsplit("/", 1)[-1]
    shorter = name.removesuffix(".jpg")
    return shorter if stem(shorter) != shorter else name
