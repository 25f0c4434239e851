"""Hierarchy: penalty where a narrower finding is likelier than the wider one it entails."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from encoders.batch import StudyBatch
from fusion.objectives import Forward
from fusion.system import Setting
from kg.model.edges import GROUPED_UNDER
from kg.options import Options as PartOptions

__all__ = ["Hierarchy"]


class Hierarchy(nn.Module):
    """Mean excess of P(child) over P(parent) along `is_a`, and along the label set's own groups.

    Pairs are taken among the findings and the supervised concepts.
    """

    class Options(PartOptions):
        """Options of the objective.

        Args:
            label_set: Name of the label set whose `grouped_under` edges count too; empty = none.
        """

        label_set: str = ""

    child: Tensor
    parent: Tensor

    def __init__(self, options: Options, *, setting: Setting, width: int) -> None:
        super().__init__()
        self.exclusive = setting.exclusive
        concepts = [*setting.findings, *setting.supervised]
        place = {concept: index for index, concept in reversed(list(enumerate(concepts)))}
        pairs = {
            (place[concept], place[wider])
            for concept in place
            for wider in wider_concepts(setting, concept, options.label_set)
            if wider in place
        }
        both = torch.tensor(sorted(pairs), dtype=torch.long).reshape(-1, 2)
        self.register_buffer("child", both[:, 0], persistent=False)
        self.register_buffer("parent", both[:, 1], persistent=False)

    def forward(self, output: Forward, batch: StudyBatch) -> Tensor:
        """Mean excess over pairs and studies, in probability; zero without pairs."""
        # exclusive findings share one probability, as in their prediction
        findings = output.logits.softmax(1) if self.exclusive else output.logits.sigmoid()
        chance = torch.cat([findings, output.concept_logits.sigmoid()], 1)
        if not len(self.child):
            return chance.sum() * 0.0
        return (chance[:, self.child] - chance[:, self.parent]).relu().mean()


def wider_concepts(setting: Setting, concept: str, label_set: str) -> tuple[str, ...]:
    """Concepts that `concept` entails, and its groups in the label set."""
    filed = tuple(
        edge.object
        for edge in setting.graph.edges_of(concept, GROUPED_UNDER)
        if edge.subject == concept and label_set and edge.label_set == label_set
    )
    return (*setting.graph.ancestors(concept), *filed)
