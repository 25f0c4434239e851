"""Zero-shot findings whose concept was held out of training, of six systems in one table.

    python tests/benchmarks/concept_held_out.py --root ../shared/data --runs runs

Open-i, one fixed split, pictures alone at test. A quarter of the label set at a time is held out
with all that is narrower: neither labels, nor statements, nor words of training reports, nor edges
mined from data teach it; names and asserted edges stay, by which it is asked. Beside all stands
*merely not normal*, the answer of `graph_fusion`, which labels teach `No finding`, turned round: a
system that is no better knows only that something is wrong. Training is short, as a column says,
so that values are lower than a system can reach.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from real_data import RESULTS, Job, finished, run_missing

from experiments.config.load import read_config
from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import Difference, Estimate, Plan, bootstrap, paired
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ZERO_SHOT, ScoredSubset, read_predictions
from kg.ask.distance import distances
from kg.files.store import load_shipped

NO_FINDING = "ckg:no_finding"
ROTATIONS = 4
EVERY = Plan(at_least=1)


@dataclass(frozen=True)
class Asked:
    """A system and how it was trained for the table.

    Args:
        config: Its configuration.
        taught: What teaches it.
        epochs: Epochs of its stages, the last one last.
        further: Further settings.
    """

    config: str
    taught: str
    epochs: tuple[int, ...]
    further: tuple[str, ...] = ()

    def job(self, rotation: int) -> Job:
        """The run that holds out a rotation."""
        held = f"{{level: concept, rotation: {rotation}, rotations: {ROTATIONS}}}"
        settings = ["split.kind=fixed", "split.fold=0", "seed=0", f"hold_out={held}"]
        for stage, epochs in enumerate(self.epochs):
            settings += [
                f"stages.{stage}.epochs={epochs}",
                f"stages.{stage}.validate_every_n_epochs={epochs}",
            ]
        return Job(self.config, (*settings, *self.further))


PROMPTED = ("tasks=[zero_shot]",)
SYSTEMS = (
    Asked("graph_fusion_openi", "other labels, statements", (6,)),
    Asked(
        "chen2022_arl_openi",
        "other labels, statements (its Align alone)",
        (6,),
        ("stages.0.objectives.hidden_words=0.0", "stages.0.objectives.matching=0.0"),
    ),
    Asked("wu2023_medklip_openi", "statements", (4,), PROMPTED),
    Asked("zhang2023_kad_openi", "the graph, then statements", (6, 4), PROMPTED),
    Asked("lai2024_carzero_openi", "reports", (3,), PROMPTED),
    Asked("zhang2020_convirt_openi", "reports", (6,), PROMPTED),
)


class Answered:
    """What a finished run answered of the findings it held out.

    Args:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(folder)
        state = load_checkpoint(self.folder.checkpoints / "reader").state
        self.held: tuple[str, ...] = tuple(state["held"]["findings"])
        self.supervised: tuple[str, ...] = tuple(state["supervised"])
        subsets = {one.part: one for one in read_predictions(self.folder.predictions)}
        self.asked = subsets[ZERO_SHOT]
        self.trained = subsets.get(TEST)

    @property
    def columns(self) -> list[int]:
        """Places of the held findings."""
        return [self.asked.findings.index(one) for one in self.held]

    @property
    def labels(self) -> FloatArray:
        """Their labels, `[n, C]`."""
        return self.asked.labels[:, self.columns]

    @property
    def scores(self) -> FloatArray:
        """Their probabilities, `[n, C]`."""
        return self.asked.probabilities[:, self.columns]

    @cached_property
    def not_normal(self) -> FloatArray:
        """Every held finding answered by how little normal a study looks, `[n, C]`."""
        if self.trained is None or self.trained.studies != self.asked.studies:
            raise ValueError(f"{self.folder.run} was not taught what is normal")
        ill = 1 - self.trained.probabilities[:, [self.trained.findings.index(NO_FINDING)]]
        return np.repeat(ill, len(self.held), 1)


def joined(runs: Sequence[Answered], name: str) -> FloatArray:
    """Numbers of the held findings of all rotations, `[n, C]`."""
    return np.concatenate([getattr(run, name) for run in runs], 1)


