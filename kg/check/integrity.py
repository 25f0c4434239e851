"""Rules of integrity: each searches a graph for one kind of fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from kg.check.faults import Fault, fault
from kg.model.edges import GROUPED_UNDER, IS_A, MEMBER_OF, RELATIONS, Edge, is_curie
from kg.model.graph import KnowledgeGraph, LabelSet

INVERSES = {"part_of": "has_part"}
ONE_WAY = frozenset({
    "located_in", "disease_has_location", "has_phenotype", "has_symptom", "has_pathogen",
    "seen_on_modality", "criterion_of", "category_of", "higher_suspicion_than",
})  # fmt: skip
"""Relations that cannot hold in both directions, and that no cycle rule covers."""

RANGES = {"located_in": "anatomy", "seen_on_modality": "modality", MEMBER_OF: "label_set"}
DOMAINS: dict[str, tuple[str, ...]] = {
    "located_in": ("finding", "disease", "device", "procedure", "symptom", "normality"),
}
ABNORMAL_KINDS = ("finding", "disease")


def self_loops(graph: KnowledgeGraph) -> Iterator[Fault]:
    """No edge leads from a concept to itself."""
    for edge in graph.edges:
        if edge.subject == edge.object:
            yield fault("self_loop", _named(edge), "leads to itself")


def cycles(graph: KnowledgeGraph) -> Iterator[Fault]:
    """`is_a` and `part_of` are acyclic."""
    for relation in (IS_A, "part_of"):
        pairs = [(e.subject, e.object) for e in graph.edges if e.relation == relation]
        for concept in _on_cycles(graph, pairs):
            yield fault(f"{relation}_cycle", concept, f"is its own ancestor by {relation}")


def grouping_cycles(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Groupings of a label set, together with entailment, are acyclic."""
    grouped: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for edge in graph.edges:
        if edge.relation == GROUPED_UNDER:
            grouped[edge.label_set].append((edge.subject, edge.object))
    if not grouped:
        return
    entailed = [(e.subject, e.object) for e in graph.edges if e.relation == IS_A]
    known = set(_on_cycles(graph, entailed))
    for name, pairs in grouped.items():
        for concept in _on_cycles(graph, [*entailed, *pairs]):
            if concept not in known:
                message = f"is its own ancestor by is_a and the convention of {name}"
                yield fault("grouping_cycle", concept, message)


