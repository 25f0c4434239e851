"""Held-out findings: removal of zero-shot findings from training.

Two levels. `labels`: only the finding's label column is removed from training. `concept`: the
finding, its exact matches and everything narrower are also removed from concept supervision, from
the text and statements of training, and from evidence mined from data. Names and assertions of
sources stay, for zero-shot prediction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.config.schema import HoldOut
from experiments.records.record import GraphUse
from kg.errors import InputError, did_you_mean
from kg.model.edges import Evidence
from kg.model.graph import KnowledgeGraph, LabelSet

__all__ = ["NOTHING_HELD", "Held", "deal", "equivalents", "hold_out", "without_mined"]


@dataclass(frozen=True)
class Held:
    """Findings and concepts held out of training.

    Args:
        findings: Findings of the label set that are not trained, in the set's order.
        masked: Concepts removed from training altogether; none at the level `labels`.
    """

    findings: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()


NOTHING_HELD = Held()


def deal(findings: Sequence[str], rotations: int) -> list[tuple[str, ...]]:
    """Divide findings into groups by the hash of their ids, so that nobody chooses them.

    Args:
        findings: Concept ids, in any order.
        rotations: Number of groups.
    """
    order = sorted(findings, key=lambda one: hashlib.sha256(one.encode()).hexdigest())
    return [tuple(order[start::rotations]) for start in range(rotations)]


def hold_out(
    section: HoldOut | None,
    findings: Sequence[str],
    label_set: LabelSet,
    graph: KnowledgeGraph,
) -> Held:
    """Findings that a configuration holds out of training.

    At the level `concept` a finding of the set that is narrower than a held one, or means the
    same, is held with it. Rotations divide the whole set, whichever of it a data set can train;
    `no finding` is never held out: it is about all others.

    Args:
        section: The section of the configuration; None = nothing is held out.
        findings: Findings with enough positives to be trained.
        label_set: Their label set.
        graph: The run's graph.

    Raises:
        InputError: If a finding is not in the set, the set is exclusive, or nothing is left.
    """
    if section is None:
        return NOTHING_HELD
    if label_set.exclusive:
        raise InputError(
            f"hold_out: the findings of {label_set.name} exclude each other",
            "without one of them the others mean something else: choose another label set",
        )
    chosen = _chosen(section, findings, label_set)
    if not chosen:
        raise InputError(
            f"hold_out: rotation {section.rotation} holds out no finding that would be trained",
            "choose another rotation, or lower data.at_least",
        )
    masked: frozenset[str] = frozenset()
    if section.level == "concept":
        masked = frozenset(name for one in chosen for name in _same_or_narrower(graph, one))
    held = tuple(one for one in findings if one in chosen or one in masked)
    if set(findings) <= {*held, label_set.no_finding}:
        raise InputError("hold_out: no finding is left to train", "hold fewer findings out")
    return Held(held, masked)


def without_mined(
    graph: KnowledgeGraph, use: GraphUse, masked: frozenset[str]
) -> tuple[KnowledgeGraph, GraphUse]:
    """The graph without evidence mined from data on masked concepts, and the record of it.

    Args:
        graph: The run's graph.
        use: Record of what was left out of it before.
        masked: Concepts removed from training; without any, graph and record stay.
    """
    if not masked:
        return graph, use
    edges = []
    for edge in graph.edges:
        if masked.isdisjoint((edge.subject, edge.object)):
            edges.append(edge)
            continue
        left = tuple(item for item in edge.evidence if not _mined(item))
        if left:
            edges.append(replace(edge, evidence=left))
    cut = graph.with_edges(edges)
    note = f"mined evidence on {len(masked)} held-out concepts"
    return cut, replace(
        use, fingerprint=cut.fingerprint, edges=len(cut.edges), left_out=(*use.left_out, note)
    )


def equivalents(graph: KnowledgeGraph, concept: str) -> tuple[str, ...]:
    """The concept and its exact matches, over any number of steps."""
    equal, queue = {concept: None}, [concept]
    while queue:
        for edge in graph.edges_of(queue.pop(0), "exact_match"):
            for end in (edge.subject, edge.object):
                if end not in equal:
                    equal[end] = None
                    queue.append(end)
    return tuple(equal)


def _chosen(section: HoldOut, findings: Sequence[str], label_set: LabelSet) -> tuple[str, ...]:
    """Named findings, or those of the rotation."""
    if section.rotation is not None:
        if section.findings or not 0 <= section.rotation < section.rotations:
            raise InputError(
                f"hold_out: rotation {section.rotation} of {section.rotations}",
                "name either findings, or a rotation from 0 to rotations - 1",
            )
        dealt = [one for one in label_set.findings if one != label_set.no_finding]
        group = deal(dealt, section.rotations)[section.rotation]
        return tuple(one for one in findings if one in group)
    unknown = [one for one in section.findings if one not in findings]
    if unknown or not section.findings:
        raise InputError(
            f"hold_out: {unknown[0] if unknown else 'nothing'} is not a finding that is trained",
            did_you_mean(unknown[0], findings) if unknown else "name findings, or a rotation",
        )
    return section.findings


def _same_or_narrower(graph: KnowledgeGraph, finding: str) -> tuple[str, ...]:
    """The finding, its exact matches, and everything narrower than one of them."""
    members, queue = {finding: None}, [finding]
    while queue:
        here = queue.pop(0)
        for near in (*equivalents(graph, here), *graph.descendants(here)):
            if near not in members:
                members[near] = None
                queue.append(near)
    return tuple(members)


def _mined(item: Evidence) -> bool:
    return item.status == "mined" or item.dataset is not None
