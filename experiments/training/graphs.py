"""Which graph a run uses: source, what is left out of it, controls, and its concept vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from encoders.names import name_vectors
from experiments.config.schema import GraphSection
from experiments.records.record import GraphUse
from kg.graph import KnowledgeGraph
from kg.rewire import emptied, shuffled, without_dataset, without_relation, without_source
from kg.store import load, load_shipped

__all__ = ["choose_graph", "concept_vectors"]


def choose_graph(
    section: GraphSection, test_names: tuple[str, ...]
) -> tuple[KnowledgeGraph, GraphUse]:
    """The graph of a run and the proof of what is not in it.

    Args:
        section: The graph section of the configuration.
        test_names: Names under which the data under test stand in the graph's evidence; they
            are left out unless the section keeps them.

    Raises:
        InputError: If the graph, a source or a relation does not exist.
    """
    graph = load_shipped() if section.source == "shipped" else load(Path(section.source))
    datasets = () if section.keep_test_data else test_names
    if datasets:
        graph = without_dataset(graph, datasets)
    for name in section.leave_out:
        known = {item.dataset for edge in graph.edges for item in edge.evidence}
        graph = without_dataset(graph, [name]) if name in known else without_source(graph, name)
    for relation in section.drop_relations:
        graph = without_relation(graph, relation)
    if section.control == "shuffled":
        graph = shuffled(graph, np.random.default_rng(section.seed)).graph
    elif section.control == "emptied":
        graph = emptied(graph)
    use = GraphUse(
        name=graph.name,
        fingerprint=graph.fingerprint,
        concepts=len(graph.concepts),
        edges=len(graph.edges),
        left_out=(*datasets, *section.leave_out, *section.drop_relations),
        control=section.control,
        keeps_test_data=section.keep_test_data,
    )
    return graph, use


def concept_vectors(section: GraphSection, graph: KnowledgeGraph, cache: Path) -> Tensor:
    """Frozen vectors of the concepts, `[N, D]`: from their names, or random of equal size."""
    if section.vectors == "random":
        generator = torch.Generator().manual_seed(section.seed)
        made = torch.randn(len(graph.concepts), section.width, generator=generator)
        return torch.nn.functional.normalize(made, dim=1)
    return name_vectors(graph, section.encoder, section.width, folder=cache / "names")
