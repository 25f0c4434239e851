"""Export of a finished run as ONNX: its image encoder and its head, run without Python or torch.

A study of several pictures is one row: `image_tokens` are those of its pictures, padded, and
`image_mask` says which are there. Studies, pictures and words may be of any number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.attention import SDPBackend, sdpa_kernel

from encoders.batch import StudyBatch, Text
from encoders.reduce import pool_tokens
from encoders.study import MODALITIES, VIEWS, Modality, Passage, Study, StudyImage, View
from experiments.loading.images import ImageLoader
from experiments.records.atomic import write_text
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.runs.restore import Restored, restore
from fusion.capabilities import Classifies, able
from kg.errors import InputError

__all__ = ["ENCODER", "HEAD", "TOLERANCE", "Head", "ImageTokens", "export_run", "head_inputs"]

ENCODER, HEAD, MODEL = "image_encoder.onnx", "head.onnx", "model.json"
TOLERANCE = 1e-4
"""Largest difference between a probability by ONNX and by torch."""
_OPSET = 18
_INPUTS = {
    # names of operations, as `view`, may not be names of inputs
    "image_view": "view",
    "image_modality": "modality",
    **{name: name for name in ("pixels", "image_tokens", "image_mask", "evidence", "metadata")},
}
"""Fields of a batch by the name of the input."""
_TEXT = ("words", "tokens", "mask", "section")
_FLAT = ("evidence", "metadata")
"""Inputs whose second axis is fixed; of others it is that of pictures or words."""


@dataclass(frozen=True)
class Exported:
    """Files of an exported run.

    Args:
        files: The files.
        difference: Largest difference of its probabilities to those of torch, on made-up studies.
    """

    files: tuple[Path, ...]
    difference: float


class ImageTokens(nn.Module):
    """Tokens of pictures as a run with a frozen encoder reads them, from normalised pixels.

    Args:
        loader: The run's loader of images.
    """

    def __init__(self, loader: ImageLoader) -> None:
        super().__init__()
        self.encoder: nn.Module = loader.encoder
        self.grid, self.pool = loader.section.grid, loader.section.pool
        self.reducer = loader.reducer

    def forward(self, pixels: Tensor) -> Tensor:
        """`[P, c, H, W]` to `[P, S, D]`."""
        # in the precision of the feature cache
        tokens = pool_tokens(self.encoder(pixels), self.grid, self.pool).half()
        return (self.reducer.apply(tokens) if self.reducer else tokens).float()


class Head(nn.Module):
    """Calibrated probabilities of the findings a run was trained on, `[B, C]`.

    Args:
        restored: The run.
        names: Names of the inputs, as of `head_inputs`.
    """

    def __init__(self, restored: Restored, names: Sequence[str]) -> None:
        super().__init__()
        self.system = restored.system
        self.classifier: Classifies = able(restored.system, Classifies)
        self.findings, self.names = restored.preprocessor.findings, tuple(names)
        calibration = restored.calibration
        self.exclusive = restored.preprocessor.exclusive
        temperatures = (1.0,) if calibration is None else calibration.temperatures
        self.temperatures: Tensor
        self.register_buffer("temperatures", torch.tensor(temperatures))

    def forward(self, *values: Tensor) -> Tensor:
        """Probabilities from the inputs, in the order of their names."""
        batch = self._batch(dict(zip(self.names, values, strict=True)))
        logits = self.classifier.predict(batch, self.findings).logits / self.temperatures
        return logits.softmax(1) if self.exclusive else logits.sigmoid()

    def _batch(self, values: Mapping[str, Tensor]) -> StudyBatch:
        text = {name: values.get(f"text_{name}") for name in _TEXT}
        images = {field: values.get(name) for name, field in _INPUTS.items()}
        mask = values["image_mask"]
        return StudyBatch(
            ids=(),
            text=None if text["mask"] is None else Text(**text),  # type: ignore[arg-type]
            targets=torch.zeros(mask.shape[0], len(self.findings), dtype=torch.float32),
            **images,  # type: ignore[arg-type]
        )


def head_inputs(batch: StudyBatch) -> dict[str, Tensor]:
    """Inputs of the exported head by name, from a batch."""
    inputs = {
        name: value
        for name, field in _INPUTS.items()
        if (value := getattr(batch, field)) is not None
    }
    if batch.text is not None:
        inputs |= {
            f"text_{name}": value
            for name in _TEXT
            if (value := getattr(batch.text, name)) is not None
        }
    return inputs


def export_run(folder: RunFolder, output: Path) -> Exported:
    """Write the ONNX files of a finished run and `model.json`, which says how to feed them.

    Args:
        folder: The run.
        output: Folder for the files.

    Raises:
        InputError: If a package is missing, the run is not finished, its system does not classify
            or cannot be traced, or the files do not answer as torch does.
    """
    _check_packages()
    with TemporaryDirectory() as made:
        restored = restore(folder, cache=Path(made) / "cache")
        batch = _example(restored, Path(made))
    output.mkdir(parents=True, exist_ok=True)
    files = []
    loader = restored.preprocessor.images
    if loader is not None and loader.section.frozen:
        expected = loader.encoder.preprocessing
        pixels = torch.randn(2, expected.channels, expected.size, expected.size)
        _write(ImageTokens(loader).eval(), {"pixels": pixels}, "image_tokens", output / ENCODER)
        files.append(output / ENCODER)
    inputs = head_inputs(batch)
    head = Head(restored, tuple(inputs)).eval()
    _write(head, inputs, "probabilities", output / HEAD)
    difference = _difference(head, inputs, output / HEAD)
    if not difference <= TOLERANCE:
        raise InputError(
            f"{folder.run}: its ONNX differs from torch by {difference:.2g}",
            f"at most {TOLERANCE:g} is allowed: this system cannot be exported",
        )
    described = json.dumps(_description(restored, inputs), indent=1, ensure_ascii=False)
    write_text(output / MODEL, described + "\n")
    return Exported((*files, output / HEAD, output / MODEL), difference)


def _check_packages() -> None:
    """Raise where a package of the extra is missing.

    Raises:
        InputError: If one is.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"{error.name} is not installed", "pip install 'kgdx[onnx]'") from None


