"""Time a training step of MGCA, GLoRIA and ConVIRT beside the published code, in one sitting.

OMP_NUM_THREADS=1 python tests/benchmarks/authors_steps.py FOLDER [--rows NAME ...] [--out FILE]

`FOLDER` holds the published code; `authors_code.py` says which repositories and files, and what is
patched. Both sides get the same batch of four pictures and word ids, random weights of the same
sizes and one thread, and take steps in turn: forward, losses, backward, clipping where either has
it, optimiser. Seconds are those of the processor, which other processes do not lengthen.
"""

from __future__ import annotations

import argparse
import gc
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import authors_code
import torch
from authors_code import PATCHES, Pairs, Side
from paper_steps import BATCH, one_step, tiny_context
from torch.nn.functional import interpolate
from transformers import AutoTokenizer

from encoders.batch import StudyBatch, Text
from experiments.loading.cohort import batches
from experiments.training.task import Task

OUT = Path(__file__).parent / "results" / "authors_steps.md"
SEED = 0
FIRST, PIECES = 5, 0.2
"""First word id that is no mark, and share of word ids that go on with a word."""


@dataclass(frozen=True)
class Row:
    """One comparison.

    Args:
        says: What is compared.
        ours: Name of our configuration.
        theirs: Builds the published system.
        tokens: Fewest and most tokens of a text.
        side: Side of our pictures, in pixels; theirs are of 224.
        layers: Layers of BERT.
    """

    says: str
    ours: str
    theirs: Callable[..., Side]
    tokens: tuple[int, int]
    side: int = 224
    layers: int = 12
    values: Mapping[str, object] = field(default_factory=dict)


MGCA = Row(
    "MGCA: ViT-B/16 at 224, six layers of BERT, texts of 112 tokens",
    "paper/wang2022_mgca",
    authors_code.mgca,
    (112, 112),
    layers=6,
)
GLORIA = Row(
    "GLoRIA: ResNet-50 at 299, texts of 97 tokens",
    "paper/huang2021_gloria",
    authors_code.gloria,
    (97, 97),
    side=299,
    values={"image.encoder.options.size": 299},
)
CONVIRT = Row(
    "ConVIRT: ResNet-50 at 224, six layers of BERT of twelve trained, texts of 128 tokens",
    "paper/zhang2020_convirt",
    authors_code.convirt,
    (128, 128),
    values={"image.limit": 1},
)
ROWS: Mapping[str, Row] = {
    "mgca": MGCA,
    "gloria": GLORIA,
    "convirt": CONVIRT,
    "mgca_reports": replace(
        MGCA, says="MGCA, texts of 40 to 80 tokens, which theirs pads to 112", tokens=(40, 80)
    ),
    "gloria_sentences": replace(
        GLORIA,
        says="GLoRIA, each as it is configured: sentences of 8 to 24 tokens, which theirs pads to "
        "97; pictures of 224, which theirs enlarges to 299",
        tokens=(8, 24),
        side=224,
        values={},
    ),
    "convirt_embeddings": replace(
        CONVIRT,
        says="ConVIRT, theirs as configured: the embeddings of BERT are trained too",
        theirs=partial(authors_code.convirt, embeddings_trained=True),
    ),
    "convirt_released": replace(
        CONVIRT,
        says="ConVIRT, theirs as released: no gradient reaches the text tower",
        theirs=partial(authors_code.convirt, text_trained=False, embeddings_trained=True),
    ),
    "mgca_released": replace(
        MGCA,
        says="MGCA, theirs as released: with detection of anomalies",
        theirs=partial(authors_code.mgca, anomalies=True),
    ),
}


