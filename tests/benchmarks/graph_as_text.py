"""Whether KAD's text encoder learned the graph: true edges against others, learnt and held out.

    python tests/benchmarks/graph_as_text.py NAME=RUN [NAME=RUN ...]

Nothing is trained: each RUN is the folder of a finished run of `kad`, and NAME what its row is
called. One edge in ten between concepts was kept from it. An edge is scored by the similarity of
subject and relation with the object, and stands against (a) the same subject and relation with
every other object of the relation, and (b) the edges of shuffled graphs, in which every concept
keeps its number of edges in every relation, so that to know which concepts have many does not help.
Beside the trained encoders stand one before training, the number of learnt edges that end at the
object, and the similarity of the names by TF-IDF. Intervals are over subjects.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from real_data import RESULTS
from torch import Tensor

from encoders.graph_arrays import CLINICAL
from experiments.metrics.bootstrap import Estimate, bootstrap
from experiments.metrics.sums import measure, share
from experiments.records.folder import RunFolder
from experiments.runs.build import build_system
from experiments.runs.restore import restore
from experiments.tasks.triples import edge_sums
from kg.controls.graph_controls import shuffled

SHUFFLES = 2
Scorer = Callable[[Tensor], Tensor]
"""From triples `[K, 3]` to scores of their subject and relation with every concept, `[K, N]`."""


class Asked:
    """A finished run and the edges that its text encoder is asked.

    Args:
        folder: The folder of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.run = restore(RunFolder(folder))
        self.sides = self.run.preprocessor.triples
        self.every = torch.cat(self.sides)

    @cached_property
    def others(self) -> Tensor:
        """Edges of shuffled graphs that are not true, as often as they are there, `[F, 3]`."""
        graph = self.run.preprocessor.structure
        found = []
        for seed in range(SHUFFLES):
            for edge in shuffled(graph, np.random.default_rng(seed)).graph.edges:
                if edge.relation in CLINICAL:
                    ends = graph.index[edge.subject], graph.index[edge.object]
                    found.append((ends[0], CLINICAL.index(edge.relation), ends[1]))
        true = set(map(tuple, self.every.tolist()))
        return torch.tensor([one for one in found if one not in true])

    def untrained(self) -> Any:
        """The same system before training."""
        torch.manual_seed(self.run.experiment.seed)
        return build_system(self.run.experiment, self.run.preprocessor).eval()

    def without_encoder(self) -> Mapping[str, Scorer]:
        """Scores that no text encoder makes."""
        names, learnt = self.run.preprocessor.vectors, self.sides[0]
        ends = torch.zeros(len(CLINICAL), len(names))
        ends.index_put_((learnt[:, 1], learnt[:, 2]), torch.ones(len(learnt)), accumulate=True)
        return {
            "number of learnt edges at the object": lambda triples: ends[triples[:, 1]],
            "TF-IDF of the names": lambda triples: names[triples[:, 0]] @ names.T,
        }

    def against_other_ends(self, side: int, score: Scorer) -> Estimate:
        """AUROC of edges of a side against the same with another object of the relation."""
        triples = self.sides[side]
        sums = edge_sums(score(triples), triples, self.every)
        subjects = triples[:, 0].numpy()
        metrics = {"auroc": share("above", "edges")}
        return measure(sums, metrics, subjects, rng=np.random.default_rng(0))["auroc"]

    def against_shuffled(self, side: int, score: Scorer) -> Estimate:
        """AUROC of edges of a side against edges of shuffled graphs."""
        both = torch.cat([self.sides[side], self.others])
        scores = score(both).gather(1, both[:, 2:])
        truth = np.repeat([1.0, 0.0], [len(self.sides[side]), len(self.others)])[:, None]
        subjects = both[:, 0].numpy()
        rng = np.random.default_rng(0)
        return bootstrap(truth, scores.numpy(), subjects, rng=rng).findings[0]

    def definitions(self, system: Any) -> float:
        """Mean reciprocal rank of a concept's definition among all, by its name."""
        names, said = (
            system.knowledge.vectors(system.knowledge.text(kind, system.defined), system.encoder)
            for kind in ("names", "definitions")
        )
        near = names @ said.T
        rank = (near >= near.diagonal()[:, None]).sum(1)
        return float((1 / rank).mean())

    def row(self, name: str, score: Scorer, system: Any = None) -> str:
        """Cells of a scorer."""
        found = [
            measured(side, score)
            for measured in (self.against_other_ends, self.against_shuffled)
            for side in range(len(self.sides))
        ]
        cells = [f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" for one in found]
        cells.append("" if system is None else f"{self.definitions(system):.3f}")
        return "| " + " | ".join([name, *cells]) + " |"


def rows(runs: Mapping[str, Asked]) -> Iterator[str]:
    """A row of each run, then those beside them, of the first run's edges."""
    for name, asked in runs.items():
        yield asked.row(name, asked.run.system.relate, asked.run.system)
    first = next(iter(runs.values()))
    before = first.untrained()
    yield first.row("before training", before.relate, before)
    for name, score in first.without_encoder().items():
        yield first.row(name, score)


@torch.no_grad()
def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    given = parser.parse_args()
    named = (one.rsplit("=", 1) for one in given.runs)
    runs = {name: Asked(Path(path)) for name, path in named}
    first = next(iter(runs.values()))
    lines = [
        "# kad: whether the text encoder learned the graph",
        "",
        f"`python tests/benchmarks/graph_as_text.py NAME=RUN ...`: {len(first.sides[0])} edges "
        f"learnt, {len(first.sides[1])} held out, {len(first.others)} of {SHUFFLES} shuffled "
        "graphs. AUROC with the interval of resampled subjects; the last column is the mean "
        "reciprocal rank of a concept's definition among all by its name (all were learnt).",
        "",
        "| scored by | learnt, other objects | held out, other objects | learnt, shuffled edges "
        "| held out, shuffled edges | definitions |",
        "|---|---:|---:|---:|---:|---:|",
        *rows(runs),
    ]
    path = RESULTS / "graph_as_text.md"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