def directions(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Edges stated in both directions: symmetric ones, inverses, and relations of one direction."""
    keys = {edge.key for edge in graph.edges}
    for edge in graph.edges:
        subject, relation, target, label_set = edge.key
        if relation in INVERSES and (target, INVERSES[relation], subject, label_set) in keys:
            message = f"is stated again as {INVERSES[relation]}"
            yield fault("inverse_edge", _named(edge), message)
        if subject < target and (target, relation, subject, label_set) in keys:
            if RELATIONS[relation].symmetric:
                yield fault("double_edge", _named(edge), "stands in both directions")
            elif relation in ONE_WAY:
                yield fault("both_ways", _named(edge), "is stated in both directions")


def no_finding_disjoint(graph: KnowledgeGraph) -> Iterator[Fault]:
    """No Finding is disjoint with every abnormality of its label set, and below none of them."""
    apart = {
        frozenset((edge.subject, edge.object))
        for edge in graph.edges
        if edge.relation == "disjoint_with"
    }
    for one in graph.label_sets:
        if one.no_finding is None or one.exclusive:
            continue
        for finding in _abnormal(graph, one):
            if frozenset((one.no_finding, finding)) not in apart:
                message = f"{one.name}: may hold beside {one.no_finding}"
                yield fault("no_finding_not_disjoint", finding, message)


def disjoint_kin(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Disjoint concepts are not one below the other."""
    for edge in graph.edges:
        if edge.relation == "disjoint_with":
            above = {edge.subject, *graph.ancestors(edge.subject)}
            below = {edge.object, *graph.ancestors(edge.object)}
            if edge.subject in below or edge.object in above:
                yield fault("disjoint_kin", _named(edge), "one is a kind of the other")


def label_sets_complete(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Findings of a label set are concepts, once each, one column each, with member_of edges."""
    names = [one.name for one in graph.label_sets]
    for one in graph.label_sets:
        for message in _label_set_faults(graph, one):
            yield fault("label_set_incomplete", one.name, message)
        if names.count(one.name) > 1:
            yield fault("label_set_twice", one.name, "is declared twice")


def conventions_named(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every grouping names a label set of the graph."""
    names = {one.name for one in graph.label_sets}
    for edge in graph.edges:
        if edge.relation == GROUPED_UNDER and edge.label_set not in names:
            message = f"is the convention of {edge.label_set or 'no label set'}"
            yield fault("unknown_convention", _named(edge), message)
        if edge.relation == IS_A and edge.label_set is not None:
            message = f"is entailment, yet carries {edge.label_set}"
            yield fault("is_a_with_label_set", _named(edge), message)


def domains_and_ranges(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Sites are anatomy, modalities are modalities, and subjects of a kind that can have them."""
    for edge in graph.edges:
        if edge.relation not in RANGES:
            continue
        subject, target = graph.concept(edge.subject).kind, graph.concept(edge.object).kind
        required = RANGES[edge.relation]
        if target != required:
            yield fault("range", _named(edge), f"its object is of kind {target}, not {required}")
        if subject not in DOMAINS.get(edge.relation, (subject,)):
            yield fault("domain", _named(edge), f"its subject is of kind {subject}")


def names_given(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every concept has a label and a kind; labels are unique, and other names should be."""
    labels: dict[str, list[str]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set)
    for concept in graph.concepts:
        if not concept.label.strip() or not concept.kind.strip():
            message = "has no label" if not concept.label.strip() else "has no kind"
            yield fault("no_label", concept.id, message)
        labels[concept.label.casefold()].append(concept.id)
        for word in (concept.label, *concept.synonyms):
            names[word.casefold()].add(concept.id)
    for label, ids in labels.items():
        if len(ids) > 1:
            yield fault("duplicate_label", label, f"is the label of {', '.join(ids)}")
    for name, owners in names.items():
        if len(owners) > 1 and len(labels[name]) < 2:
            yield fault("shared_name", name, f"means {', '.join(sorted(owners))}")


def xrefs_unique(graph: KnowledgeGraph) -> Iterator[Fault]:
    """An identifier of another vocabulary is a CURIE and belongs to one concept."""
    owners: dict[str, list[str]] = defaultdict(list)
    for concept in graph.concepts:
        for xref in concept.xrefs:
            owners[xref].append(concept.id)
            if not is_curie(xref):
                yield fault("malformed_xref", concept.id, f"{xref!r} has no prefix")
    for xref, ids in owners.items():
        if len(ids) > 1:
            yield fault("shared_xref", xref, f"is claimed by {', '.join(ids)}")


def provenance_given(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every concept and item of evidence names a source; mined evidence names its data set."""
    for concept in graph.concepts:
        if not concept.source:
            yield fault("no_concept_source", concept.id, "names no source")
    for edge in graph.edges:
        for item in edge.evidence:
            if not item.source:
                yield fault("no_source", _named(edge), "names no source")
            if not item.licence:
                yield fault("no_licence", _named(edge), f"{item.source[:80]}: no licence")
            if (item.status == "mined") != (item.dataset is not None):
                message = f"is {item.status} with data set {item.dataset}"
                yield fault("mined_without_dataset", _named(edge), message)


def orphans(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every concept has an edge."""
    touched = {end for edge in graph.edges for end in (edge.subject, edge.object)}
    for concept in graph.concepts:
        if concept.id not in touched:
            yield fault("orphan", concept.id, f"({concept.label}) has no edge")


CHECKS: tuple[Callable[[KnowledgeGraph], Iterator[Fault]], ...] = (
    self_loops,
    cycles,
    grouping_cycles,
    directions,
    no_finding_disjoint,
    disjoint_kin,
    label_sets_complete,
    conventions_named,
    domains_and_ranges,
    names_given,
    xrefs_unique,
    provenance_given,
    orphans,
)


def _named(edge: Edge) -> str:
    return f"{edge.subject} {edge.relation} {edge.object}"


def _abnormal(graph: KnowledgeGraph, one: LabelSet) -> list[str]:
    """Findings of a set that No Finding excludes; those that are no concepts are left out."""
    return [
        finding
        for finding in one.findings
        if finding != one.no_finding
        and finding not in one.with_no_finding
        and finding in graph.index
        and graph.concept(finding).kind in ABNORMAL_KINDS
    ]


def _label_set_faults(graph: KnowledgeGraph, one: LabelSet) -> Iterator[str]:
    if one.concept not in graph.index:
        yield f"its concept {one.concept} is not in the graph"
    if len(one.columns) != len(one.findings):
        yield f"{len(one.columns)} columns for {len(one.findings)} findings"
    if len(set(one.findings)) < len(one.findings) or len(set(one.columns)) < len(one.columns):
        yield "a finding or column is there twice"
    if one.no_finding is not None and one.no_finding not in one.findings:
        yield f"{one.no_finding} is not one of its findings"
    members = {
        edge.subject
        for edge in graph.edges_of(one.concept, MEMBER_OF)
        if edge.object == one.concept
    }
    for finding in one.findings:
        if finding not in graph.index:
            yield f"{finding} is not in the graph"
        elif finding not in members:
            yield f"{finding} has no member_of edge"
    for stray in sorted(members - set(one.findings)):
        if graph.concept(stray).dataset is None:
            yield f"{stray} is a member by edge but not listed"


def _on_cycles(graph: KnowledgeGraph, pairs: list[tuple[str, str]]) -> list[str]:
    """Concepts from which the pairs lead back to themselves, sorted."""
    if not pairs:
        return []
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = [graph.index[subject] for subject, _ in pairs]
    columns = [graph.index[target] for _, target in pairs]
    size = len(graph.concepts)
    matrix = coo_array((np.ones(len(pairs), dtype=bool), (rows, columns)), shape=(size, size))
    _, component = connected_components(matrix.tocsr(), directed=True, connection="strong")
    large = np.bincount(component) > 1
    looped = {subject for subject, target in pairs if subject == target}
    found = {graph.concepts[place].id for place in np.flatnonzero(large[component])}
    return sorted(found | looped)
