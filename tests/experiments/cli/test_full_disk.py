"""A full disk is told by every command that writes, and leaves former files as they were."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.main import main
from experiments.datasets.table import Table
from kg.errors import InputError
from kg.files.atomic import atomic_path, write_whole
from kg.files.store import load_shipped, save

SPACE = 2000
"""Bytes that still fit: the beginning of every file below."""

LIMITED = f"""
import resource, signal, sys
from experiments.cli.main import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({SPACE}, {SPACE}))
sys.exit(main(sys.argv[1:]))
"""
"""A process that writes to files of a limited size, as on a disk that becomes full."""


@pytest.mark.parametrize("ending", [".jsonl", ".ttl", ".csv", ".graphml", ".html"])
def test_a_graph_that_does_not_fit_is_told_and_the_former_one_stays(
    tmp_path: Path, processes: Any, ending: str
) -> None:
    path = tmp_path / f"graph{ending}"
    path.write_text("former")
    done = processes.python(LIMITED, "graph", "export", "-o", path)
    assert done.returncode == 3
    assert f"{path} cannot be written: File too large" in done.stderr
    assert "free space" in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_text() == "former"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_so_is_a_table_of_labels_a_check_and_a_prepared_copy(
    tmp_path: Path, processes: Any
) -> None:
    raw, out = tmp_path / "table", tmp_path / "out"
    Table().tiny(raw)
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(200):
        (texts / f"{number}.txt").write_text("Findings: Enlarged heart. No effusion.")
    save(load_shipped(), tmp_path / "g.jsonl")
    for arguments in (
        ("data", "label", texts, "-o", tmp_path / "labels.csv"),
        ("data", "prepare", "table", "--root", tmp_path, "-o", out),
        ("graph", "validate", tmp_path / "g.jsonl", "-o", tmp_path / "faults.html"),
    ):
        done = processes.python(LIMITED, *arguments)
        assert done.returncode == 3, done.stderr
        assert "cannot be written" in done.stderr
        assert "File too large" in done.stderr
        assert "Traceback" not in done.stderr
        assert "bug" not in done.stderr
    assert not (out / "prepared.json").exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"table", "texts", "g.jsonl", "out"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device of a full disk")
def test_results_that_cannot_be_printed_are_told(processes: Any) -> None:
    command = (sys.executable, "-m", "experiments.cli.main", "list", "systems")
    with Path("/dev/full").open("w") as full:
        process = processes.start(*command, stdout=full, stderr=subprocess.PIPE)
        said = process.communicate()[1]
    assert process.returncode == 3
    assert "No space left on device" in said
    assert "bug" not in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_every_step_of_a_write_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    path = tmp_path / "graph.ttl"
    write_whole(path, b"former")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, fail)
        with pytest.raises(InputError, match="cannot be written") as caught:
            write_whole(path, b"new")
    assert "the former file is intact" in caught.value.hint
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_not_replaced_by_one(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "graph.ttl")
    (tmp_path / "link.ttl").symlink_to("/dev/null")
    for name in ("graph.ttl", "link.ttl"):
        with (
            pytest.raises(InputError, match="cannot be written: is a"),
            atomic_path(tmp_path / name),
        ):
            pytest.fail("it was opened for writing")
    assert main(["graph", "export", "-o", str(tmp_path / "link.ttl")]) == 3
    assert (tmp_path / "link.ttl").is_symlink()
