"""Weights that torch.save wrote become safetensors, and nothing of the file is executed."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from encoders.image.torchxrayvision_densenet import TorchXRayVisionDenseNet
from encoders.torch_file import tensors_in
from encoders.weight_files import convert_weights, known_weights
from encoders.weights import load_into, read_weights
from kg.errors import InputError


class Block(nn.Module):
    """A model with what models have: inner modules, buffers, shared and half numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.head = nn.Linear(2, 3).half()
        self.tied = self.head
        self.register_buffer("passing", torch.ones(2), persistent=False)
        self.register_buffer("mask", torch.tensor([True, False]))
        self.about = {"names": ["a", "b"], "n": 3, "rate": 0.5}


def read(saved: Any, **how: Any) -> dict[str, Tensor]:
    file = io.BytesIO()
    torch.save(saved, file, **how)
    file.seek(0)
    return {name: torch.from_numpy(one) for name, one in tensors_in(file).items()}


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether all is the same, but for bfloat16, which becomes float32."""
    wide = {torch.bfloat16: torch.float32}
    return set(found) == set(expected) and all(
        found[name].equal(tensor.detach().to(wide.get(tensor.dtype, tensor.dtype)))
        and found[name].dtype == wide.get(tensor.dtype, tensor.dtype)
        for name, tensor in expected.items()
    )


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        lambda model: model.state_dict(),
        lambda model: nn.DataParallel(model).state_dict(),
        lambda model: {"epoch": 3, "state_dict": model.state_dict(), "optimizer": {"lr": [0.1]}},
        lambda model: {"model": model, "args": [1, (2, 3, 4), None, True]},
    ],
    ids=["model", "state", "parallel", "checkpoint", "model in a checkpoint"],
)
def test_every_form_of_weights(wrap: Any, zipped: bool) -> None:
    model = Block()
    found = read(wrap(model), _use_new_zipfile_serialization=zipped)
    assert same(found, dict(model.state_dict()))


@pytest.mark.parametrize("zipped", [True, False])
def test_numbers_of_every_type_and_layout(zipped: bool) -> None:
    numbers = torch.arange(-12, 12).view(4, 6)
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int8)
    state = {str(kind): numbers.to(kind) for kind in kinds}
    state |= {"turned": numbers.t(), "part": numbers[1:3, ::2], "one": numbers[2, 3]}
    state |= {"wide": torch.ones(1).expand(3, 4), "empty": torch.zeros(0, 3)}
    assert same(read(state, _use_new_zipfile_serialization=zipped), state)


def test_a_published_model_of_torchxrayvision_is_taken_as_it_comes(tmp_path: Path) -> None:
    import torchxrayvision

    network = torchxrayvision.models.DenseNet(weights=None, in_channels=1, num_classes=18)
    network.op_threshs = torch.full((18,), 0.5)
    torch.save(network, tmp_path / "nih.pt")
    (path,) = convert_weights(tmp_path / "nih.pt", licence="CC0")
    assert path == tmp_path / "nih.safetensors"
    encoder = TorchXRayVisionDenseNet(TorchXRayVisionDenseNet.Options(weights=str(path)))
    assert same(encoder.features.state_dict(), network.features.state_dict())


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = str(trace)

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_of_a_file_is_executed(zipped: bool, tmp_path: Path) -> None:
    trace, path = tmp_path / "pwned", tmp_path / "weights.pt"
    saved = {"weight": torch.ones(2), "payload": Payload(trace)}
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    (written,) = convert_weights(path)
    assert same(load_file(written), {"weight": torch.ones(2)})
    assert not trace.exists()


def zipped(pickled: bytes, **files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        for name, content in files.items():
            archive.writestr(f"a/{name}", content)
    return file.getvalue()


def beyond() -> bytes:
    """A tensor of more numbers than are stored."""
    file = io.BytesIO()
    torch.save({"weight": torch.ones(3)}, file)
    with zipfile.ZipFile(file) as archive:
        (name,) = (one for one in archive.namelist() if one.endswith("data.pkl"))
        return zipped(archive.read(name), **{"data/0": b"1234"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle at all",
        pickle.dumps({"a": 1}),
        pickle.dumps(0x1950A86A20F9469CFC6C),
        zipped(pickle.dumps(OrderedDict(a=1))),
        zipped(pickle.dumps({}), byteorder=b"big"),
        zipped(b"\x80\x02]q\x00h\x05."),
        zipped(b"cos\nsystem\n(S'true'\ntR"),
        beyond(),
    ],
    ids=["empty", "text", "no magic", "cut", "no tensors", "big", "no memo", "no end", "beyond"],
)
def test_a_file_without_weights_is_refused_and_nothing_written(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"weights\.pt: no weights of torch"):
        convert_weights(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_of_hugging_face_is_converted_with_its_licence(tmp_path: Path) -> None:
    card = "---\nlanguage: en\nlicense: mit\n---\n# A model\nlicense: other\n"
    (tmp_path / "README.md").write_text(card)
    state = {"encoder.weight": torch.randn(80, 80)}
    torch.save(state, tmp_path / "pytorch_model.bin")
    ((path, about),) = convert_weights(tmp_path).items()
    assert path == tmp_path / "model.safetensors"
    assert (about.licence, about.ready) == ("mit", True)
    assert same(read_weights(path), state)
    listed = [one for one in known_weights([tmp_path]) if one.name.startswith(str(tmp_path))]
    assert [(Path(one.name).name, one.ready, one.licence) for one in listed] == [
        ("model.safetensors", True, "mit"),
        ("pytorch_model.bin", False, "mit"),
    ]
    assert listed[1].about == f"kgdx weights convert {tmp_path / 'pytorch_model.bin'}"


def test_converted_weights_fit_a_layer(tmp_path: Path) -> None:
    layer = nn.Linear(2, 3)
    torch.save(layer, tmp_path / "layer.pth")
    (path,) = convert_weights(tmp_path / "layer.pth", tmp_path / "own.safetensors")
    other = nn.Linear(2, 3)
    load_into(other, read_weights(path), name="own")
    assert other.weight.equal(layer.weight)
