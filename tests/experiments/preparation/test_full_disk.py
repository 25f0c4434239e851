"""A disk that is full or read-only is said; what is half-written is no copy, and goes on."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.main import main
from experiments.datasets.openi import OpenI
from experiments.preparation import prepare as module
from experiments.preparation.copy import PreparedCopy
from experiments.preparation.prepare import Plan, prepare
from kg.errors import InputError

PLAN = Plan(side=16, shards=2)


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    OpenI().tiny(tmp_path / "openi")
    return tmp_path / "openi"


def contents(folder: Path) -> dict[str, bytes]:
    """What a copy holds, its own record of where it is apart."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (".lock", "looked.jsonl")
    }


@pytest.mark.parametrize("size", [20, 2_000, 17_000])  # at the start, while looking, in the shards
def test_a_full_disk_is_said_and_the_next_run_goes_on(
    root: Path, tmp_path: Path, size: int
) -> None:
    out = tmp_path / "out"
    with room(size), pytest.raises(InputError, match=r"cannot be written: File too large"):
        prepare("openi", OpenI(), root, out, plan=PLAN)
    assert PreparedCopy.find(out) is None
    assert not list(out.rglob(".unfinished-*.*"))
    made = prepare("openi", OpenI(), root, out, plan=PLAN)
    assert made.changed
    assert not prepare("openi", OpenI(), root, out, plan=PLAN).changed
    prepare("openi", OpenI(), root, tmp_path / "fresh", plan=PLAN)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_copy_that_cannot_be_renewed_is_no_copy_any_more(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare("openi", OpenI(), root, out, plan=PLAN)
    with room(3_000), pytest.raises(InputError, match="parquet cannot be written.*File too large"):
        prepare("openi", OpenI(), root, out, labels="mesh", plan=PLAN)
    assert PreparedCopy.find(out) is None
    assert prepare("openi", OpenI(), root, out, labels="mesh", plan=PLAN).changed
    assert PreparedCopy.find(out) is not None


def test_a_folder_that_may_not_be_written(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def refused(*given: object, **named: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    words = ["data", "prepare", "openi", "--root", str(root), "-o", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(module.FileLock, "acquire", refused)
        assert main(words) == 3
    said = capsys.readouterr().err
    assert (
        "out cannot be written: Read-only file system\n    free space, or check its permissions"
        in said
    )
    assert PreparedCopy.find(tmp_path / "out") is None
    (tmp_path / "file").write_text("")
    assert main([*words[:-1], str(tmp_path / "file" / "out")]) == 3
    assert main(words) == 0