def _write(module: nn.Module, inputs: Mapping[str, Tensor], output: str, path: Path) -> None:
    """Trace a module and write it.

    Raises:
        InputError: If it cannot be traced.
    """
    axes = {name: 1 if name in _FLAT or isinstance(module, ImageTokens) else 2 for name in inputs}
    each = [
        # what is one here, such as the pictures of a run that reads one, stays one
        {axis: Dim.DYNAMIC for axis in range(axes[name]) if value.shape[axis] > 1}
        for name, value in inputs.items()
    ]
    shapes: Any = tuple(each) if isinstance(module, ImageTokens) else (tuple(each),)
    with torch.no_grad(), _plain_attention():
        try:
            program = torch.export.export(
                module, tuple(inputs.values()), dynamic_shapes=shapes, strict=True
            )
            torch.onnx.export(
                program,
                f=path,
                input_names=list(inputs),
                output_names=[output],
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
        except (RuntimeError, ValueError, torch.onnx.OnnxExporterError) as error:
            cause: BaseException = error
            while cause.__cause__ is not None:
                cause = cause.__cause__
            first = next(iter(str(cause).splitlines()), type(cause).__name__)
            raise InputError(
                f"{path.name}: this run cannot be traced: {first}",
                "export a run of another system; logistic_image and image_baseline can be traced",
            ) from error


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Attention in plain steps: ONNX has no fused ones, nor the memory order they return."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _difference(head: nn.Module, inputs: Mapping[str, Tensor], path: Path) -> float:
    """Largest difference of the written head to torch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    read = {one.name for one in session.get_inputs()}
    fed = {name: value.numpy() for name, value in inputs.items() if name in read}
    with torch.no_grad():
        expected = head(*inputs.values()).numpy()
    (found,) = session.run(None, fed)
    return float(np.abs(found - expected).max())


def _example(restored: Restored, folder: Path) -> StudyBatch:
    """Two made-up studies as the run reads studies at test, of two pictures and of one."""
    generator = np.random.default_rng(0)
    usual: tuple[Modality, View] = ("cxr", "frontal")
    usual = next(iter(restored.preprocessor.usual.items()), usual)
    pictures = []
    for place in range(3):
        path = folder / f"{place}.png"
        Image.fromarray(generator.integers(0, 256, (96, 96), dtype=np.uint8)).save(path)
        pictures.append(StudyImage(str(path), *usual))
    studies = []
    for name, images, words in (
        ("one", pictures[:2], "The heart is enlarged."),
        ("two", pictures[2:], "There is a small pleural effusion. No pneumothorax is seen."),
    ):
        text = tuple(Passage(part, words) for part in ("indication", "findings", "impression"))
        dialogue = (Passage("patient", words),)
        studies.append(Study(name, name, tuple(images), text, dialogue, dataset="input"))
    cohort = restored.preprocessor.read(studies, folder)
    return cohort.batch([0, 1])


def _description(restored: Restored, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
    """How to feed the files, and where they come from."""
    record, preprocessor = restored.record, restored.preprocessor
    thresholds = restored.thresholds.values or (float("nan"),) * len(preprocessor.findings)
    loader = preprocessor.images
    described: dict[str, Any] = {
        "use": "For research use only: not a medical device.",
        "run": record.run,
        "system": record.system,
        "version": record.version,
        "weights": load_checkpoint(restored.folder.checkpoints / "best").sha256,
        "graph": record.graph.fingerprint if record.graph else None,
        "inputs": {
            name: [str(value.dtype).removeprefix("torch."), *value.shape[1:]]
            for name, value in inputs.items()
        },
        "findings": [
            {
                "finding": finding,
                "label": restored.graph.concept(finding).label,
                "threshold": None if np.isnan(threshold) else threshold,
            }
            for finding, threshold in zip(preprocessor.findings, thresholds, strict=True)
        ],
    }
    if loader is not None:
        expected = loader.encoder.preprocessing
        described["pixels"] = {
            "size": expected.size,
            "mean": list(expected.mean),
            "std": list(expected.std),
            "recipe": loader.section.recipe,
            "views": list(VIEWS),
            "modalities": list(MODALITIES),
        }
    return described
