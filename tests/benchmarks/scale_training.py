"""Training at scale: memory and speed of an epoch of ConVIRT streamed from shards.

    python tests/benchmarks/scale_training.py [--studies 1000 100000] [--work DIR]

Made-up studies with a sentence each and a picture of 32 pixels, written as shards; ConVIRT trains
on them for an epoch as in its frozen tier: tokens of a frozen encoder, one sentence a picture,
negatives of the whole batch. Each memory figure is the peak of a process of its own. Writes
`results/scale_training.md`; ends with 1 where memory grows with the studies.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from scale_data import FINDINGS, MOST_GROWTH, SHARDS, SIDE, make_copy, own_process, peak

from experiments.config.schema import Experiment
from experiments.loading.stream import StreamedCohort
from experiments.preparation.copy import STUDIES_FILE, StudyTable
from experiments.preparation.shards import Shards
from experiments.runs.build import build_preprocessor, build_system
from experiments.training.optimisers import optimiser_of
from kg.files.store import load_shipped

RESULTS = Path(__file__).parent / "results" / "scale_training.md"
BATCH = 64
CONFIG = {
    "name": "scale",
    "data": {"name": "table", "labels": "own"},
    "image": {
        "encoder": {"name": "tiny_cnn", "options": {"size": SIDE, "weights": "random"}},
        "grid": 2,
        "reduce": 64,
    },
    "graph": {"width": 16, "vectors": "random"},
    "system": {"name": "convirt"},
    "stages": [{"batch_size": BATCH, "learning_rate": 3e-4, "objectives": {"contrast": 1.0}}],
    "concept_sources": [],
    "tasks": ["retrieval"],
}


def train_through(copy: Path) -> tuple[float, int, float, float, float]:
    """Peak, studies, seconds of computing, and loss at the beginning and the end of an epoch."""
    torch.set_num_threads(1)
    experiment = Experiment.model_validate(CONFIG)
    table, graph = StudyTable(copy / STUDIES_FILE), load_shipped()
    preprocessor = build_preprocessor(
        experiment,
        (graph, graph),
        tuple(f"ckg:{name}" for name in FINDINGS),
        exclusive=False,
        cache=copy / "cache",
        runs=copy,
    )
    preprocessor.images.resized = None
    preprocessor.text.fit([table[place] for place in range(min(len(table), 500))], paired=True)
    cohort = StreamedCohort(table, Shards.open(copy), preprocessor, copy)
    torch.manual_seed(0)
    system = build_system(experiment, preprocessor)
    stage = system.stages[0]
    optimiser = optimiser_of(stage, system, "stages.0")
    began, seen, losses = time.process_time(), 0, []
    for batch in cohort.loader(cohort.order(BATCH, 0)):
        loss = system.losses(batch, stage)["contrast"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.found_inf = optimiser.grad_scale = None
        optimiser.step()
        losses.append(float(loss.detach()))
        seen += len(batch.ids)
    tenth = max(len(losses) // 10, 1)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    return peak(), seen, time.process_time() - began, first, last


def main() -> int:
    """Measure, write the table, and say whether memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, nargs=2, default=[1_000, 100_000])
    parser.add_argument("--work", type=Path, default=None)
    given = parser.parse_args()
    lines = [
        "# Training at scale",
        "",
        "An epoch of ConVIRT on made-up studies streamed from shards, one CPU thread, one run.",
        "",
        "| studies | peak memory | computing time | a second | loss of the first and last tenth |",
        "|---|---|---|---|---|",
    ]
    peaks = []
    with tempfile.TemporaryDirectory(dir=given.work) as name:
        for count in given.studies:
            copy = make_copy(Path(name) / f"{count}", count, count, SHARDS)
            most, seen, spent, first, last = own_process(train_through, copy)
            assert seen >= 0.99 * count
            peaks.append(most)
            lines.append(
                f"| {seen:,} | {most:.0f} MB | {spent:.0f} s | {seen / spent:.0f} | "
                f"{first:.3f}, {last:.3f} |"
            )
    growth = peaks[1] / peaks[0]
    lines += ["", f"Memory of the larger epoch over that of the smaller: {growth:.3f}."]
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(growth > MOST_GROWTH)


if __name__ == "__main__":
    sys.exit(main())
