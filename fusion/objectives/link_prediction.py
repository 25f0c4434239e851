"""Link prediction: loss that separates true edges of the graph from corrupted ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from encoders.batch import StudyBatch
from encoders.decoders.distmult import DistMult
from encoders.graph_arrays import graph_tensors
from fusion.objectives import Forward
from fusion.system import Setting
from kg.bounds import Count
from kg.options import Options as PartOptions

__all__ = ["LinkPrediction"]


class LinkPrediction(nn.Module):
    """Cross-entropy of DistMult scores of sampled edges against corrupted ones.

    Corrupted edges replace the object uniformly; those that happen to be true are rare enough to
    be left in.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            edges: Edges sampled in a step.
        """

        edges: Count = 256

    ends: Tensor
    kinds: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.sample = options.edges
        ends, kinds, _, relations = graph_tensors(setting.graph)
        self.register_buffer("ends", ends, persistent=False)
        self.register_buffer("kinds", kinds, persistent=False)
        self.decoder = DistMult(DistMult.Options(), width=width, relations=relations)

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean loss over true and false edges; zero on a graph without edges.

        The draws use torch's default generator, which the runner seeds and saves.
        """
        if not self.ends.shape[1]:
            return output.nodes.sum() * 0.0
        device = output.nodes.device
        pick = torch.randint(self.ends.shape[1], (self.sample,), device=device)
        subject, true = self.ends[0, pick], self.ends[1, pick]
        false = torch.randint(output.nodes.shape[0], (self.sample,), device=device)
        half = self.decoder(output.nodes[subject], self.kinds[pick])
        scale = output.nodes.shape[1] ** 0.5
        right = (half * output.nodes[true]).sum(-1) / scale
        wrong = (half * output.nodes[false]).sum(-1) / scale
        return 0.5 * (F.softplus(-right) + F.softplus(wrong)).mean()