def main() -> None:
    """Measure the rows, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    lines = []
    for name in chosen.rows:
        lines.append(measured(ROWS[name], chosen.folder, chosen.steps))
        chosen.out.write_text("\n".join(page(lines)), encoding="utf-8")
        sys.stdout.write(lines[-1] + "\n")
        sys.stdout.flush()
        gc.collect()


def measured(row: Row, folder: Path, steps: int) -> str:
    """The row of the table: both sides take steps in turn, and the first of each does not count."""
    torch.manual_seed(SEED)
    pairs = made_pairs(row)
    with tempfile.TemporaryDirectory() as written:
        # one folder for both: the same tokenizer
        ours = our_side(row, Path(written), pairs)
        tokenizer = AutoTokenizer.from_pretrained(Path(written) / "bert")
        sides = [ours, row.theirs(folder, tokenizer, pairs)]
    seconds = [[_seconds(side) for side in sides] for _ in range(steps + 1)][1:]
    ours_s, theirs_s = (statistics.median(each) for each in zip(*seconds, strict=True))
    trained = [_trained(side) for side in sides]
    ratios = sorted(one / other for one, other in seconds)
    return (
        f"| {row.says} | {steps} | {trained[0]:.1f} | {trained[1]:.1f} "
        f"| {ours_s:.2f} | {theirs_s:.2f} "
        f"| {ours_s / theirs_s:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) |"
    )


def _seconds(side: Side) -> float:
    """Processor seconds of a step."""
    began = time.process_time()
    side.step()
    return time.process_time() - began


def _trained(side: Side) -> float:
    """Millions of parameters that the last step had a gradient for."""
    return sum(one.numel() for one in side.module.parameters() if one.grad is not None) / 1e6


def made_pairs(row: Row) -> Pairs:
    """Pictures of 224 pixels and word ids of the letters' tokenizer, all at random."""
    fewest, most = row.tokens
    lengths = torch.linspace(fewest, most, BATCH).long()
    mask = torch.arange(most) < lengths[:, None]
    letters = torch.randint(26, mask.shape) * 2
    going_on = torch.rand(mask.shape) < PIECES
    words = FIRST + letters + going_on
    words[:, 0], words[:, 1] = 2, FIRST
    words.scatter_(1, lengths[:, None] - 1, 3)
    return Pairs(torch.randn(BATCH, 3, 224, 224), words * mask, mask)


def our_side(row: Row, folder: Path, pairs: Pairs) -> Side:
    """Our system as `experiment run` trains it, in the first stage of its configuration."""
    experiment = one_step(row.ours, folder, row.values, layers=row.layers)
    context = tiny_context(experiment, folder)
    cohort = context.cohorts["train"]
    (batch,) = batches(cohort, range(BATCH), BATCH, training=True)
    batch = with_pairs(batch, pairs, row.side)
    task = Task(context.system, 0, 1, cohort.order(BATCH, SEED))
    optimiser: Any = task.configure_optimizers()["optimizer"]

    def loss() -> torch.Tensor:
        task.statistics.remember()
        return task.training_step(batch, 0)

    clip = partial(task.configure_gradient_clipping, optimiser)
    return Side(task.train(), optimiser, loss, clip, context.system.after_step)


def with_pairs(batch: StudyBatch, pairs: Pairs, side: int) -> StudyBatch:
    """The batch with one picture a study and the text of the pairs."""
    pixels = pairs.pixels
    if side != pixels.shape[-1]:
        pixels = interpolate(pixels, (side, side), mode="bilinear", align_corners=True)
    section = torch.zeros_like(pairs.words)
    return replace(
        batch,
        pixels=pixels[:, None],
        image_mask=torch.ones(BATCH, 1, dtype=torch.bool),
        view=batch.view[:, :1],
        modality=batch.modality[:, :1],
        paired_text=Text(pairs.words, None, pairs.mask, section),
    )


def page(lines: Sequence[str]) -> Iterator[str]:
    """The table and what was patched."""
    yield "# A training step beside the published code\n"
    yield (
        "Median of the steps after one that does not count, the two sides in turn in one process; "
        "processor seconds on one thread of a CPU, batch of four, random weights, single "
        f"precision. torch {torch.__version__}. Below 1, ours is the faster; in brackets the "
        "lowest and highest ratio of a pair of steps. Parameters are those that a step trains. "
        "Made by `tests/benchmarks/authors_steps.py`; `authors_code.py` there says whose code.\n"
    )
    yield (
        "| system | steps | ours, million parameters | theirs | ours, s a step | theirs "
        "| ours / theirs |"
    )
    yield "|---|---|---|---|---|---|---|"
    yield from lines
    for name, patches in PATCHES.items():
        yield f"\nPatched in the published code of {name}:\n"
        yield from (f"- {patch}" for patch in patches)
    yield ""


if __name__ == "__main__":
    main()
