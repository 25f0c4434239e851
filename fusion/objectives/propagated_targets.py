"""Propagated targets: findings order studies as their reports do, carried over the graph's edges.

A report that states a blunted costophrenic angle and fluid speaks for an effusion that no label
names. What it states spreads over the edges by fixed weights, before any training, and findings are
taught to rank the studies of a batch in that order. Few labels say little of a rare finding; this
says something of it in every study.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from fusion.evidence_propagation import TINY, EvidencePropagation
from fusion.objectives import Forward
from fusion.system import Setting
from kg.bounds import FewOrNone
from kg.options import Options as PartOptions

__all__ = ["PropagatedTargets"]


class PropagatedTargets(nn.Module):
    """One minus the correlation of a finding's logits with propagated statements, mean of findings.

    The report is read in training only. Edges carry the initial weights of `EvidencePropagation`,
    which are not trained.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            steps: Steps over the edges; 0 = what reports state of the finding itself.
        """

        steps: FewOrNone = 2

    places: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.propagate = EvidencePropagation(setting.graph, options.steps).requires_grad_(False)
        places = Tensor([setting.graph.index[finding] for finding in setting.findings]).long()
        self.register_buffer("places", places, persistent=False)

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean over the findings that the reports of the batch tell apart; zero without any."""
        if batch.concept_targets is None:
            return output.logits.sum() * 0.0
        stated = batch.concept_targets.nan_to_num(0.0)
        order = self.propagate(stated, stated.new_zeros(stated.shape))[:, self.places]
        logits, order = (rows - rows.mean(0) for rows in (output.logits, order))
        told = order.abs().amax(0) > TINY
        each = 1 - F.cosine_similarity(logits, order, dim=0)
        return (each * told).sum() / told.sum().clamp_min(1)
