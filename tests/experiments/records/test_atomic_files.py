"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from experiments.records.atomic import atomic_path, remove_leftovers, write_json, write_text
from kg.errors import InputError
from kg.files import atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_takes_the_place_of_the_former_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    write_json(tmp_path / "a", {"new": 1})
    assert (tmp_path / "a").read_text() == '{\n  "new": 1\n}\n'
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_former_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def torn() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        torn()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_or_broken_disk(tmp_path: Path, monkeypatch, code: int) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(InputError) as caught:
        write_text(path, "new")
    assert os.strerror(code) in caught.value.message
    assert "intact" in caught.value.hint
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_text(tmp_path / "none" / "a", "new")


@pytest.mark.skipif(os.geteuid() != 0 and not Path("/dev/full").exists(), reason="no /dev/full")
def test_no_space_while_writing(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a"
    write_text(path, "old")

    def torn() -> None:
        with atomic_path(path), Path("/dev/full").open("w") as full:
            full.write("x" * 10)

    with pytest.raises(InputError, match="No space left"):
        torn()
    assert path.read_text() == "old"


def test_leftovers_of_a_killed_process_go(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / ".unfinished-1-ab-x").write_text("half")
    (tmp_path / "kept").write_text("whole")
    assert remove_leftovers(tmp_path) == [".unfinished-1-ab-x"]
    assert names(tmp_path) == ["inside", "kept"]
    assert not names(tmp_path / "inside")
