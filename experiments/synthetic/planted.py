"""Studies without images whose labels depend on edges of the graph, or on pairs without edges.

Two worlds that test an ablation of the graph. In both:

1. A sign is a concept with edges to exactly one finding of NIH-14, by one of `TIES`; findings with
   fewer than `FEWEST` signs are not in the world and their labels are not stated.
2. Each sign holds in a study by itself, `MENTIONS` of them on average; the indication states them.
3. A finding is there with `1 - (1 - RATE) * (1 - strength) ** k`, `k` = its signs that hold.

In `planted` the indication states the signs that hold, so each sign supports the finding of its
edge. In `unplanted` the very same studies, labels included, are written with every sign under the
name of a sign of another finding: each sign supports a finding without an edge to it as strongly.

Each sign is stated in few studies, so learning sign by sign takes many studies, while a model that
knows the edges needs few: one rule then holds for all signs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from encoders.study import Stated
from experiments.synthetic.canvas import stream
from experiments.synthetic.person import meet
from experiments.synthetic.repertoire import LABELS, NO_FINDING
from experiments.synthetic.rules import Rules
from experiments.synthetic.truth import Truth, written
from experiments.synthetic.writer import Writer
from kg.errors import InputError
from kg.model.edges import RELATIONS
from kg.model.graph import KnowledgeGraph

TIES = (
    *("co_occurs_with", "suggestive_of", "has_phenotype"),
    *("causes_condition", "causes_or_contributes_to"),
)
"""Relations between a sign and its finding."""
FEWEST = 3
MENTIONS = 4
"""Signs that hold in a study, on average."""
RATE = 0.05
"""Frequency of a finding without any of its signs."""
SET = "nih14"

Signs = Mapping[str, tuple[str, ...]]


def signs_of(graph: KnowledgeGraph) -> Signs:
    """The signs of each finding of the world, in the order of ids.

    Raises:
        InputError: If fewer than two findings have signs of their own.
    """
    findings = [name for name in LABELS[SET][1] if name != NO_FINDING and name in graph.index]
    near: dict[str, set[str]] = defaultdict(set)
    tied: set[str] = set()
    for finding in findings:
        for edge in graph.edges_of(finding):
            other = edge.object if edge.subject == finding else edge.subject
            if not RELATIONS[edge.relation].bookkeeping:
                near[other].add(finding)
            if edge.relation in TIES:
                tied.add(other)
    own: dict[str, list[str]] = defaultdict(list)
    for sign in sorted(tied - set(LABELS[SET][1])):
        if len(near[sign]) == 1:
            own[min(near[sign])].append(sign)
    kept = {finding: tuple(own[finding]) for finding in findings if len(own[finding]) >= FEWEST}
    if len(kept) < 2:
        raise InputError(
            f"{graph.name}: fewer than two findings of {SET} have {FEWEST} signs of their own",
            "sample through a graph with more edges, such as the shipped one",
        )
    return kept


def graph_of(graph: KnowledgeGraph) -> KnowledgeGraph:
    """Subgraph of the worlds: findings, their signs, the edges between."""
    signs = signs_of(graph)
    owner = {sign: finding for finding, several in signs.items() for sign in several}
    kept = {*owner, *LABELS[SET][1]} & set(graph.index)
    edges = tuple(
        edge
        for edge in graph.edges
        if edge.relation in TIES
        and (owner.get(edge.subject) == edge.object or owner.get(edge.object) == edge.subject)
    )
    return replace(
        graph,
        name=f"{graph.name}, planted",
        concepts=tuple(concept for concept in graph.concepts if concept.id in kept),
        edges=edges,
        label_sets=tuple(one for one in graph.label_sets if one.name == SET),
    )


def planted_truths(rules: Rules, graph: KnowledgeGraph) -> Iterator[Truth]:
    """The studies of the world that the rules name, one patient each.

    Args:
        rules: Number of studies, seed, world and strength.
        graph: Graph whose edges tie signs to findings.
    """
    signs = signs_of(graph)
    pool = sorted(sign for several in signs.values() for sign in several)
    names = {sign: sign for sign in pool}
    if rules.world == "unplanted":
        names = _renamed(signs, stream(rules.seed, "renamed"))
    labels = {concept.id: concept.label for concept in graph.concepts}
    for number in range(1, rules.studies + 1):
        study = f"S{number:05d}"
        rng = stream(rules.seed, "planted", study)
        holds = [sign for sign in pool if rng.random() < MENTIONS / len(pool)]
        stated: dict[str, Stated] = {}
        for finding, several in signs.items():
            counted = sum(sign in several for sign in holds)
            chance = 1 - (1 - RATE) * (1 - rules.strength) ** counted
            stated[finding] = "present" if rng.random() < chance else "absent"
        written_signs = [names[sign] for sign in holds]
        report = Writer()
        report.passage(
            "indication", [(f"<{labels[one]}>.", [(one, "present")]) for one in written_signs]
        )
        person = meet(f"P{number:05d}", rng)
        true = {finding for finding, said in stated.items() if said == "present"}
        yield {
            "study": study,
            "patient": person.patient,
            "sex": person.sex,
            "age": person.age,
            "modality": "cxr",
            "world": rules.world,
            "disease": None,
            "true": sorted(true.union(written_signs)),
            "findings": [],
            "symptoms": [],
            "edges": [],
            "images": [],
            "report": written(report),
            "dialogue": written(Writer()),
            "labels": {SET: stated},
        }


def _renamed(signs: Signs, rng: np.random.Generator) -> dict[str, str]:
    """Another name for each sign, none that of a sign of its own finding, all used once."""
    owner = {sign: finding for finding, several in signs.items() for sign in several}
    pool = sorted(owner)
    if 2 * max(map(len, signs.values())) > len(pool):
        raise InputError(
            "one finding has more than half of all signs: they cannot be renamed",
            "sample through a graph with more edges, such as the shipped one",
        )
    names = [pool[place] for place in rng.permutation(len(pool))]
    while clashes := [i for i, sign in enumerate(pool) if owner[sign] == owner[names[i]]]:
        one, other = clashes[0], int(rng.integers(len(pool)))
        names[one], names[other] = names[other], names[one]
    return dict(zip(pool, names, strict=True))
