"""Link prediction: embedded concepts must still tell true edges of the graph from made-up ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from encoders.decoders.distmult import DistMult
from encoders.graph_arrays import graph_tensors
from fusion.objectives import Forward
from fusion.system import Setting
from kg.options import Options as PartOptions

__all__ = ["LinkPrediction"]


class LinkPrediction(nn.Module):
    """Cross-entropy of DistMult scores of sampled edges against the same edges with a false end.

    Negatives replace the object uniformly, and
    a replaced edge that happens to be true is rare enough to be left in.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            edges: Edges sampled in a step.
        """

        edges: int = 256

    ends: Tensor
    kinds: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.sample = options.edges
        ends, kinds, _, relations = graph_tensors(setting.graph)
        self.register_buffer("ends", ends, persistent=False)
        self.register_buffer("kinds", kinds, persistent=False)
        self.decoder = DistMult(DistMult.Options(), width=width, relations=relations)

    def forward(self, made: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over true and false edges; zero on a graph without edges.

        The draws use torch's default generator, which the runner seeds and saves.
        """
        if not self.ends.shape[1]:
            return made.nodes.sum() * 0.0
        device = made.nodes.device
        pick = torch.randint(self.ends.shape[1], (self.sample,), device=device)
        subject, true = self.ends[0, pick], self.ends[1, pick]
        false = torch.randint(made.nodes.shape[0], (self.sample,), device=device)
        half = self.decoder(made.nodes[subject], self.kinds[pick])
        scale = made.nodes.shape[1] ** 0.5
        right = (half * made.nodes[true]).sum(-1) / scale
        wrong = (half * made.nodes[false]).sum(-1) / scale
        return 0.5 * (F.softplus(-right) + F.softplus(wrong)).mean()
