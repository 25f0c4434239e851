"""Label ontology: which labels entail or exclude each other by the graph."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kg.controls.graph_controls import swap_ends
from kg.model.graph import KnowledgeGraph

__all__ = ["entailed", "excluded", "shuffled_pairs"]


def entailed(graph: KnowledgeGraph, labels: tuple[str, ...], along: tuple[str, ...]) -> Tensor:
    """True where the label of the row entails that of the column, as each does itself, `[C, C]`."""
    wider = [(label, *graph.ancestors(label, along)) for label in labels]
    return torch.tensor([[label in found for label in labels] for found in wider]).bool()


def excluded(graph: KnowledgeGraph, labels: tuple[str, ...]) -> Tensor:
    """True where two labels cannot hold together, `[C, C]`.

    That is where they, or what they are a kind of, are `disjoint_with` each other; and where one
    says that none of the others holds.
    """
    apart = {(e.subject, e.object) for e in graph.edges if e.relation == "disjoint_with"}
    apart |= {(there, here) for here, there in apart}
    wider = {label: (label, *graph.ancestors(label)) for label in labels}
    none = {one.no_finding for one in graph.label_sets} - {None}
    beside = {name for one in graph.label_sets for name in one.with_no_finding}

    def exclude(here: str, there: str) -> bool:
        if here in none or there in none:
            return here != there and not {here, there} & beside
        return any((a, b) in apart for a in wider[here] for b in wider[there])

    return torch.tensor([[exclude(here, there) for there in labels] for here in labels]).bool()


def shuffled_pairs(
    pairs: Tensor, generator: np.random.Generator, *, symmetric: bool = False
) -> Tensor:
    """As many pairs of other labels, `[C, C]`; each label has as many in its row and its column.

    Args:
        pairs: True where two labels are a pair, `[C, C]`; a label with itself stays one.
        generator: Draws which labels.
        symmetric: Whether a pair has no direction.
    """
    itself = torch.eye(len(pairs), dtype=torch.bool, device=pairs.device) & pairs
    between = (pairs & ~itself).triu() if symmetric else pairs & ~itself
    ends = [(str(here), str(there)) for here, there in between.nonzero().tolist()]
    made = itself.clone()
    for here, there in swap_ends(ends, symmetric, generator):
        made[int(here), int(there)] = True
    return made | made.T if symmetric else made