def words(one: Estimate | Difference) -> str:
    """A value with its interval."""
    if isinstance(one, Difference):
        return f"{one.delta:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def row(system: Asked, runs: Sequence[Answered], ill: FloatArray) -> str:
    """Cells of a system: each held finding, their mean, and that less merely not normal."""
    example: ScoredSubset = runs[0].asked
    labels, scores = joined(runs, "labels"), joined(runs, "scores")
    found = bootstrap(labels, scores, example.patients, rng=np.random.default_rng(0), plan=EVERY)
    rng = np.random.default_rng(0)
    minus = paired(labels, (scores, ill), example.patients, rng=rng, plan=EVERY)
    stages = read_config(system.config, system.job(0).settings).experiment.stages
    epochs = " + ".join(str(stage.epochs) for stage in stages)
    cells = [system.config, system.taught, epochs, *map(words, found.findings)]
    return "| " + " | ".join([*cells, words(found.macro), words(minus.macro)]) + " |"


def findings(runs: Sequence[Answered]) -> Iterator[str]:
    """Lines of a table of the held findings: positives, and distances to what is taught."""
    graph = load_shipped()
    yield "| finding | positives | to the nearest other finding | to the nearest stated concept |"
    yield "|---|---:|---:|---:|"
    for run in runs:
        others = [one for one in run.asked.findings if one not in run.held and one != NO_FINDING]
        near = [distances(graph, run.held, goals) for goals in (others, run.supervised)]
        for place, finding in enumerate(run.held):
            sick = int(np.nansum(run.labels[:, place]))
            far = " | ".join(f"{each[place]:.2f}" for each in near)
            label = graph.concept(finding).label
            yield f"| {label} | {sick} of {len(run.labels)} | {far} |"


def page(runs: Mapping[str, list[Answered]], rotations: Sequence[int]) -> Iterator[str]:
    """Lines of the page."""
    graph = load_shipped()
    taught = runs[SYSTEMS[0].config]
    labels = [graph.concept(one).label for run in taught for one in run.held]
    head = ("system", "taught by", "epochs", *labels, "mean", "mean minus not normal")
    yield "# openi: findings whose concept was held out of training, one fixed split"
    yield ""
    yield (
        f"`python tests/benchmarks/concept_held_out.py`, rotation "
        f"{', '.join(map(str, rotations))} of {ROTATIONS}, one seed: AUROC with the interval of "
        f"resampled patients, {len(taught[0].labels)} test studies."
    )
    yield ""
    yield "| " + " | ".join(head) + " |"
    yield "|---|---|---:|" + "---:|" * (len(head) - 3)
    ill = joined(taught, "not_normal")
    yield from (row(one, runs[one.config], ill) for one in SYSTEMS if one.config in runs)
    example = taught[0].asked
    rng = np.random.default_rng(0)
    alone = bootstrap(joined(taught, "labels"), ill, example.patients, rng=rng, plan=EVERY)
    epochs = str(SYSTEMS[0].epochs[-1])
    cells = ["merely not normal", "labels of `No finding`", epochs, *map(words, alone.findings)]
    yield "| " + " | ".join([*cells, words(alone.macro), ""]) + " |"
    yield ""
    yield "Distance in the graph, where a step along an edge of full strength is 1:"
    yield ""
    yield from findings(taught)


def main() -> None:
    """Run what is missing, then write the table of the systems that are finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--rotations", type=int, nargs="+", default=list(range(ROTATIONS)))
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    wanted = {one.config: [one.job(turn) for turn in given.rotations] for one in SYSTEMS}
    if given.root is not None:
        every = [job for each in wanted.values() for job in each]
        run_missing(every, given.root, given.runs, given.workers)
    done = finished(given.runs)
    runs = {
        config: [Answered(done[job.digest]) for job in each]
        for config, each in wanted.items()
        if all(job.digest in done for job in each)
    }
    path = RESULTS / "concept_held_out.md"
    path.write_text("\n".join(page(runs, given.rotations)) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
