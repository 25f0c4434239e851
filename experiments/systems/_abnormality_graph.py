"""Abnormality graph of Zhang 2020: root, organs and findings, its adjacency and its controls.

Reference: Zhang: When Radiology Report Generation Meets Knowledge Graph, AAAI 2020,
arXiv 2002.08277; findings and organs as in the code derived from theirs (bionlplab).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from kg.controls.graph_controls import swap_ends
from kg.model.edges import IS_A
from kg.model.graph import KnowledgeGraph

__all__ = ["FINDINGS", "NODES", "Arm", "Degrees", "adjacency", "node_of", "normalised"]

Node = tuple[str, ...]
"""Concepts that one node stands for; none = any other finding."""

ORGANS: Mapping[str, tuple[Node, ...]] = {
    "heart": (("ckg:cardiomegaly",),),
    "spine": (("ckg:scoliosis",),),
    "pleura": (("ckg:pleural_effusion",), ("ckg:pleural_thickening",), ("ckg:pneumothorax",)),
    "bone": (("ckg:fracture",),),
    "lung": (
        ("ckg:emphysema",),
        ("ckg:pneumonia", "ckg:infiltrate", "ckg:consolidation"),
        ("ckg:pulmonary_edema",),
        ("ckg:atelectasis",),
        ("ckg:scar",),
        ("ckg:lung_opacity",),
        ("ckg:lung_lesion",),
    ),
    "mediastinum": (("ckg:hiatal_hernia",), ("ckg:calcification",)),
    "airspace": (("ckg:airspace_opacity",), ("ckg:hypoinflation",)),
}
"""Findings of each organ."""
WITHOUT_ORGAN: tuple[Node, ...] = (("ckg:no_finding",), ("ckg:support_devices",), ())
FINDINGS = (*(node for nodes in ORGANS.values() for node in nodes), *WITHOUT_ORGAN)
FIRST = 1 + len(ORGANS)
"""Place of the first finding among the nodes: root, organs, findings."""
NODES = FIRST + len(FINDINGS)

Arm = Literal["organs", "no_edges", "shuffled", "random_order", "none"]
Degrees = Literal["ends", "rows"]


def adjacency(arm: Arm, generator: np.random.Generator) -> Tensor:
    """True from row to column, `[K, K]`: root to all, organ to finding, finding to finding.

    Args:
        arm: Which graph.
        generator: Draws what is random in it.
    """
    if arm in ("no_edges", "none"):
        return torch.eye(NODES)
    organ = [place for place, nodes in enumerate(ORGANS.values(), 1) for _ in nodes]
    own = [*organ, *[0] * len(WITHOUT_ORGAN)]
    down = [(str(at), str(FIRST + f)) for f, at in enumerate(own) if at]
    beside = [
        (str(FIRST + f), str(FIRST + g))
        for f in range(len(organ))
        for g in range(f + 1, len(organ))
        if organ[f] == organ[g]
    ]
    if arm == "shuffled":
        down, beside = swap_ends(down, False, generator), swap_ends(beside, True, generator)
    edges = torch.zeros(NODES, NODES)
    edges[0, 1:] = 1.0
    for here, there in (*down, *beside, *((b, a) for a, b in beside)):
        edges[int(here), int(there)] = 1.0
    if arm == "random_order":
        order = np.arange(NODES)
        order[FIRST:] = FIRST + generator.permutation(NODES - FIRST)
        edges = edges[order][:, order]
    return edges


def normalised(edges: Tensor, degrees: Degrees = "ends") -> Tensor:
    """Edges `[K, K]` divided by the roots of the degrees of their ends."""
    out, into = edges.sum(1), edges.sum(0 if degrees == "ends" else 1)
    scale = out[:, None] * into[None]
    return torch.where(scale > 0, edges / scale.clamp_min(1).sqrt(), 0.0)


def node_of(graph: KnowledgeGraph, finding: str) -> int:
    """Place of the node that a finding is read from."""
    known = {concept: place for place, node in enumerate(FINDINGS, FIRST) for concept in node}
    wider = graph.ancestors(finding, (IS_A, "grouped_under"))
    return next((known[name] for name in (finding, *wider) if name in known), NODES - 1)
