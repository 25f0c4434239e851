"""Whether the ablation finds a graph that helps, and none that does not: power and false wins.

    python tests/benchmarks/planted_worlds.py

Two worlds of `synthetic` with the same studies and labels (`drawing/planted.py`): in `planted` each
stated sign speaks for the finding it has an edge to, in `unplanted` for another one; in `planted`
of strength 0 signs speak for nothing. In each repeat the arms `full`, `names only` and `shuffled`
of EVALUATION A3 are trained on the same studies and compared as A2 says: scores averaged over
seeds, paired bootstrap over patients, Holm over the two primary differences. A difference is won
where its adjusted p is under 0.05 and its interval is above zero. What the indication states is all
that a system is given; every setting but the graph is the same in all arms.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from scipy.stats import binomtest

from experiments.config.schema import Experiment
from experiments.inference.score import macro_auroc
from experiments.loading.cohort import Cohort
from experiments.metrics.bootstrap import Plan, paired
from experiments.metrics.holm import holm
from experiments.records.folder import RunFolder
from experiments.runner.run import set_global_state, train
from experiments.runs.build import RunContext, build_context
from experiments.synthetic.planted import graph_of
from experiments.systems.graph_fusion import GraphFusion
from experiments.tasks.classification import _score as score
from kg.controls.graph_controls import emptied, shuffled
from kg.files.store import load_shipped, save
from kg.model.graph import KnowledgeGraph

RESULTS = Path(__file__).parent / "results"
ARMS = ("full", "names only", "shuffled")
SEEDS = 2
STUDIES = 1800
"""Enough for 1,000 training studies and some 450 at test."""
SHOWN = 1000
"""Studies shown in a pass, fewer ones several times: all trainings are equally long."""
PASSES = 2
BATCH = 50
LEVEL = 0.05
PLAN = Plan(resamples=2000)
PLANTED = ((0.02, 100), (0.05, 100), (0.1, 100), (0.05, 300), (0.05, 1000))
"""How far an edge raises a finding in the planted world, and number of training studies."""
NOTHING = (("unplanted", 0.8, 100), ("planted", 0.0, 100))
"""World, strength and studies where the graph cannot help: much to learn elsewhere, or nothing."""


def settings(world: str, repeat: int, graph: Path, strength: float) -> dict[str, Any]:
    """Configuration of one repeat in one world."""
    options = {"studies": STUDIES, "world": world, "seed": repeat, "strength": strength}
    system = {
        "width": 32,
        "dropout": 0.1,
        "modality_dropout": 0.0,
        "neighbourhood": 8,
        "concept_logit": False,
        "message_passing": {"name": "rgcn", "options": {"layers": 1, "bases": 2}},
        "join": {"name": "knowledge_attention", "options": {"layers": 1, "dropout": 0.1}},
    }
    return {
        "name": "planted",
        "data": {"name": "synthetic", "labels": "nih14", "options": options, "blank": "ignore"},
        "split": {"kind": "fixed", "seed": repeat},
        "text": {"test": "indication"},
        "image": {"encoder": None},
        "graph": {"source": str(graph), "width": 64},
        "system": {"name": "graph_fusion", "options": system},
        "stages": [
            {
                "objectives": {"classification": 1.0, "link_prediction": 1.0},
                "epochs": PASSES,
                "batch_size": BATCH,
                "learning_rate": 1e-2,
                "patience": 0,
                "keep": "last",
            }
        ],
    }


def first(cohort: Cohort, count: int, times: int = 1) -> Cohort:
    """The first studies of a cohort, some times over, their statements without their words."""
    assert cohort.evidence is not None
    return Cohort(
        cohort.studies[:count] * times,
        cohort.targets[:count].repeat(times, 1),
        evidence=cohort.evidence[:count].repeat(times, 1),
    )


def arms(graph: KnowledgeGraph, repeat: int) -> dict[str, KnowledgeGraph]:
    """The graph of each arm; all have the same concepts, so the evidence is the same."""
    rng = np.random.default_rng(repeat)
    return dict(zip(ARMS, (graph, emptied(graph), shuffled(graph, rng).graph), strict=True))


def trained(made: RunContext, graph: KnowledgeGraph, seed: int, count: int) -> np.ndarray:
    """Test probabilities `[n, C]` of one arm trained on the first `count` studies."""
    experiment = made.experiment.model_copy(update={"seed": seed})
    stage = experiment.stages[0]
    set_global_state(experiment)
    setting = replace(made.preprocessor.setting(), graph=graph, text_width=0, text_encoder=None)
    options = GraphFusion.Options.model_validate(experiment.system.options)
    cohorts = {
        "train": first(made.cohorts["train"], count, max(1, SHOWN // count)),
        "validation": first(made.cohorts["validation"], 100),
        "test": first(made.cohorts["test"], STUDIES),
    }
    arm = replace(
        made,
        experiment=experiment,
        system=GraphFusion(options, setting, (stage,)),
        cohorts=cohorts,
    )
    with TemporaryDirectory() as runs:
        train(RunFolder.create(Path(runs), experiment), arm)
    return score(arm, cohorts["test"])


def compared(made: RunContext, repeat: int, count: int) -> dict[str, Any]:
    """Macro AUROC of each arm, and the two primary differences, of one repeat."""
    test = made.cohorts["test"]
    labels, patients = test.targets.numpy(), [study.patient for study in test.studies]
    graphs = arms(made.preprocessor.graph, repeat)
    scores = {
        arm: np.stack([trained(made, graph, seed, count) for seed in range(SEEDS)])
        for arm, graph in graphs.items()
    }
    found: dict[str, Any] = {}
    for arm, each in scores.items():
        found[arm] = macro_auroc(labels, each.mean(0))
        found[f"{arm} by seed"] = [macro_auroc(labels, one) for one in each]
    for arm in ARMS[1:]:
        rng = np.random.default_rng(repeat)
        pair = (scores["full"], scores[arm])
        found[f"minus {arm}"] = asdict(paired(labels, pair, patients, rng=rng, plan=PLAN).macro)
    return found


Cell = tuple[str, float, int, int]
"""World, strength, number of training studies and repeat."""


def cells(unplanted: int, planted: int) -> Iterator[Cell]:
    """Every comparison; the two worlds take turns, so that a table can be made at any time."""
    for repeat in range(max(unplanted, planted)):
        if repeat < unplanted:
            for world, strength, size in NOTHING:
                yield world, strength, size, repeat
        if repeat < planted:
            for strength, size in PLANTED:
                yield "planted", strength, size, repeat


def run_missing(folder: Path, wanted: Iterator[Cell]) -> None:
    """Train and compare what is not in the folder yet; one JSON line each."""
    folder.mkdir(parents=True, exist_ok=True)
    graph, lines = folder / "graph.trig", folder / "cells.jsonl"
    if not graph.is_file():
        save(graph_of(load_shipped()), graph)
    done = {tuple(row["cell"]) for row in read(lines)}
    for cell in wanted:
        if cell in done:
            continue
        world, strength, size, repeat = cell
        began = time.process_time()
        chosen = Experiment.model_validate(settings(world, repeat, graph, strength))
        made = build_context(chosen, folder / "cache", cache=folder / "cache")
        row = {"cell": cell, **compared(made, repeat, size)}
        row["seconds"] = time.process_time() - began
        with lines.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")


def read(lines: Path) -> list[dict[str, Any]]:
    """What was compared so far."""
    if not lines.is_file():
        return []
    return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]


def won(row: Mapping[str, Any]) -> dict[str, bool]:
    """Which of the two primary differences are won after Holm, and whether both are."""
    pairs = [row[f"minus {arm}"] for arm in ARMS[1:]]
    corrected = holm([pair["p"] for pair in pairs])
    each = {
        arm: bool(p < LEVEL and pair["low"] > 0)
        for arm, pair, p in zip(ARMS[1:], pairs, corrected, strict=True)
    }
    return each | {"both": all(each.values())}


def share(hits: Sequence[bool]) -> str:
    """`3 of 40 (0.075 [0.016, 0.204])`, the interval that of Clopper and Pearson."""
    test = binomtest(sum(hits), len(hits)).proportion_ci()
    rate = sum(hits) / len(hits)
    return f"{sum(hits)} of {len(hits)} ({rate:.3f} [{test.low:.3f}, {test.high:.3f}])"


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each world, strength and number of training studies."""
    groups: dict[tuple[str, float, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        world, strength, size, _ = row["cell"]
        groups.setdefault((world, strength, size), []).append(row)
    head = (
        *("world", "strength", "training studies", *(f"AUROC, {arm}" for arm in ARMS)),
        *("full minus names only", "full minus shuffled", "deviation over seeds"),
        *("won over names only", "won over shuffled", "won over both"),
    )
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for (world, strength, size), group in sorted(groups.items()):
        means = [np.mean([row[arm] for row in group]) for arm in ARMS]
        deltas = [np.mean([row[f"minus {arm}"]["delta"] for row in group]) for arm in ARMS[1:]]
        spread = np.mean([np.std(row["full by seed"], ddof=1) for row in group])
        wins = [won(row) for row in group]
        cells = [world, f"{strength:g}", f"{size}", *(f"{mean:.3f}" for mean in means)]
        cells += [*(f"{delta:+.3f}" for delta in deltas), f"{spread:.3f}"]
        cells += [share([one[name] for one in wins]) for name in (*ARMS[1:], "both")]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Compare what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--folder", type=Path, default=Path("runs/planted"), help="where comparisons are kept"
    )
    parser.add_argument(
        "--unplanted", type=int, default=60, help="repeats where the graph cannot help"
    )
    parser.add_argument("--planted", type=int, default=8, help="repeats where it can")
    given = parser.parse_args()
    torch.set_num_threads(1)
    run_missing(given.folder, cells(given.unplanted, given.planted))
    wanted = set(cells(given.unplanted, given.planted))
    rows = [row for row in read(given.folder / "cells.jsonl") if tuple(row["cell"]) in wanted]
    seconds = np.mean([row["seconds"] for row in rows])
    told = (
        f"Each comparison: three arms, {SEEDS} seeds, some {int(STUDIES * 0.25)} test studies, "
        f"{PASSES * SHOWN // BATCH} steps of {BATCH}; {seconds:.0f} seconds of one core. "
        "All trainings are this short, so power by training studies is that of what the graph "
        "gives from the start; arms that have to learn signs one by one stay far from what 1,000 "
        "studies could teach them."
    )
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "planted_worlds.md"
    title = "# synthetic: whether the ablation finds a planted graph, and finds none that is not"
    path.write_text("\n".join([title, "", told, "", *table(rows)]) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
