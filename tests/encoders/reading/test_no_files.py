"""Pipes, devices, sockets, loops and folders where a file should be: told, never opened."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.contents import content_hash
from encoders.reading.folder import study_pictures
from encoders.reading.picture import look, read_picture
from encoders.reading.plain import text_file
from encoders.reading.rejected import RejectedImage
from kg.errors import InputError

KINDS = ("pipe", "device", "zero", "loop", "dangling", "socket", "folder")
REASONS = {
    "pipe": "not_a_file",
    "device": "not_a_file",
    "zero": "not_a_file",
    "socket": "not_a_file",
    "loop": "not_readable",
    "dangling": "missing",
    "folder": "not_an_image",
}


def place(path: Path, kind: str) -> Path:
    """Put something that is no file at a path."""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("device", "zero", "dangling"):
        path.symlink_to({"device": "/dev/tty", "zero": "/dev/zero", "dangling": "/nowhere"}[kind])
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "socket":
        os.chdir(path.parent)  # the name of a socket has 108 bytes at the most
        socket.socket(socket.AF_UNIX).bind(path.name)
    else:
        path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_no_picture_is_read(tmp_path: Path, kind: str) -> None:
    path = place(tmp_path / "a.png", kind)
    for read in (look, read_picture):
        with pytest.raises(RejectedImage) as caught:
            read(path)
        assert caught.value.reason == REASONS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_of_a_study_leaves_none_unmentioned(tmp_path: Path, kind: str) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "b.png")
    path = place(tmp_path / "a.png", kind)
    (tmp_path / "notes.md").write_text("no picture")
    assert study_pictures(tmp_path) == [path, tmp_path / "b.png"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
def test_nothing_is_hashed(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=r"a\.png"):
        content_hash(place(tmp_path / "a.png", kind))


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_read(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=r"a\.txt") as caught:
        text_file(place(tmp_path / "a.txt", kind))
    assert caught.value.hint
