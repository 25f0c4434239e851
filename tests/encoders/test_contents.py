"""A picture is known by what all its files hold, and a file is read for that once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from encoders import contents
from encoders.contents import Contents, content_hash
from kg.errors import InputError


def test_files_folders_and_pairs(tmp_path: Path) -> None:
    one, two = (tmp_path / name for name in ("a.hdr", "a.img"))
    one.write_bytes(b"header")
    assert content_hash(one) == hashlib.sha256(b"header").hexdigest()
    two.write_bytes(b"values")
    both = content_hash(one)
    assert both == content_hash(two)
    lines = (
        f"{file.name}\n{hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in (one, two)
    )
    assert both == hashlib.sha256("".join(lines).encode()).hexdigest()
    one.write_bytes(b"another header")
    assert content_hash(two) != both
    (tmp_path / ".lock").touch()
    assert content_hash(tmp_path) == content_hash(one)
    with pytest.raises(InputError, match="no such file"):
        content_hash(tmp_path / "b.png")


def test_a_file_is_read_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    whole = contents.file_hash

    def counted(path: Path) -> str:
        read.append(path.name)
        return whole(path)

    monkeypatch.setattr(contents, "file_hash", counted)
    path, held = tmp_path / "a.png", Contents()
    path.write_bytes(b"1")
    first = held.hash(path)
    assert [held.hash(path), held.hash(tmp_path / "a.png")] == [first, first]
    assert read == ["a.png"]
    path.write_bytes(b"22")
    assert held.hash(path) == hashlib.sha256(b"22").hexdigest()
    replaced = tmp_path / "b.png"
    replaced.write_bytes(b"33")
    os.utime(replaced, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    replaced.replace(path)
    assert held.hash(path) == hashlib.sha256(b"33").hexdigest()
    assert read == ["a.png"] * 3
