"""Near-duplicates are found whole, and never stand on two sides of a split unnoticed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.datasets.table import Table
from experiments.preparation.duplicates import NEAR, duplicate_groups, near_pairs
from experiments.preparation.image_scan import ScannedImage
from experiments.preparation.prepare import Plan, prepare
from kg.errors import InputError


def flipped(hash_: np.ndarray, places: list[int]) -> np.ndarray:
    bits = np.unpackbits(hash_)
    bits[places] ^= 1
    return np.packbits(bits)


def test_every_near_pair_is_found_and_no_other() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (60, 32), dtype=np.uint8)
    near = [flipped(one, rng.choice(256, NEAR, replace=False).tolist()) for one in base[:20]]
    far = [flipped(one, rng.choice(256, NEAR + 1, replace=False).tolist()) for one in base[20:40]]
    rows = np.concatenate([base, near, far])
    expected = {
        (i, j)
        for i in range(len(rows))
        for j in range(i + 1, len(rows))
        if np.unpackbits(rows[i] ^ rows[j]).sum() <= NEAR
    }
    assert len(expected) == 20
    assert {(int(i), int(j)) for i, j in near_pairs(rows)} == expected


def test_groups_are_chains_numbered_in_order() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.integers(0, 256, (2, 32), dtype=np.uint8)
    step = flipped(one, list(range(NEAR)))
    chain = flipped(step, list(range(100, 100 + NEAR)))
    scanned = [
        ScannedImage(name, 1, 1, shape=shape.tobytes().hex())
        for name, shape in (("a", other), ("b", chain), ("c", one), ("d", step), ("e", other))
    ]
    assert duplicate_groups([*scanned, ScannedImage("f", 0, 0, "empty")]) == {
        "a": 0, "b": 1, "c": 1, "d": 1, "e": 0
    }  # fmt: skip
    assert duplicate_groups(scanned[:2]) == {}
    assert duplicate_groups([]) == {}


def twins(folder: Path) -> Path:
    """30 patients with one image each; the 2nd has the first's, saved again as JPEG, larger."""
    (folder / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(2)
    lines = ["study,patient,image,Cardiomegaly"]
    for number in range(30):
        rough = Image.fromarray(rng.integers(0, 256, (9, 9), dtype=np.uint8))
        rough.resize((90, 90), Image.Resampling.BICUBIC).save(folder / f"pictures/{number}.png")
        lines.append(f"s{number},p{number},pictures/{number}.png,{number % 2}")
    first = Image.open(folder / "pictures" / "0.png").resize((130, 130))
    first.save(folder / "pictures" / "1.png", "JPEG", quality=60)
    (folder / "studies.csv").write_text("\n".join(lines))
    return folder


def test_twins_in_two_parts_are_leakage_unless_joined_or_listed(tmp_path: Path) -> None:
    root = twins(tmp_path / "raw")
    with pytest.raises(InputError, match="leakage") as caught:
        prepare("table", Table(), root, tmp_path / "refused")
    assert "pictures/0.png" in caught.value.message
    assert "pictures/1.png" in caught.value.message
    assert not (tmp_path / "refused" / "prepared.json").exists()
    made = prepare("table", Table(), root, tmp_path / "out", plan=Plan(duplicates="join"))
    assert made.duplicates == 2
    with (tmp_path / "out" / "duplicates.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [(row["study"], row["group"]) for row in rows] == [("s0", "p0"), ("s1", "p0")]
    listed = prepare("table", Table(), root, tmp_path / "listed", plan=Plan(duplicates="list"))
    assert listed.duplicates == 2
    assert listed.manifests != made.manifests
