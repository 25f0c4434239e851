"""Measure exported runs: difference of their ONNX to torch on 100 studies, and speed on a CPU.

python tests/benchmarks/onnx_export.py --runs RUNS --root DIR --files FOLDER RUN...

Files are written into a folder of FOLDER for each run, where they are not there yet. Rows of runs
that are not named stay in the table. Studies are read from their pictures and answered one by one,
by one thread. Seconds are of the processor, so that a busy machine does not count. Needs
pip install 'kgdx[onnx]'.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from encoders.reading.picture import Picture
from encoders.reading.pixels import load_pixels
from experiments.preparation.open_dataset import OpenDataset, build_dataset
from experiments.records.folder import find_run
from experiments.runs.onnx_export import ENCODER, HEAD, Head, ImageTokens, export_run, head_inputs
from experiments.runs.restore import Restored, restore

RESULT = Path(__file__).parent / "results" / "onnx_export.md"
COLUMNS = ("run", "system", "inputs", "studies", "largest difference", "torch, ms a study",
           "onnxruntime, ms a study", "torch / onnxruntime", "files, MB")  # fmt: skip
Answer = Callable[[np.ndarray, dict[str, torch.Tensor]], np.ndarray]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="RUN")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=100)
    given = parser.parse_args()
    torch.set_num_threads(1)
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    known = RESULT.read_text().splitlines()[2:] if RESULT.is_file() else []
    lines += [line for line in known if line.split(" | ")[0].strip("| ") not in given.names]
    for name in given.names:
        row = measured(name, given)
        lines.append(f"| {' | '.join(map(str, row))} |")
    RESULT.write_text("\n".join(lines) + "\n")
    sys.stdout.write(RESULT.read_text())


def measured(name: str, given: argparse.Namespace) -> list[object]:
    """Row of a run."""
    folder = find_run(name, given.runs)
    out = given.files / name
    if not out.is_dir():
        export_run(folder, out)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    with tempfile.TemporaryDirectory() as made:
        restored = restore(folder, cache=Path(made) / "cache")
        studies = opened(restored, given)
        by_torch, by_onnx = torch_answer(restored, studies[0][1]), onnx_answer(out)
        found = [[], []]
        seconds = [0.0, 0.0]
        for pixels, inputs in studies:
            for place, answer in enumerate((by_torch, by_onnx)):
                begun = time.process_time()
                found[place].append(answer(pixels, inputs))
                seconds[place] += time.process_time() - begun
    difference = np.abs(np.concatenate(found[0]) - np.concatenate(found[1])).max()
    first, second = (1000 * each / len(studies) for each in seconds)
    record = restored.record
    return [record.run, record.system, " + ".join(record.inputs_at_test), len(studies),
            f"{difference:.1e}", f"{first:.0f}", f"{second:.0f}", f"{first / second:.2f}",
            f"{size:.1f}"]  # fmt: skip


def opened(
    restored: Restored, given: argparse.Namespace
) -> list[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """Pixels of each study's pictures, and the other inputs of the head."""
    data, loader = restored.experiment.data, restored.preprocessor.images
    dataset = build_dataset(data.name, data.options)
    found = OpenDataset.find(data.name, dataset, given.root, Path(), data.labels)
    with_pictures = [study for study in found.development if loader.allowed(study)]
    rows = []
    for study in with_pictures[: given.studies]:
        images = loader.chosen(study, found.root)
        pictures = [Picture(found.root / one.path, one.frame, one.tile) for one in images]
        expected, section = loader.encoder.preprocessing, loader.section
        pixels = load_pixels(pictures, expected, section.recipe, window=section.window)
        batch = restored.preprocessor.read([study], found.root).batch([0])
        rows.append((pixels, head_inputs(batch)))
    return rows


def torch_answer(restored: Restored, inputs: dict[str, torch.Tensor]) -> Answer:
    """Answers as the run does."""
    encoder = ImageTokens(restored.preprocessor.images).eval()
    head = Head(restored, tuple(inputs)).eval()

    @torch.inference_mode()
    def answer(pixels: np.ndarray, given: dict[str, torch.Tensor]) -> np.ndarray:
        tokens = encoder(torch.from_numpy(pixels))[None]
        return head(*(given | {"image_tokens": tokens}).values()).numpy()

    return answer


def onnx_answer(folder: Path) -> Answer:
    """Answers by the exported files."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    encoder, head = (
        onnxruntime.InferenceSession(folder / name, options) for name in (ENCODER, HEAD)
    )
    read = [one.name for one in head.get_inputs()]

    def answer(pixels: np.ndarray, given: dict[str, torch.Tensor]) -> np.ndarray:
        (tokens,) = encoder.run(None, {"pixels": pixels})
        fed = {name: value.numpy() for name, value in given.items()} | {
            "image_tokens": tokens[None]
        }
        return head.run(None, {name: fed[name] for name in read})[0]

    return answer


if __name__ == "__main__":
    main()
