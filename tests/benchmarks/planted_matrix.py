"""Whether each mechanism of the graph matrix finds a planted graph, and none that is not.

    python tests/benchmarks/planted_matrix.py

For every mechanism there is a pair of worlds with the same studies but for one thing: in `planted`
labels follow the edges of the graph that the mechanism reads; in `unplanted` they follow as many
other edges, drawn anew in every repeat, so there is as much to learn but the graph does not say it.

- zhang2020: a sign of each finding is one token of the picture. It raises its finding, and those
  that an edge of the abnormality graph ties to it. That graph is mostly one clique of seven
  findings, which no shuffle that keeps degrees can undo, so it is compared with a random order too.
- lesanet: a label of the picture makes what it entails true. Reports of the training studies do
  not say what is entailed.
- graph_fusion, graph_prior: signs that the text states raise the finding of their edge, as in
  `experiments/synthetic/planted.py`.

In each repeat the arms `graph` and `shuffled` of the matrix are trained on the same studies and
compared as there: scores averaged over seeds, a fresh shuffle for each seed, paired bootstrap over
patients, and Holm over the mechanisms. A mechanism wins where its adjusted p is under 0.05 and the
interval is above zero.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.stats import binomtest
from torch import Tensor

from encoders.batch import StudyBatch
from experiments.metrics.bootstrap import Plan, paired
from experiments.metrics.holm import holm
from experiments.synthetic.planted import graph_of, planted_truths
from experiments.synthetic.rules import Rules
from experiments.systems._abnormality_graph import FINDINGS, FIRST, adjacency
from experiments.systems.graph_fusion import GraphFusion
from experiments.systems.lesanet import LesaNet
from experiments.systems.zhang2020 import Zhang2020
from fusion.label_ontology import entailed, shuffled_pairs
from fusion.stage import Stage
from fusion.system import Setting, System
from kg.controls.graph_controls import shuffled
from kg.files.store import load_shipped
from kg.model.edges import IS_A
from kg.model.graph import KnowledgeGraph

RESULTS = Path(__file__).parent / "results"
World = Literal["planted", "unplanted"]
Arm = Literal["graph", "shuffled", "random"]
WORLDS: tuple[World, ...] = ("planted", "unplanted")
SEEDS = 2
TEST = 500
BATCH = 50
LEVEL = 0.05
PLAN = Plan(resamples=1000)
CELLS, WIDTH = 16, 24
"""Tokens of a picture, and their width."""


@dataclass(frozen=True)
class Trial:
    """Studies of one world, and the system of an arm on them.

    Args:
        train: Studies to train on.
        test: Studies to test on, with their true labels.
        build: Makes the untrained system of an arm; what it draws, it draws from the seed.
        steps: Number of optimiser steps.
        rate: Learning rate.
    """

    train: StudyBatch
    test: StudyBatch
    build: Callable[[Arm, int], System]
    steps: int
    rate: float


def rows(batch: StudyBatch, at: Tensor) -> StudyBatch:
    """The studies at these rows."""
    of = {
        name: value[at]
        for name in ("image_tokens", "image_mask", "view", "modality", "evidence", "targets")
        if isinstance(value := getattr(batch, name), Tensor)
    }
    return replace(batch, ids=tuple(batch.ids[i] for i in at.tolist()), **of)


def studies(targets: Tensor, **inputs: Tensor) -> StudyBatch:
    """Studies with one picture each, or with what their text states."""
    number, pictured = len(targets), "image_tokens" in inputs
    kinds = torch.zeros(number, 1, dtype=torch.long)
    fields: dict[str, Any] = {"image_tokens": None, "evidence": None, **inputs}
    return StudyBatch(
        ids=tuple(str(row) for row in range(number)),
        pixels=None,
        image_mask=torch.full((number, 1), pictured),
        view=kinds,
        modality=kinds,
        text=None,
        targets=targets,
        **fields,
    )


def pictures(shown: Tensor, generator: torch.Generator, noise: float = 0.5) -> Tensor:
    """Tokens `[n, 1, S, D]`: each thing that is shown `[n, C]` is added to a cell of its own."""
    number, things = shown.shape
    looks = torch.randn(things, WIDTH, generator=torch.Generator().manual_seed(0))
    cell = torch.randint(CELLS, (number, things), generator=generator)
    tokens = noise * torch.randn(number, CELLS, WIDTH, generator=generator)
    added = shown[..., None] * looks
    tokens.scatter_add_(1, cell[..., None].expand(-1, -1, WIDTH), added)
    return tokens[:, None]


GRAPHS: Mapping[Arm, Literal["organs", "shuffled", "random_order"]] = {
    "graph": "organs",
    "shuffled": "shuffled",
    "random": "random_order",
}


def zhang2020(world: World, repeat: int, size: int = 300) -> Trial:
    """Signs in the picture that raise their finding and those tied to it."""
    generator, rng = torch.Generator().manual_seed(repeat), np.random.default_rng([repeat, 1])
    graph = load_shipped()
    kept = [place for place, node in enumerate(FINDINGS) if node and place < len(FINDINGS) - 3]
    findings = tuple(FINDINGS[place][0] for place in kept)
    arm = "organs" if world == "planted" else "random_order"
    edges = adjacency(arm, rng)[FIRST:, FIRST:][kept][:, kept]
    number = size + TEST
    signs = (torch.rand(number, len(kept), generator=generator) < 0.1).float()
    chance = 1 - 0.97 * 0.6**signs * 0.35 ** (signs @ edges)
    labels = (torch.rand(number, len(kept), generator=generator) < chance).float()
    every = studies(labels, image_tokens=pictures(signs, generator))
    setting = Setting(graph, torch.zeros(1, 2), findings, image_width=WIDTH, image_tokens=CELLS)

    def build(arm: Arm, seed: int) -> System:
        torch.manual_seed(seed)
        options = Zhang2020.Options(
            width=32, state=16, layers=1, dropout=0.0, token_dropout=0.0,
            graph=GRAPHS[arm],
        )  # fmt: skip
        return Zhang2020(options, setting)

    return _trial(every, size, build, steps=200, rate=1e-2)


@cache
def ontology() -> tuple[KnowledgeGraph, tuple[str, ...], Tensor]:
    """The graph, labels of its findings that entail each other, and which entail which."""
    graph = load_shipped()
    named = [one.id for one in graph.concepts if one.kind == "finding"]
    every = entailed(graph, tuple(named), (IS_A,))
    wider = (every & ~torch.eye(len(named), dtype=torch.bool)).sum(0)
    parents = wider.topk(8).indices.tolist()
    kept = dict.fromkeys(named[place] for place in parents)
    for parent in parents:  # some of what entails each
        kept |= dict.fromkeys(named[c] for c in every[:, parent].nonzero().flatten().tolist()[:4])
    labels = tuple(kept)
    return graph, labels, entailed(graph, labels, (IS_A,))


def lesanet(world: World, repeat: int, size: int = 300) -> Trial:
    """Labels of the picture whose parents are true, but unsaid in training."""
    generator, rng = torch.Generator().manual_seed(repeat), np.random.default_rng([repeat, 2])
    graph, labels, entails = ontology()
    if world == "unplanted":
        entails = shuffled_pairs(entails, rng)
    number = size + TEST
    shown = (torch.rand(number, len(labels), generator=generator) < 0.08).float()
    true = (shown @ entails.float() > 0).float()
    every = studies(true, image_tokens=pictures(shown, generator))
    # the report says what is shown, and not what follows from it
    said = torch.cat([shown[:size], true[size:]])
    every = replace(every, targets=said)
    setting = Setting(graph, torch.zeros(1, 2), labels, image_width=WIDTH, image_tokens=CELLS)

    def build(arm: Arm, seed: int) -> System:
        torch.manual_seed(seed)
        options = LesaNet.Options(
            roi=1, width=64, embedding=16, relations=(IS_A,),
            ontology="graph" if arm == "graph" else "shuffled",
        )  # fmt: skip
        return LesaNet(options, setting)

    return _trial(every, size, build, steps=200, rate=1e-2)


def _stated(options: Mapping[str, Any], world: World, repeat: int, size: int) -> Trial:
    """Signs in the text that raise the finding of their edge."""
    graph = _planted_graph()
    rules = Rules(studies=size + TEST, world=world, seed=repeat, strength=0.1)
    truths = list(planted_truths(rules, graph))
    findings = tuple(truths[0]["labels"]["nih14"])
    evidence = torch.zeros(len(truths), len(graph.concepts))
    targets = torch.zeros(len(truths), len(findings))
    for row, truth in enumerate(truths):
        stated = truth["labels"]["nih14"]
        targets[row] = torch.tensor([float(stated[name] == "present") for name in findings])
        for sign in set(truth["true"]) - set(findings):
            evidence[row, graph.index[sign]] = 1.0
    vectors = torch.randn(
        len(graph.concepts), 64, generator=torch.Generator().manual_seed(0)
    )  # names say nothing of the edges here
    setting = Setting(graph, vectors, findings)
    stage = Stage(objectives={"classification": 1.0, "link_prediction": 1.0})

    def build(arm: Arm, seed: int) -> System:
        own = graph
        if arm == "shuffled":
            own = shuffled(graph, np.random.default_rng([repeat, seed])).graph
        torch.manual_seed(seed)
        chosen = GraphFusion.Options.model_validate({**SMALL, **options})
        return GraphFusion(chosen, replace(setting, graph=own), (stage,))

    return _trial(studies(targets, evidence=evidence), size, build, steps=40, rate=1e-2)


SMALL: Mapping[str, Any] = {
    "width": 32,
    "dropout": 0.1,
    "modality_dropout": 0.0,
    "neighbourhood": 8,
    "concept_logit": False,
    "message_passing": {"name": "rgcn", "options": {"layers": 1, "bases": 2}},
    "join": {"name": "knowledge_attention", "options": {"layers": 1, "dropout": 0.1}},
}


@cache
def _planted_graph() -> KnowledgeGraph:
    return graph_of(load_shipped())


def graph_fusion(world: World, repeat: int, size: int = 100) -> Trial:
    """The fused classifier, on signs that the text states."""
    return _stated({}, world, repeat, size)


def graph_prior(world: World, repeat: int, size: int = 100) -> Trial:
    """The graph as a prior kept out of training, on signs that the text states."""
    only_prior = {"messages": False, "neighbourhood": 0, "propagation": "prior"}
    return _stated(only_prior, world, repeat, size)


MECHANISMS: Mapping[str, tuple[Callable[[World, int], Trial], Arm]] = {
    "zhang2020": (zhang2020, "shuffled"),
    "zhang2020, random order": (zhang2020, "random"),
    "lesanet": (lesanet, "shuffled"),
    "graph_fusion": (graph_fusion, "shuffled"),
    "graph_prior": (graph_prior, "shuffled"),
}
"""World of each mechanism, and the arm that the graph is compared with."""


def _trial(
    every: StudyBatch, size: int, build: Callable[[Arm, int], System], *, steps: int, rate: float
) -> Trial:
    at = torch.arange(len(every.ids))
    return Trial(rows(every, at[:size]), rows(every, at[size:]), build, steps, rate)


def scores(trial: Trial, arm: Arm, seed: int) -> np.ndarray[Any, Any]:
    """Test logits `[n, C]` of an arm, trained on the studies of the trial."""
    system = trial.build(arm, seed)
    stage = system.stages[0]
    system.prepare([trial.train])
    trained = [one for one in system.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=trial.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, trial.steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(trial.steps):
        at = torch.randint(len(trial.train.ids), (BATCH,), generator=generator)
        losses = system.train().losses(rows(trial.train, at), stage)
        loss = sum(weight * losses[name] for name, weight in stage.objectives.items())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        schedule.step()
    answers = _answers(system.eval(), trial.train)
    system.choose(lambda: _auroc(trial.train.targets, answers(trial.train)))
    return answers(trial.test).numpy()


def _answers(system: Any, like: StudyBatch) -> Callable[[StudyBatch], Tensor]:
    def answer(batch: StudyBatch) -> Tensor:
        with torch.no_grad():
            made: Tensor = system.predict(batch, system.setting.findings).logits
        return made

    return answer


def _auroc(targets: Tensor, logits: Tensor) -> float:
    from experiments.inference.score import macro_auroc

    return macro_auroc(targets.numpy(), logits.numpy())


def compared(name: str, world: World, repeat: int) -> dict[str, float]:
    """Macro AUROC of `graph`, and its difference to the control with interval and p."""
    make, control = MECHANISMS[name]
    trial = make(world, repeat)
    arms: tuple[Arm, ...] = ("graph", control)
    both = [np.stack([scores(trial, arm, seed) for seed in range(SEEDS)]) for arm in arms]
    made = paired(
        trial.test.targets.numpy(), (both[0], both[1]), list(trial.test.ids),
        rng=np.random.default_rng(repeat), plan=PLAN,
    ).macro  # fmt: skip
    reached = _auroc(trial.test.targets, torch.as_tensor(both[0].mean(0)))
    return {"graph": reached, "delta": made.delta, "low": made.low, "high": made.high, "p": made.p}


def run_missing(lines: Path, repeats: Mapping[World, int]) -> None:
    """Compare what is not in the file yet; one JSON line each."""
    done = {tuple(row["cell"]) for row in read(lines)}
    for repeat in range(max(repeats.values())):
        for world in WORLDS:
            for name in MECHANISMS:
                if repeat >= repeats[world] or (name, world, repeat) in done:
                    continue
                row = {"cell": (name, world, repeat), **compared(name, world, repeat)}
                with lines.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row) + "\n")


def read(lines: Path) -> list[dict[str, Any]]:
    """What was compared so far."""
    if not lines.is_file():
        return []
    return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]


def won(cells: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Which mechanisms win in one repeat of one world, after Holm over them."""
    corrected = holm([one["p"] for one in cells])
    return {
        one["cell"][0]: bool(p < LEVEL and one["low"] > 0)
        for one, p in zip(cells, corrected, strict=True)
    }


