"""LesaNet's learned label graph against the edges of the graph, on finished runs.

    python tests/benchmarks/learned_label_graph.py NAME=RUN [RUN ...] [NAME=RUN ...]

Nothing is trained: each RUN is the folder of a finished run of `lesanet`; those after one NAME are
averaged. LesaNet's linear layer from labels to labels starts as the identity. What training added
to it ranks pairs of labels; AUROC says whether pairs of an edge rank above all others. Beside it
the same of the correlation of the labels, which needs no picture, and of shuffled edges, where each
label keeps its number of them. Intervals are over labels.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from real_data import RESULTS

from experiments.config.load import resolve
from experiments.loading.graphs import choose_graph, concepts_of
from experiments.metrics.arrays import FloatArray
from experiments.metrics.bootstrap import USUAL, estimate
from experiments.metrics.ranking import Counts, RankedScores
from experiments.preparation.open_dataset import build_dataset
from experiments.records.checkpoint import load_checkpoint
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, read_predictions
from experiments.records.record import Measured
from fusion.label_ontology import entailed, excluded, shuffled_pairs
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

SHUFFLES = 200
FEWEST = 10
"""Pairs below which a relation has no row."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of labels that an edge joins.

    Args:
        name: Kind of edge.
        true: Which pairs, `[C, C]`, from the row to the column.
        sign: 1 where one label should raise the other, -1 where it should lower it.
        directed: Whether only the way from the row to the column is meant.
    """

    name: str
    true: torch.Tensor
    sign: int = 1
    directed: bool = False

    @property
    def among(self) -> torch.Tensor:
        """Pairs that are ranked, `[C, C]`: of two labels, each once where there is no direction."""
        every = torch.ones_like(self.true)
        return every & ~torch.eye(len(every), dtype=torch.bool) if self.directed else every.triu(1)

    @property
    def count(self) -> int:
        """Number of pairs."""
        return int((self.true & self.among).sum())

    def auroc(self, flow: FloatArray, counts: Counts) -> FloatArray:
        """AUROC of the pairs by each row of counts of labels `[r, C]`.

        Args:
            flow: What each label brings to each other, `[C, C]`.
            counts: How often each label was drawn.
        """
        scores = self.sign * (flow if self.directed else (flow + flow.T) / 2)
        rows, columns = self.among.nonzero(as_tuple=True)
        drawn = (counts[:, rows] * counts[:, columns]).astype(np.int32)
        truth = self.true[rows, columns].numpy().astype(float)
        ranked = RankedScores.sort(truth, scores[rows, columns], np.arange(len(rows)))
        return ranked.auroc(drawn)

    def shuffled(self, generator: np.random.Generator) -> Pairs:
        """As many pairs, where each label has as many."""
        made = shuffled_pairs(self.true, generator, symmetric=not self.directed)
        return Pairs(self.name, made, self.sign, self.directed)


def kinds_of_pairs(graph: KnowledgeGraph, labels: tuple[str, ...]) -> Iterator[Pairs]:
    """Pairs that entail, that exclude, and those of each other relation, where there are enough."""
    apart = excluded(graph, labels)
    none = [labels.index(one.no_finding) for one in graph.label_sets if one.no_finding in labels]
    findings = apart.clone()
    findings[none], findings[:, none] = False, False
    found = [
        Pairs("entails (`is_a`, `part_of`)", entailed(graph, labels, ("is_a", "part_of")), 1, True),
        Pairs("excludes", apart, -1),
        Pairs("excludes, without `No finding`", findings, -1),
    ]
    every = torch.zeros_like(apart)
    for relation in graph.relations:
        if relation != "disjoint_with" and not RELATIONS[relation].bookkeeping:
            found.append(Pairs(f"`{relation}`", joined(graph, labels, relation)))
            every |= found[-1].true
    found.append(Pairs("any relation but `disjoint_with`", every))
    return (one for one in found if one.count >= FEWEST)


def joined(graph: KnowledgeGraph, labels: tuple[str, ...], relation: str) -> torch.Tensor:
    """True where an edge of the relation joins two labels, whichever way, `[C, C]`."""
    place = {label: at for at, label in enumerate(labels)}
    true = torch.zeros(len(labels), len(labels), dtype=torch.bool)
    for edge in graph.edges:
        if edge.relation == relation and edge.subject in place and edge.object in place:
            true[place[edge.subject], place[edge.object]] = True
    return (true | true.T) & ~torch.eye(len(labels), dtype=torch.bool)


def learned(runs: Sequence[RunFolder]) -> FloatArray:
    """What training added to the flow between labels, from the row to the column, `[C, C]`."""
    best = [load_checkpoint(run.checkpoints / "best").tensors for run in runs]
    weights = [tensors["propagate.weight"].T.numpy() for tensors in best]
    return np.mean(weights, 0) - np.eye(len(weights[0]))


def correlation(runs: Sequence[RunFolder]) -> FloatArray:
    """Correlation of the labels of all test studies of some runs, `[C, C]`."""
    labels = {}
    for run in runs:
        test = next(p for p in read_predictions(run.predictions) if p.part == TEST)
        labels.update(zip(test.studies, test.labels, strict=True))
    return np.nan_to_num(np.corrcoef(np.stack(list(labels.values())), rowvar=False))


def row(pairs: Pairs, flows: Sequence[FloatArray], rng: np.random.Generator) -> str:
    """Cells of a kind of pairs: its number, each flow, and shuffled edges by the first flow."""
    labels = len(pairs.true)
    drawn = rng.multinomial(labels, np.full(labels, 1 / labels), size=USUAL.resamples)
    counts = np.concatenate([np.ones((1, labels), np.int64), drawn])
    cells = [pairs.name, str(pairs.count)]
    for flow in flows:
        found = pairs.auroc(flow, counts)
        one = estimate(float(found[0]), found[1:][~np.isnan(found[1:])], USUAL)
        cells.append(Measured.of(one.value, one.low, one.high).words())
    chance = [pairs.shuffled(rng).auroc(flows[0], counts[:1])[0] for _ in range(SHUFFLES)]
    low, high = np.quantile(chance, (0.025, 0.975))
    cells.append(f"{np.mean(chance):.3f} ({low:.3f} to {high:.3f})")
    return "| " + " | ".join(cells) + " |"


def named_runs(given: Sequence[str]) -> dict[str, list[RunFolder]]:
    """Folders of runs by the name before the first of them."""
    groups: dict[str, list[RunFolder]] = {}
    for one in given:
        name, _, path = one.rpartition("=")
        groups.setdefault(name or list(groups)[-1], []).append(RunFolder(Path(path)))
    return groups


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="[NAME=]RUN")
    groups = named_runs(parser.parse_args().runs)
    first = next(iter(groups.values()))
    experiment = resolve(str(first[0].config))
    dataset = build_dataset(experiment.data.name, experiment.data.options)
    graph, _ = choose_graph(experiment.graph, dataset.graph_names, concepts_of(dataset))
    labels = tuple(load_checkpoint(first[0].checkpoints / "best").identity["findings"])
    flows = [*map(learned, groups.values()), correlation(first)]
    heads = [f"{name} ({len(runs)})" for name, runs in groups.items()]
    head = ("kind of edge", "pairs", *heads, "correlation of labels", "first, shuffled edges")
    rng = np.random.default_rng(0)
    lines = [
        "# LesaNet's learned label graph against the edges of the graph",
        "",
        f"`python tests/benchmarks/learned_label_graph.py NAME=RUN ...`: {len(labels)} labels of "
        f"{experiment.data.name} ({experiment.data.labels}); {graph.name}. AUROC of pairs with an "
        "edge against all others, with the interval of resampled labels; in the last column mean "
        f"and middle 95% of {SHUFFLES} shuffles. In brackets behind a name its number of runs.",
        "",
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
        *(row(pairs, flows, rng) for pairs in kinds_of_pairs(graph, labels)),
    ]
    path = RESULTS / "learned_label_graph.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
