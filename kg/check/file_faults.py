"""Rules about the records of a file: faults that make no graph, and edits after the build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from kg.check.faults import Fault, fault
from kg.errors import InputError, did_you_mean
from kg.model.edges import RELATIONS, is_curie
from kg.model.graph import KnowledgeGraph
from kg.model.records import Records


def file_faults(records: Records) -> list[Fault]:
    """Faults of the records that a `KnowledgeGraph` would refuse, and later edits."""
    left_out = (fault("malformed_record", *one) for one in records.malformed)
    return [*left_out, *_concepts(records), *_edges(records), *_edited(records)]


def usable(records: Records) -> KnowledgeGraph:
    """The graph of the usable records: the first of duplicates, no broken edges."""
    concepts = {concept.id: concept for concept in reversed(records.concepts)}
    edges = {
        edge.key: edge
        for edge in reversed(records.edges)
        if edge.evidence
        and (edge.relation in RELATIONS or is_curie(edge.relation))
        and edge.subject in concepts
        and edge.object in concepts
    }
    kept = replace(records, concepts=list(concepts.values()), edges=list(edges.values()))
    return kept.graph()


def _concepts(records: Records) -> Iterator[Fault]:
    for name, count in Counter(concept.id for concept in records.concepts).items():
        if count > 1:
            yield fault("duplicate_id", name, f"is the id of {count} concepts")


def _edges(records: Records) -> Iterator[Fault]:
    there = {concept.id for concept in records.concepts}
    seen: Counter[tuple[str, str, str, str]] = Counter()
    for edge in records.edges:
        about = f"{edge.subject} {edge.relation} {edge.object}"
        seen[edge.key] += 1
        if seen[edge.key] == 2:
            yield fault("duplicate_edge", about, "is written more than once")
        if edge.relation not in RELATIONS and not is_curie(edge.relation):
            hint = did_you_mean(edge.relation, RELATIONS)
            yield fault("unknown_relation", about, f"there is no {edge.relation}", mend=hint)
        for end in (edge.subject, edge.object):
            if end not in there:
                yield fault("dangling_id", about, f"there is no concept {end}")
        if not edge.evidence:
            yield fault("no_evidence", about, "rests on nothing")
    for triple in records.bare:
        yield fault("no_evidence", " ".join(triple), "is a triple without a statement about it")


def _edited(records: Records) -> Iterator[Fault]:
    found = {
        "concepts": len(records.concepts),
        "edges": len(records.edges),
        "label_sets": len(records.label_sets),
    }
    for plural, count in records.counts.items():
        if found[plural] != count:
            message = f"holds {found[plural]} {plural}, was written with {count}"
            yield fault("edited_after_build", records.name, message)
            return
    if records.fingerprint and records.fingerprint != _fingerprint(records):
        message = f"is no longer the graph {records.fingerprint[:12]} that was written"
        yield fault("edited_after_build", records.name, message)


def _fingerprint(records: Records) -> str:
    try:
        return records.graph().fingerprint
    except InputError:
        return "none: no graph was written so"
