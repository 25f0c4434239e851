"""What a look finds, that it is kept, and that a killed preparation goes on where it was."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from encoders.reading.picture import read_picture
from encoders.reading.transforms import whole
from experiments.preparation import image_scan as looking
from experiments.preparation.image_scan import ImageScan, Recipe, difference_hash
from experiments.preparation.prepare import Plan, prepare
from experiments.preparation.store import ImageStore
from kg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five images, of which one is empty and one is a page."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(5):
        pixels = rng.integers(0, 256, (40, 60), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    (folder / "1.png").write_bytes(b"")
    (folder / "3.png").write_text("<html>not found</html>")
    return folder


PATHS = [f"{number}.png" for number in range(5)]


def look(root: Path, out: Path, side: int = 0, workers: int = 1) -> list[looking.ScannedImage]:
    out.mkdir(exist_ok=True)
    return ImageScan(root, out, Recipe("1", side), out / "squares").scan([*PATHS, "6.png"], workers)


def test_every_picture_gets_a_reason_or_a_hash(root: Path, tmp_path: Path) -> None:
    found = look(root, tmp_path / "out")
    assert [one.path for one in found] == [*PATHS, "6.png"]
    assert [one.reason for one in found] == ["", "empty", "", "not_an_image", "", "missing"]
    assert found[0].sha256 == hashlib.sha256((root / "0.png").read_bytes()).hexdigest()
    assert len({one.shape for one in found if not one.reason}) == 3
    assert not (tmp_path / "out" / "squares").exists()


def test_two_processes_find_what_one_finds(root: Path, tmp_path: Path) -> None:
    assert look(root, tmp_path / "one", 16) == look(root, tmp_path / "two", 16, workers=2)
    one, two = (tmp_path / name / "squares" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_only_what_changed_is_looked_at_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = look(root, tmp_path / "out", 16)
    opened: list[str] = []

    def counted(path: Path, *, target: int) -> np.ndarray:
        opened.append(path.name)
        return read_picture(path, target=target)

    monkeypatch.setattr(looking, "read_picture", counted)
    assert look(root, tmp_path / "out", 16) == first
    assert not opened
    (root / "1.png").write_bytes((root / "0.png").read_bytes())
    again = look(root, tmp_path / "out", 16)
    assert opened == ["1.png"]
    assert again[1].sha256 == first[0].sha256
    journal = tmp_path / "out" / looking.JOURNAL
    journal.write_text(journal.read_text() + '{"path": "0.png", "si')
    assert look(root, tmp_path / "out", 16) == again
    look(root, tmp_path / "out", 32)
    assert set(opened[1:]) == {"0.png", "1.png", "2.png", "3.png", "4.png"} - {"6.png"}


def test_squares_are_what_the_files_show(root: Path, tmp_path: Path) -> None:
    found = look(root, tmp_path / "out", 16)
    kept = np.fromfile(tmp_path / "out" / "squares", np.float16).reshape(-1, 16, 16)
    for one in found:
        assert (one.row < 0) == bool(one.reason)
        if not one.reason:
            expected = whole(read_picture(root / one.path), 16).astype(np.float16)
            np.testing.assert_array_equal(kept[one.row], expected)


def test_difference_hash_by_hand() -> None:
    rising = np.tile(np.linspace(0, 1, 17, dtype=np.float32), (16, 1))
    assert difference_hash(rising) == "ff" * 32
    assert difference_hash(rising[:, ::-1].copy()) == "00" * 32
    half = np.concatenate([rising[:8], rising[:8, ::-1]])
    assert difference_hash(half) == "ff" * 16 + "00" * 16


def studies(folder: Path, count: int) -> Path:
    """A table of studies whose image takes a few milliseconds to read."""
    (folder / "pictures").mkdir(parents=True)
    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (300, 300), dtype=np.uint8)).save(folder / "one.png")
    content = (folder / "one.png").read_bytes()
    lines = ["study,image,Cardiomegaly"]
    for number in range(count):
        (folder / "pictures" / f"{number}.png").write_bytes(content)
        lines.append(f"s{number},pictures/{number}.png,{number % 2}")
    (folder / "studies.csv").write_text("\n".join(lines))
    return folder


KILLED = """
import multiprocessing, os, signal, sys
from pathlib import Path
from experiments.datasets.table import Table
from experiments.preparation import image_scan as looking
from experiments.preparation.prepare import Plan, prepare
def killed(self, scanned, note=looking.ImageScan._note):
    note(self, scanned)
    if self.journal.read_bytes().count(b"\\n") > 16:
        print(len(multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    looking.TOGETHER, looking.ImageScan._note = 8, killed
    plan = Plan(workers=2, side=32, duplicates="list")
    prepare("table", Table(), Path(sys.argv[1]), Path(sys.argv[2]), plan=plan)
"""


def test_a_killed_preparation_goes_on_and_leaves_no_process(tmp_path: Path, processes: Any) -> None:
    root, out, script = studies(tmp_path / "raw", 150), tmp_path / "out", tmp_path / "run.py"
    script.write_text(KILLED)
    journal = out / looking.JOURNAL
    # workers hold its output open, so that this waits for their end
    begun = processes.run(sys.executable, script, root, out)
    assert (begun.returncode, begun.stdout) == (-signal.SIGKILL, "2\n"), begun.stderr
    assert journal.read_text().count("\n") == 1 + 16
    assert not (out / "prepared.json").exists()
    plan = Plan(side=32, duplicates="list")
    from experiments.datasets.table import Table

    with pytest.raises(InputError, match="has no decoded images"):
        ImageStore.open(out)
    made = prepare("table", Table(), root, out, plan=plan)
    assert made.changed
    assert made.pictures == 150
    paths = [json.loads(line)["path"] for line in journal.read_text().splitlines()[1:]]
    assert len(paths) == len(set(paths)) == 150
    fresh = prepare("table", Table(), root, tmp_path / "fresh", plan=plan)
    assert fresh.manifests == made.manifests
    for name in ("index.parquet", "studies.parquet", "duplicates.csv", "pictures/squares.f16"):
        assert (out / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()
    assert not prepare("table", Table(), root, out, plan=plan).changed


DEADLY = """
import os
from dataclasses import replace

def glance(look):
    if look.path in ("7.png", "30.png"):
        os._exit(11)
    return replace(look, sha256=look.path)
"""


def test_a_picture_that_ends_its_process_is_damaged_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deadly_glance.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(tmp_path)
    import deadly_glance

    monkeypatch.setattr(looking, "CHUNK", 2)
    todo = [looking.ScannedImage(f"{number}.png", 1, 1, row=number) for number in range(32)]
    found = list(looking.scan_each(deadly_glance.glance, todo, 2))
    assert [look.path for look in found] == [look.path for look in todo]
    assert [look.path for look in found if look.reason] == ["7.png", "30.png"]
    assert {look.reason for look in found} == {"", "damaged"}
    assert all(look.sha256 == look.path for look in found if not look.reason)