def share(hits: Sequence[bool]) -> str:
    """`3 of 40 (0.075 [0.016, 0.204])`, the interval that of Clopper and Pearson."""
    test = binomtest(sum(hits), len(hits)).proportion_ci()
    rate = sum(hits) / len(hits)
    return f"{sum(hits)} of {len(hits)} ({rate:.3f} [{test.low:.3f}, {test.high:.3f}])"


def table(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each world and mechanism, and one for all mechanisms of a world."""
    head = ("world", "mechanism", "AUROC, graph", "graph minus control", "won after Holm")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for world in WORLDS:
        own = [one for one in cells if one["cell"][1] == world]
        by_repeat: dict[int, list[Mapping[str, Any]]] = {}
        for one in own:
            by_repeat.setdefault(one["cell"][2], []).append(one)
        wins = [won(group) for group in by_repeat.values()]
        for name in MECHANISMS:
            group = [one for one in own if one["cell"][0] == name]
            reached, delta = (np.mean([one[key] for one in group]) for key in ("graph", "delta"))
            hits = share([one[name] for one in wins])
            lines.append(f"| {world} | {name} | {reached:.3f} | {delta:+.3f} | {hits} |")
        every = share([hit for one in wins for hit in one.values()])
        lines.append(f"| {world} | all | | | {every} |")
    return lines


def main() -> None:
    """Compare what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/planted_matrix"))
    parser.add_argument("--planted", type=int, default=5, help="repeats with a planted graph")
    parser.add_argument("--unplanted", type=int, default=10, help="repeats without")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.folder.mkdir(parents=True, exist_ok=True)
    began = time.process_time()
    repeats: dict[World, int] = {"planted": given.planted, "unplanted": given.unplanted}
    run_missing(given.folder / "cells.jsonl", repeats)
    wanted = {(n, w, r) for n in MECHANISMS for w, count in repeats.items() for r in range(count)}
    cells = [row for row in read(given.folder / "cells.jsonl") if tuple(row["cell"]) in wanted]
    sys.stderr.write(f"{time.process_time() - began:.0f} seconds of one core\n")
    title = "# Whether each mechanism of the matrix finds a planted graph, and none that is not"
    told = (
        f"Each comparison: two arms, {SEEDS} seeds with a shuffle of its own each, {TEST} test "
        "studies; see `tests/benchmarks/planted_matrix.py`. The control is the degree-preserving "
        "shuffle of the matrix where no other is named."
    )
    RESULTS.mkdir(exist_ok=True)
    text = "\n".join([title, "", told, "", *table(cells)]) + "\n"
    (RESULTS / "planted_matrix.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
