"""Checkpoints survive kills and full disks, and refuse what does not fit or may run code."""

from __future__ import annotations

import json
import os
import pickle
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from experiments.records import checkpoint
from experiments.records.atomic import remove_leftovers
from experiments.records.checkpoint import load_checkpoint, load_tensors, save_checkpoint
from kg.errors import InputError
from kg.files import atomic

IDENTITY = {"system": "graph_fusion", "findings": ["a", "b"], "graph": "f00"}


def weights(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"body.weight": torch.full((3, 2), float(value)), "count": torch.tensor(7)}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    state = {"step": 3, "best": float("inf"), "rng": [2**100, 0.1]}
    shared = weights() | {"tied": (tied := torch.arange(6.0).view(3, 2)), "view": tied.T}
    save_checkpoint(tmp_path / "last", shared, state, IDENTITY)
    found = load_checkpoint(tmp_path / "last", like=shared, identity=IDENTITY)
    assert found.state == state
    assert all(torch.equal(found.tensors[name], shared[name]) for name in shared)


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    for step in range(3):
        save_checkpoint(tmp_path, weights(step), {"step": step})
    assert load_checkpoint(tmp_path).state["step"] == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_every_difference_is_listed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, weights(), {}, IDENTITY)
    like = {"body.weight": torch.zeros(2, 2), "head": torch.zeros(1)}
    other = {"system": "convirt", "findings": ["b", "a"], "graph": "ba7"}
    with pytest.raises(InputError) as caught:
        load_checkpoint(tmp_path, like=like, identity=other)
    text = caught.value.message
    assert "system: saved with 'graph_fusion', now 'convirt'" in text
    assert "findings: the same in another order from place 0" in text
    assert "graph: saved with 'f00', now 'ba7'" in text
    assert "body.weight: saved as float32[3, 2], now float32[2, 2]" in text
    assert "head: not in the checkpoint" in text
    assert "count: only in the checkpoint" in text


def test_a_shorter_list_of_findings(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, weights(), {}, IDENTITY)
    with pytest.raises(InputError, match=r"findings: only saved: \['b'\]; only now: \[\]"):
        load_checkpoint(tmp_path, identity={"findings": ("a",)})


@pytest.mark.parametrize("file", ["tensors", "state"])
@pytest.mark.parametrize("harm", ["cut", "flip", "gone"])
def test_a_damaged_one_is_refused(tmp_path: Path, file: str, harm: str) -> None:
    save_checkpoint(tmp_path, weights(), {"step": 1})
    (path,) = tmp_path.glob(f"{file}*")
    content = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(InputError):
        load_checkpoint(tmp_path)


def test_state_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "in", weights(), {})
    save_file(weights(), tmp_path / "out.safetensors")
    path = tmp_path / "in" / "state.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "tensors": "../out.safetensors"}))
    with pytest.raises(InputError, match="missing or was changed"):
        load_checkpoint(tmp_path / "in")


class Payload:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize(
    "name", ["a.pt", "a.pth", "a.ckpt", "a.bin", "a.joblib", "a.npy", "a.safetensors", "a"]
)
def test_a_pickle_is_never_opened(tmp_path: Path, name: str) -> None:
    mark, path = tmp_path / "pwned", tmp_path / name
    for write in (
        lambda: path.write_bytes(pickle.dumps(Payload(mark))),
        lambda: torch.save(Payload(mark), path),
        lambda: np.array([Payload(mark)], dtype=object).dump(path),
    ):
        write()
        for load in (load_tensors, load_checkpoint):
            with pytest.raises(InputError) as caught:
                load(path)
            assert "pickled" in caught.value.message
            assert "safetensors" in caught.value.hint
    assert not mark.exists()


def test_a_full_disk_leaves_the_former_one(tmp_path: Path, monkeypatch) -> None:
    save_checkpoint(tmp_path, weights(1), {"step": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for module, name in ((checkpoint, "save_file"), (atomic, "_sync"), (checkpoint, "write_json")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, full)
            with pytest.raises((InputError, OSError), match="No space left"):
                save_checkpoint(tmp_path, weights(2), {"step": 2})
        found = load_checkpoint(tmp_path)
        assert found.state["step"] == found.tensors["body.weight"][0, 0] == 1
    save_checkpoint(tmp_path, weights(3), {"step": 3})
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_writer_left_goes_with_the_next_save(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, weights(1), {"step": 1})
    (tmp_path / ".tmpkOrq0x").write_bytes(b"half")  # as the library of the format names its own
    save_checkpoint(tmp_path, weights(2), {"step": 2})
    assert load_checkpoint(tmp_path).state["step"] == 2
    assert len(list(tmp_path.iterdir())) == 2


def save_until_killed(folder: Path, step: int, saved: int) -> None:
    while True:
        step += 1
        save_checkpoint(folder, weights(step), {"step": step})
        os.write(saved, b".")


def test_a_kill_at_any_time_leaves_one_that_loads(tmp_path: Path, processes: Any) -> None:
    save_checkpoint(tmp_path, weights(0), {"step": 0})
    chance = random.Random(0)
    step = 0
    for _ in range(50):
        told, saved = os.pipe()
        child = processes.fork(save_until_killed, tmp_path, step, saved)
        for _ in range(chance.randint(1, 3)):
            step += len(os.read(told, 1))
        time.sleep(chance.uniform(0, 0.01))  # anywhere in one of the next
        child.kill()
        child.join()
        os.close(told)
        os.close(saved)
        found = load_checkpoint(tmp_path, like=weights())
        assert found.state["step"] == found.tensors["body.weight"][0, 0]
        assert found.state["step"] >= step
        step = found.state["step"]
    remove_leftovers(tmp_path)
    save_checkpoint(tmp_path, weights(1), {"step": 1})
    assert len(list(tmp_path.iterdir())) == 2
