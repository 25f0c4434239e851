"""Counts of a prepared copy are those of the raw folder, and its studies are shown from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.cli.main import main
from experiments.datasets.openi import OpenI
from experiments.preparation.inventory import take_inventory
from experiments.preparation.open_dataset import OpenDataset
from experiments.preparation.prepare import prepare
from experiments.splits.manifest import locked_studies
from kg.errors import InputError


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A raw folder with one unreadable image, and its prepared copy."""
    root, out = tmp_path / "openi", tmp_path / "out"
    OpenI().tiny(root)
    next((root / "images").iterdir()).write_bytes(b"")
    prepare("openi", OpenI(), root, out)
    return root, out


def test_a_prepared_copy_is_counted_as_it_was_written(places: tuple[Path, Path]) -> None:
    root, out = places
    raw, copy = (take_inventory(OpenDataset.open("openi", OpenI(), place)) for place in places)
    assert copy.pictures == raw.pictures - 1
    assert copy.left_out == raw.left_out | {"empty": 1}
    assert copy.splits["openi-locked-seed0"] == raw.splits["openi-locked-seed0"]
    assert sum(name.startswith("openi-folds-") for name in copy.splits) == 5
    views = sum(copy.views.values())
    assert views == copy.pictures
    same = {"pictures", "left_out", "splits", "views"}
    for name in set(raw.__dataclass_fields__) - same:
        assert getattr(copy, name) == getattr(raw, name), name
    with pytest.raises(InputError, match="is a copy with labels 'nih14'"):
        OpenDataset.open("openi", OpenI(), out, "mesh")
    assert OpenDataset.open("openi", OpenI(), out).root == root.resolve()


def test_a_prepared_copy_is_a_root_to_show(places: tuple[Path, Path], capsys) -> None:
    _, out = places
    assert main(["data", "show", "openi", "--root", str(out)]) == 0
    assert "left out\tempty: 1" in capsys.readouterr().out.replace("left_out", "left out")
    studies = OpenI().studies(places[0], labels="nih14")
    shut = locked_studies(OpenI(), studies)
    free = next(study.study for study in studies if study.study not in shut)
    page = out.parent / "page.html"
    words = ["data", "show", "openi", "--root", str(out), "--study", free]
    assert main([*words, "-o", str(page)]) == 0
    assert "data:image/png" in page.read_text()
    (out / "rejected.csv").write_text("file,row\n1,2\n")
    assert main(["data", "show", "openi", "--root", str(out)]) == 3
    assert "prepare again" in capsys.readouterr().err


def test_labels_without_a_concept_are_told(capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KGDX_DATA", raising=False)
    assert main(["data", "show", "padchest"]) == 0
    assert "labels without a concept\tlipomatosis\n" in capsys.readouterr().out


def test_options_of_a_data_set_are_set_and_checked(tmp_path: Path, capsys) -> None:
    OpenI().tiny(tmp_path / "openi")
    for picture in (tmp_path / "openi" / "images").iterdir():
        picture.unlink()
    (tmp_path / "openi" / "images").rmdir()
    words = ["data", "check", "openi", "--root", str(tmp_path / "openi")]
    assert main(words) == 1
    assert "--set pictures=optional" in capsys.readouterr().out
    assert main([*words, "--set", "pictures=optional"]) == 0
    assert main([*words, "--set", "picture=optional"]) == 3
    assert "pictures" in capsys.readouterr().err
    assert main([*words, "--set", "pictures=never"]) == 3
