"""The fuzzer sees every kind of failure, gives the same inputs again, and finds nothing now."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from fuzzing import process
from fuzzing.doors import command, picture
from fuzzing.formats import Format, formats
from fuzzing.layouts import sealed_png
from fuzzing.process import Kind, attempt
from PIL import Image

from experiments.cli import main as entry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Format]:
    return formats(tmp_path_factory.mktemp("made"))


def test_a_few_inputs_of_every_format_do_not_fail(
    tmp_path: Path, processes: Any, known: dict[str, Format]
) -> None:
    words = ("-m", "fuzzing", "--seed", 11, "--inputs", 4, "--keep", tmp_path / "failed")
    paths = os.pathsep.join((str(ROOT), str(ROOT / "tests/fuzz")))
    done = processes.run(sys.executable, *words, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [(row[1], row[2], row[6]) for row in rows] == [(name, "4", "0") for name in known]
    assert not (tmp_path / "failed").exists()


def test_the_same_number_gives_the_same_bytes(known: dict[str, Format]) -> None:
    for name, form in known.items():
        first, again, other = (form.input(Random(f"7/{name}/{n}")) for n in (3, 3, 4))
        assert first == again
        assert first != other, name


def test_every_layout_lies_in_its_file(known: dict[str, Format]) -> None:
    for form in known.values():
        for seed in form.seeds if form.layout and not form.name.endswith("gz") else ():
            layout = form.layout(seed)
            assert len(layout.numbers) > 5
            assert layout.blocks
            assert all(0 <= start <= end <= len(seed) for start, end in layout.blocks)
            assert all(0 <= at < len(seed) for at, _, _ in layout.numbers)
    for seed in known["png"].seeds:
        assert sealed_png(seed) == seed


def raises(_: Path) -> tuple[Kind, str]:
    raise ValueError("a fault")


def exhausts(_: Path) -> tuple[Kind, str]:
    raise MemoryError


def grows(_: Path) -> tuple[Kind, str]:
    held = np.ones(100 << 20, np.uint8)
    return "read", str(held[-1])


def sleeps(_: Path) -> tuple[Kind, str]:
    signal.pause()
    return "read", ""


def spins(_: Path) -> tuple[Kind, str]:
    while True:
        pass


def breaks(_: Path) -> tuple[Kind, str]:
    os.kill(os.getpid(), signal.SIGKILL)
    return "read", ""


def leaves(_: Path) -> tuple[Kind, str]:
    os._exit(0)


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (raises, "ValueError: a fault"),
        (exhausts, "MemoryError"),
        (grows, "memory: 1"),
        (sleeps, "hang: 2 s"),
        (spins, "time: 1 s"),
        (breaks, "ended by SIGKILL"),
        (leaves, "said nothing"),
    ],
)
def test_every_kind_of_failure_is_seen(
    read: Callable[[Path], tuple[Kind, str]], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MEMORY", 64 << 20)
    monkeypatch.setattr(process, "SECONDS", 1)
    monkeypatch.setattr(process, "WALL", 2 if read is sleeps else 60)
    outcome = attempt(read, Path("x"))
    assert outcome.kind == "failing"
    assert said in outcome.detail


def test_what_is_read_is_said_with_what_it_took() -> None:
    outcome = attempt(grows, Path("x"))
    assert (outcome.kind, outcome.detail) == ("read", "1")
    assert 90 << 20 < outcome.memory < 200 << 20


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def test_a_picture_that_silently_shows_another_fails(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (24, 32), np.uint8)
    sound = saved(tmp_path / "a.png", values)
    assert picture(sound)(sound) == ("read", "")
    for name, other in {"light": 255 - values, "short": values[:12], "turned": values.T}.items():
        path = saved(tmp_path / f"{name}.png", other)
        assert picture(None)(path) == ("read", "")
        kind, said = picture(sound)(path)
        assert kind == "failing"
        assert "silently" in said
    (tmp_path / "cut.png").write_bytes(sound.read_bytes()[:200])
    assert picture(sound)(tmp_path / "cut.png") == ("refused", "truncated")


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (0, "", "read"),
        (0, "warning: 1 row", "noted"),
        (3, "error: x", "refused"),
        (1, "a fault", "refused"),
        (3, "", "failing"),
        (70, "a bug in kgdx", "failing"),
        (-11, "", "failing"),
        (3, "thread panicked at x", "failing"),
        (3, "error: \x1b[2J", "failing"),
        (0, "Traceback (most recent call last)", "failing"),
    ],
)
def test_what_a_command_may_end_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str, kind: str
) -> None:
    def main(words: list[str]) -> int:
        assert words == ["try", str(tmp_path / "a")]
        os.write(2, said.encode())
        return code

    monkeypatch.setattr(entry, "main", main)
    monkeypatch.chdir(tmp_path)
    assert command("try", "FILE")(tmp_path / "a")[0] == kind
