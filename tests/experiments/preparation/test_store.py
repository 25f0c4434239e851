"""The store of decoded images gives what the files show, in any order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from encoders.reading.picture import read_picture
from encoders.reading.transforms import borders
from experiments.datasets.openi import OpenI
from experiments.preparation.prepare import Plan, prepare
from experiments.preparation.store import ImageStore
from kg.errors import InputError


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    OpenI().tiny(tmp_path / "openi")
    pictures = sorted((tmp_path / "openi" / "images").iterdir())
    pictures[4].write_bytes(pictures[4].read_bytes()[:100])
    plan = Plan(side=24, view="borders", duplicates="list")
    prepare("openi", OpenI(), tmp_path / "openi", tmp_path / "out", plan=plan)
    return tmp_path / "out"


def test_pictures_in_any_order(copy: Path) -> None:
    root = copy.parent / "openi"
    bad = sorted((root / "images").iterdir())[4].name
    paths = [f"images/{path.name}" for path in sorted((root / "images").iterdir(), reverse=True)]
    paths = [path for path in paths if not path.endswith(bad)]
    store = ImageStore.open(copy)
    assert (store.side, store.view, store.count) == (24, "borders", len(paths) + 1)
    grey = store.grey(paths)
    for one, path in zip(grey, paths, strict=True):
        expected = borders(read_picture(root / path), 24)
        np.testing.assert_array_equal(one, expected.astype(np.float16).astype(np.float32))
    assert store.grey([]).shape == (0, 24, 24)
    with pytest.raises(InputError, match=f"'images/{bad}' is not in it"):
        store.grey([paths[0], f"images/{bad}"])
    with pytest.raises(ValueError, match="read-only"):
        store.squares[0] = 0


def test_another_reader_is_told_what_to_prepare(copy: Path) -> None:
    store = ImageStore.open(copy)
    store.check(24, "borders")
    with pytest.raises(InputError) as caught:
        store.check(32, "whole")
    assert "24 pixels in the view 'borders'" in caught.value.message
    assert "--images 32 --view whole" in caught.value.hint


def test_a_store_cut_short_is_refused_and_made_again(copy: Path) -> None:
    squares = copy / "pictures" / "squares.f16"
    whole = squares.read_bytes()
    squares.write_bytes(whole[:-1])
    with pytest.raises(InputError, match="not those of"):
        ImageStore.open(copy)
    plan = Plan(side=24, view="borders", duplicates="list")
    made = prepare("openi", OpenI(), copy.parent / "openi", copy, plan=plan)
    assert made.changed
    assert squares.read_bytes() == whole
    (copy / "pictures" / "about.json").write_text(json.dumps({"side": 24}))
    with pytest.raises(InputError, match="not readable"):
        ImageStore.open(copy)
    plain = Plan(duplicates="list")
    assert prepare("openi", OpenI(), copy.parent / "openi", copy, plan=plain).changed
    with pytest.raises(InputError, match="no decoded images"):
        ImageStore.open(copy)
