"""Graph of a run: left-out evidence, structure under a control, and concept vectors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import normalize

from encoders.graph_arrays import CLINICAL
from encoders.names import name_vectors
from experiments.config.schema import GraphSection
from experiments.records.atomic import atomic_path
from experiments.records.record import GraphUse
from kg.controls.graph_controls import (
    emptied,
    noise,
    shuffled,
    without_dataset,
    without_evidence,
    without_relation,
    without_source,
)
from kg.files.store import load, load_shipped
from kg.model.concepts import Concept
from kg.model.graph import KnowledgeGraph

__all__ = [
    "Graphs",
    "choose_graph",
    "concept_vectors",
    "concepts_of",
    "split_triples",
    "structure_of",
]


@dataclass(frozen=True)
class Graphs:
    """The graph of a run for reading text, and its structure for the system.

    Args:
        known: Graph for linking text and for supervision.
        structure: The same concepts, possibly with other edges.
        vectors: Frozen concept vectors `[N, D]`.
    """

    known: KnowledgeGraph
    structure: KnowledgeGraph
    vectors: Tensor


def choose_graph(
    section: GraphSection, test_names: tuple[str, ...], brought: tuple[Concept, ...] = ()
) -> tuple[KnowledgeGraph, GraphUse]:
    """The graph for reading text, and the record of what was left out of it.

    Args:
        section: The graph section of the configuration.
        test_names: Names of the test data in the graph's evidence; they are left out unless the
            section keeps them.
        brought: Concepts of the data set's labels that the graph may lack.

    Raises:
        InputError: If the graph or a source does not exist.
    """
    graph = (
        load_shipped()
        if section.source == "shipped"
        else load(Path(section.source), allow_edited=section.allow_edited)
    )
    if new := tuple(concept for concept in brought if concept.id not in graph.index):
        graph = replace(graph, concepts=(*graph.concepts, *new))
    datasets = () if section.keep_test_data else test_names
    if datasets:
        graph = without_dataset(graph, datasets)
    for name in section.leave_out:
        known = {item.dataset for edge in graph.edges for item in edge.evidence}
        graph = without_dataset(graph, [name]) if name in known else without_source(graph, name)
    use = GraphUse(
        name=graph.name,
        fingerprint=graph.fingerprint,
        concepts=len(graph.concepts),
        edges=len(graph.edges),
        left_out=(*datasets, *section.leave_out),
        keeps_test_data=section.keep_test_data,
        allow_edited=section.allow_edited,
    )
    return graph, use


def concepts_of(dataset: object) -> tuple[Concept, ...]:
    """Concepts of its labels that a data set brings; none for one without."""
    brought: tuple[Concept, ...] = getattr(dataset, "concepts", ())
    return brought


def structure_of(
    section: GraphSection, graph: KnowledgeGraph, use: GraphUse
) -> tuple[KnowledgeGraph, GraphUse]:
    """The graph for the system: the same concepts, with the edges of the section.

    Args:
        section: The graph section of the configuration.
        graph: The graph for reading text.
        use: Record of what was left out of it.

    Raises:
        InputError: If a relation or source does not exist.
    """
    structure, generator = graph, np.random.default_rng(section.seed)
    for relation in section.drop_relations:
        structure = without_relation(structure, relation)
    for name in section.drop_sources:
        structure = without_evidence(structure, name)
    changed = 0.0
    if section.control == "shuffled":
        structure, changed = shuffled(structure, generator)
    elif section.control == "noisy":
        structure, changed = noise(structure, section.noise, generator), section.noise
    elif section.control == "emptied":
        structure, changed = emptied(structure), 1.0
    return structure, replace(
        use,
        name=structure.name,
        fingerprint=structure.fingerprint,
        edges=len(structure.edges),
        left_out=(*use.left_out, *section.drop_relations, *section.drop_sources),
        control=section.control,
        changed=changed,
    )


def concept_vectors(section: GraphSection, structure: KnowledgeGraph, cache: Path) -> Tensor:
    """Frozen vectors of the concepts, `[N, width]`, each of length 1."""
    if section.vectors == "random":
        generator = torch.Generator().manual_seed(section.seed)
        vectors = torch.randn(len(structure.concepts), section.width, generator=generator)
        return normalize(vectors, dim=1)
    if section.vectors in ("complex", "transe"):
        return _learned(structure, section, cache / "links")
    return name_vectors(structure, section.encoder, section.width, folder=cache / "names")


def split_triples(graph: KnowledgeGraph, seed: int) -> tuple[Tensor, Tensor]:
    """Clinical edges that a system may learn, and one in ten that it never sees.

    All edges between two concepts are on one side. Relations of other vocabularies are left out.

    Args:
        graph: The graph for the system.
        seed: Seed of the draw.

    Returns:
        Subject, relation (of `encoders.graph_arrays.CLINICAL`) and object of each, `[E, 3]` both;
        empty where the graph has no edges.
    """
    from experiments.link_prediction.triples import from_graph

    if not any(edge.relation in CLINICAL for edge in graph.edges):
        return torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, 3, dtype=torch.long)
    triples = from_graph(graph, seed=seed, share=0.05)
    known = torch.tensor(
        [CLINICAL.index(name) if name in CLINICAL else -1 for name in triples.relations]
    )

    def of(*splits: NDArray[np.int64]) -> Tensor:
        rows = torch.from_numpy(np.concatenate(splits))
        rows[:, 1] = known[rows[:, 1]]
        return rows[rows[:, 1] >= 0]

    return of(triples.train), of(triples.valid, triples.test)


def _learned(graph: KnowledgeGraph, section: GraphSection, folder: Path) -> Tensor:
    """ComplEx or TransE vectors of the clinical edges, as by `graph embed`, cached."""
    from experiments.link_prediction.fit import embedded, fit
    from experiments.link_prediction.ranking import known_answers
    from experiments.link_prediction.study import PLAIN, settings
    from experiments.link_prediction.triples import from_graph

    decoder, width, seed = section.vectors, section.width, section.seed
    options = settings(PLAIN, decoder, [f"width={width}"])
    triples = from_graph(graph, seed=seed)
    kept = folder / f"{decoder}-{graph.fingerprint[:32]}-{width}-{seed}.safetensors"
    if not kept.is_file():
        state = torch.random.get_rng_state()
        fitted = fit(triples, known_answers(triples), options, seed=seed)
        torch.random.set_rng_state(state)  # a run is the same whether vectors were cached or not
        kept.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(kept) as temporary:
            save_file({"nodes": embedded(fitted.model, triples)}, temporary)
    nodes = load_file(kept)["nodes"]
    place = {name: row for row, name in enumerate(triples.concepts)}
    vectors = torch.zeros(len(graph.concepts), width)
    for row, concept in enumerate(graph.concepts):
        if concept.id in place:
            vectors[row] = nodes[place[concept.id]]
    return normalize(vectors, dim=1)
