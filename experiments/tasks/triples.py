"""Knowledge of the graph: whether a system tells true edges from edges with another end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from encoders.graph_arrays import CLINICAL
from experiments.metrics.arrays import FloatArray
from experiments.metrics.sums import Metric, MetricsOf, StudySums, share
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST
from experiments.records.scores import ScoredStudies
from experiments.records.task_result import TaskResult
from experiments.runs.build import RunContext
from experiments.tasks._measured import save_and_measure
from fusion.capabilities import Relates, able
from kg.errors import InputError

__all__ = ["Triples"]

SIDES = ("learnt", "held_out")


def _metrics(side: str, numbers: Sequence[str]) -> Mapping[str, Metric]:
    """Metrics of one side; they are the same whatever the numbers."""
    return {f"{side}_triples_auroc": share("above", "edges")}


class Triples:
    """AUROC of true edges against the same with another end, of learnt and of unseen edges.

    Other ends are all concepts that any edge of the relation ends at, so that it is not enough to
    know which concepts a relation ends at. Intervals are by the concept that an edge begins at.
    """

    capability: ClassVar[type] = Relates
    table: ClassVar[str] = "scores.parquet"
    sums: ClassVar[Mapping[str, MetricsOf]] = {
        f"{side}_triples": partial(_metrics, side) for side in SIDES
    }
    metrics: ClassVar[tuple[str, ...]] = tuple(
        name for metrics in sums.values() for name in metrics(())
    )

    @torch.no_grad()
    def measure(self, folder: RunFolder, context: RunContext) -> TaskResult:
        """Compare each edge with those that end elsewhere.

        Raises:
            InputError: If the graph has no edges.
        """
        system: Relates = able(context.system, Relates)
        graph, sides = context.preprocessor.structure, context.preprocessor.triples
        if not all(len(triples) for triples in sides):
            raise InputError("the graph has no edges to tell from others", "see graph.control")
        context.system.eval()
        device = next(context.system.parameters()).device
        everything, rows = torch.cat(sides), []
        for side, triples in zip(SIDES, sides, strict=True):
            scores = system.relate(triples.to(device)).cpu()
            names = [tuple(map(int, triple)) for triple in triples.tolist()]
            rows.append(
                ScoredStudies(
                    TEST,
                    f"{side}_triples",
                    tuple(
                        f"{graph.concepts[s].id} {CLINICAL[r]} {graph.concepts[o].id}"
                        for s, r, o in names
                    ),
                    tuple(graph.concepts[s].id for s, _, _ in names),
                    edge_sums(scores, triples, everything),
                )
            )
        measured = save_and_measure(folder, rows, self.sums, context.experiment.seed)
        return TaskResult(metrics={TEST: measured})


def edge_sums(scores: Tensor, triples: Tensor, everything: Tensor) -> StudySums:
    """Share of other ends that score below the true one, a tie counting half, by edge.

    Args:
        scores: Of subject and relation of each edge with every concept, `[K, N]`.
        triples: The edges, `[K, 3]`.
        everything: All edges of the graph, `[E, 3]`.

    Returns:
        One row for each edge; zeros where the relation ends nowhere else.
    """
    true: set[tuple[int, ...]] = set(map(tuple, everything.tolist()))
    ends = {
        int(r): torch.unique(everything[everything[:, 1] == r, 2]).tolist() for r in triples[:, 1]
    }
    above: FloatArray = np.zeros(len(triples))
    counted: FloatArray = np.zeros(len(triples))
    for row, (subject, relation, target) in enumerate(triples.tolist()):
        others = [end for end in ends[relation] if (subject, relation, end) not in true]
        if others:
            beside = scores[row, others] - scores[row, target]
            above[row] = float((beside < 0).float().mean() + (beside == 0).float().mean() / 2)
            counted[row] = 1
    return StudySums.of({"edges": counted, "above": above})
