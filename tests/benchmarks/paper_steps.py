"""Take one training step of each configuration at a paper's scale, random weights, tiny copies.

python tests/benchmarks/paper_steps.py [--precision bf16] [NAME ...]
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest import mock

import torch

from encoders.vision_language import small_vision_language
from experiments.config.load import as_overrides, shipped_configs
from experiments.config.parts import read_checked
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.loading.cohort import batches
from experiments.records.folder import RunFolder
from experiments.runner.run import train
from experiments.runs.build import RunContext, build_context, chosen_system
from experiments.training import fit
from kg.errors import KgdxError
from kg.options import parse_options

BATCH = 4
"""Studies in the step, whatever the paper has."""

FEW: Mapping[str, dict[str, object]] = {
    "daniels": {"system.options.rarest": 0.0, "system.options.commonest": 1.0},
    "lara": {"system.options.rarest": 0.0},
    "medklip": {"concept_studies": 1},
    "kad": {"concept_studies": 1},
}
"""Values for systems that count studies, of which a tiny copy has few."""

WITHOUT_WEIGHTS = ("patches", "pixelhop")
"""Image encoders that take no weights."""

WORDS = 28_996
"""Words of the vocabulary of BERT, cased; most are never read here."""


def main() -> None:
    """Print the parameters, seconds and memory of one step of each configuration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    paper = [name for name in shipped_configs() if "/" in name]
    parser.add_argument("names", nargs="*", default=paper)
    parser.add_argument("--precision", choices=["32", "bf16"], default="32")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    sys.stdout.write(
        "| configuration | trained parameters | s a step | peak GiB so far | losses after it |\n"
    )
    sys.stdout.write("|---|---|---|---|---|\n")
    failed = 0
    for name in given.names:
        with tempfile.TemporaryDirectory() as folder:
            try:
                cells = " | ".join(_measured(name, Path(folder), given.precision))
            except KgdxError as error:
                failed, cells = failed + 1, f"failed: {error.message} | | |"
        sys.stdout.write(f"| {name} | {cells} |\n")
        sys.stdout.flush()
    sys.exit(min(failed, 1))


def _measured(name: str, folder: Path, precision: str) -> Iterator[str]:
    """Trained parameters, seconds, peak memory so far, and losses of one step."""
    context = tiny_context(one_step(name, folder, {"precision": precision}), folder)
    stage = context.system.stages[0]
    before = {key: one.clone() for key, one in context.system.state_dict().items()}
    began = time.perf_counter()
    take_step(context, folder)
    spent = time.perf_counter() - began
    losses = _losses(context)
    after = context.system.state_dict()
    moved = [key for key in before if not torch.equal(before[key], after[key])]
    assert moved, f"{name}: nothing was trained"
    assert all(bool(one.isfinite().all()) for one in after.values() if one.is_floating_point())
    trained = [
        one.numel()
        for key, one in context.system.named_parameters()
        if one.requires_grad and (not stage.trains or key.startswith(tuple(stage.trains)))
    ]
    yield f"{sum(trained):,}"
    yield f"{spent:.1f}"
    yield f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.1f}"
    yield ", ".join(f"{key} {value:.3f}" for key, value in losses.items())


def tiny_context(experiment: Experiment, folder: Path) -> RunContext:
    """The run of a configuration, built on the tiny copy of its data."""
    part = DATASETS.load(experiment.data.name)
    options = parse_options(part.Options, experiment.data.options, where="data.options")
    root = folder / experiment.data.name
    root.mkdir()
    part(options).tiny(root)
    return build_context(experiment, root, cache=folder / "cache")


def one_step(
    name: str, folder: Path, further: Mapping[str, object] | None = None, *, layers: int = 12
) -> Experiment:
    """The configuration with random weights, one step, and no run to start from.

    Args:
        name: Name of the configuration.
        folder: Where the weights of its BERT are written.
        further: Further values by dotted key.
        layers: Layers of that BERT.
    """
    first = read_checked(name)
    values: dict[str, object] = {"data.at_least": 1, "start": [], **(further or {})}
    values |= FEW.get(first.system.name, {})
    if first.data.name == "synthetic":
        values |= {"data.options.studies": 40}
    if first.image.encoder is not None and first.image.encoder.name not in WITHOUT_WEIGHTS:
        values |= {"image.encoder.options.weights": "random"}
    if first.text.encoder.name in ("fine_tuned", "huggingface"):
        values |= {"text.encoder.options.folder": str(random_bert(folder / "bert", layers))}
    if first.system.name == "vlm_report":
        values |= {"system.options.folder": str(random_vlm(folder / "vlm"))}
    short = {"epochs": 1, "steps": 1, "batch_size": BATCH, "monitor": "none", "checkpoint": "last"}
    stages = chosen_system(first)[2]
    values["stages"] = [{**stage.model_dump(mode="json"), **short} for stage in stages]
    return read_checked(name, as_overrides(values))


def take_step(context: RunContext, folder: Path) -> RunFolder:
    """Train the first stage of a run; in bf16, where it is configured, on a CPU too."""
    context.system.stages = context.system.stages[:1]
    run = RunFolder.create(folder / "runs", context.experiment)
    with mock.patch.object(fit, "_half", "bf16".__eq__):
        train(run, context)
    return run


def _losses(context: RunContext) -> dict[str, float]:
    """Losses of the first stage on the first studies, after the step."""
    cohort, stage = context.cohorts["train"], context.system.stages[0]
    (batch,) = batches(cohort, range(min(BATCH, len(cohort))), BATCH, training=True)
    with torch.no_grad():
        losses = context.system.losses(batch, stage)
    return {name: float(loss) for name, loss in losses.items()}


def random_bert(folder: Path, layers: int = 12) -> Path:
    """A BERT of the paper's width with random weights, and a tokenizer of letters."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir()
    letters = [letter for one in "abcdefghijklmnopqrstuvwxyz.," for letter in (one, f"##{one}")]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    BertModel(BertConfig(vocab_size=WORDS, num_hidden_layers=layers)).save_pretrained(folder)
    return folder


def random_vlm(folder: Path) -> Path:
    """A small vision-language model with random weights, and its processor."""
    model, processor = small_vision_language(["no", "clear", "lung", "heart", "."], 560, seed=0)
    for part in (model, processor):
        part.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
