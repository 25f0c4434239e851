"""Evidence of a study: one assertion for each concept, and its consequences by `is_a`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kg.mentions.statement import Assertion, Statement
from kg.model.graph import KnowledgeGraph

_ABNORMAL = ("finding", "disease")

_STRENGTH: dict[Assertion, int] = {"absent": 0, "uncertain": 1, "present": 2}


def study_evidence(statements: Iterable[Statement], graph: KnowledgeGraph) -> dict[str, Assertion]:
    """One assertion for each concept that was stated; a concept not in it was not stated.

    Where several statements speak of one concept, present beats uncertain and uncertain beats
    absent: a report that denies a finding on one side and states it on the other states it. A
    normal study (`no acute disease`) is dropped where a finding or disease is present: most such
    sentences only say that nothing is new.
    """
    evidence: dict[str, Assertion] = {}
    for statement in statements:
        concept, said = statement.concept, statement.assertion
        if concept not in graph.index:
            continue
        if concept not in evidence or _STRENGTH[said] > _STRENGTH[evidence[concept]]:
            evidence[concept] = said
    kinds = {concept: graph.concept(concept).kind for concept in evidence}
    if any(said == "present" and kinds[c] in _ABNORMAL for c, said in evidence.items()):
        return {c: said for c, said in evidence.items() if kinds[c] != "normality"}
    return evidence


def expanded(evidence: Mapping[str, Assertion], graph: KnowledgeGraph) -> dict[str, Assertion]:
    """The evidence with every wider concept of a present one present too (by `is_a` alone)."""
    wider = {
        ancestor
        for concept, said in evidence.items()
        if said == "present"
        for ancestor in graph.ancestors(concept)
    }
    return {**evidence, **dict.fromkeys(sorted(wider), "present")}
