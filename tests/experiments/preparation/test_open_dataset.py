"""A data set is found, checked and divided alike wherever it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.config.schema import DataSection, SplitSection
from experiments.datasets.openi import OpenI
from experiments.preparation.open_dataset import OpenDataset, build_dataset, open_dataset
from experiments.preparation.prepare import prepare
from experiments.splits.manifest import locked_studies
from kg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of data sets with a raw one, and a prepared copy beside it."""
    OpenI().tiny(tmp_path / "raw" / "openi")
    prepare("openi", OpenI(), tmp_path / "raw" / "openi", tmp_path / "ready" / "openi")
    return tmp_path


def find(root: Path, name: str = "openi", labels: str = "") -> OpenDataset:
    return OpenDataset.find(name, build_dataset(name), root, root / "cache", labels)


@pytest.mark.parametrize(
    ("under", "folder", "copied"),
    [
        ("raw", "raw/openi", False),
        ("raw/openi", "raw/openi", False),
        ("ready", "ready/openi", True),
        ("ready/openi", "ready/openi", True),
    ],
)
def test_a_root_holds_data_sets_or_is_one(root: Path, under: str, folder: str, copied) -> None:
    opened = find(root / under)
    assert opened.folder == root / folder
    assert opened.root.resolve() == (root / "raw" / "openi").resolve()
    assert (opened.copy is not None) == copied
    raw = OpenI().studies(root / "raw" / "openi", labels="nih14")
    assert list(opened.studies) == raw
    assert opened.locked == locked_studies(OpenI(), raw)
    assert {study.study for study in opened.development} == {s.study for s in raw} - opened.locked


def test_a_copy_and_its_raw_folder_share_every_split(root: Path) -> None:
    raw, copy = find(root / "raw"), find(root / "ready")
    for split in (SplitSection(fold=1), SplitSection(kind="locked"), SplitSection(seed=3)):
        assert raw.manifest(split).sha256 == copy.manifest(split).sha256


def test_an_incomplete_folder_of_its_name_gives_way_to_the_root_itself(root: Path) -> None:
    (root / "raw" / "openi" / "openi").mkdir()
    assert find(root / "raw" / "openi").folder == root / "raw" / "openi"
    with pytest.raises(InputError, match="openi is not under"):
        find(root)


def test_what_kgdx_makes_itself_is_in_the_cache_unless_a_copy_is_named(root: Path) -> None:
    assert find(root, "synthetic").folder == root / "cache" / "datasets" / "synthetic"
    (root / "synthetic").mkdir()
    assert find(root, "synthetic").folder == root / "cache" / "datasets" / "synthetic"
    build_dataset("synthetic").tiny(root / "synthetic")
    assert find(root, "synthetic").folder == root / "synthetic"


def test_labels_and_options_are_checked_before_anything_is_read(root: Path) -> None:
    for place in ("raw", "ready"):
        with pytest.raises(InputError, match="openi is not labelled with 'nih15'"):
            find(root / place, labels="nih15")
    with pytest.raises(InputError, match="is a copy with labels 'nih14'"):
        find(root / "ready", labels="mesh")
    data = DataSection(name="openi", labels="nih14", options={"picturez": "optional"})
    with pytest.raises(InputError, match=r"data\.options\.picturez"):
        open_dataset(data, root / "raw", root / "cache")


def test_a_copy_is_counted_without_its_raw_folder_and_names_it(root: Path) -> None:
    (root / "raw").rename(root / "away")
    opened = find(root / "ready")
    assert len(opened.studies) > 0
    with pytest.raises(InputError, match="the raw folder .* it was made from is missing"):
        assert opened.root
