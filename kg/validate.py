"""Integrity rules of a graph: what is wrong, how bad it is, and how to mend it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from kg.edges import GROUPED_UNDER, IS_A, MEMBER_OF, RELATIONS
from kg.graph import KnowledgeGraph, LabelSet

Severity = Literal["error", "warning"]

RANGES = {"located_in": "anatomy", "seen_on_modality": "modality", MEMBER_OF: "label_set"}
DOMAINS: dict[str, tuple[str, ...]] = {
    "located_in": ("finding", "disease", "device", "procedure", "symptom", "normality"),
}
ABNORMAL_KINDS = ("finding", "disease")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        rule: Stable id of the rule, for example `is_a_cycle`.
        severity: `error` where the graph must not be used so, else `warning`.
        about: The concept, edge or label set it is about.
        message: What is wrong.
        mend: What to do about it.
    """

    rule: str
    severity: Severity
    about: str
    message: str
    mend: str


def validate(graph: KnowledgeGraph) -> list[Fault]:
    """Every fault of a graph, errors first, in a fixed order.

    What a `KnowledgeGraph` refuses when it is made (dangling ends, unknown relations, edges without
    evidence or written twice) cannot be met here.
    """
    faults = [fault for rule in RULES for fault in rule(graph)]
    return sorted(faults, key=lambda fault: (fault.severity, fault.rule, fault.about))


def self_loops(graph: KnowledgeGraph) -> Iterator[Fault]:
    """No edge leads from a concept to itself."""
    for edge in graph.edges:
        if edge.subject == edge.object:
            about = f"{edge.subject} {edge.relation} {edge.object}"
            yield Fault("self_loop", "error", about, "leads to itself", "take the edge out")


def cycles(graph: KnowledgeGraph) -> Iterator[Fault]:
    """`is_a` and `part_of` are acyclic."""
    for relation in (IS_A, "part_of"):
        wider: dict[str, list[str]] = defaultdict(list)
        for edge in graph.edges:
            if edge.relation == relation:
                wider[edge.subject].append(edge.object)
        for concept in _on_cycles(wider):
            message = f"is its own ancestor by {relation}"
            yield Fault(f"{relation}_cycle", "error", concept, message, "take out the wrong edge")


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
                mend = "add disjoint_with, or list it in with_no_finding"
                yield Fault("no_finding_not_disjoint", "error", finding, message, mend)


def disjoint_kin(graph: KnowledgeGraph) -> Iterator[Fault]:
    """What is disjoint is not also one below the other."""
    for edge in graph.edges:
        if edge.relation == "disjoint_with":
            above = {edge.subject, *graph.ancestors(edge.subject)}
            below = {edge.object, *graph.ancestors(edge.object)}
            if edge.subject in below or edge.object in above:
                about = f"{edge.subject} disjoint_with {edge.object}"
                message = "one is a kind of the other"
                yield Fault("disjoint_kin", "error", about, message, "take one edge out")


def label_sets_complete(graph: KnowledgeGraph) -> Iterator[Fault]:
    """A label set's findings are concepts, once each, one column each, with member_of edges."""
    names = [one.name for one in graph.label_sets]
    for one in graph.label_sets:
        for message in _label_set_faults(graph, one):
            yield Fault("label_set_incomplete", "error", one.name, message, "mend the label set")
        if names.count(one.name) > 1:
            message = "is declared twice"
            yield Fault("label_set_twice", "error", one.name, message, "give it another name")


def conventions_named(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every grouping names a label set of the graph."""
    names = {one.name for one in graph.label_sets}
    for edge in graph.edges:
        about = f"{edge.subject} {edge.relation} {edge.object}"
        if edge.relation == GROUPED_UNDER and edge.label_set not in names:
            message = f"is the convention of {edge.label_set or 'no label set'}"
            yield Fault("unknown_convention", "error", about, message, "name a label set")
        if edge.relation == IS_A and edge.label_set is not None:
            message = f"is entailment, yet carries {edge.label_set}"
            yield Fault("is_a_with_label_set", "error", about, message, "make it grouped_under")


def domains_and_ranges(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Sites are anatomy, modalities are modalities, and what is at a site can be at one."""
    for edge in graph.edges:
        about = f"{edge.subject} {edge.relation} {edge.object}"
        subject, target = graph.concept(edge.subject).kind, graph.concept(edge.object).kind
        wanted = RANGES.get(edge.relation, target)
        if target != wanted:
            message = f"its object is of kind {target}, not {wanted}"
            yield Fault("range", "error", about, message, "mend the kind or the edge")
        if subject not in DOMAINS.get(edge.relation, (subject,)):
            message = f"its subject is of kind {subject}"
            yield Fault("domain", "error", about, message, "mend the kind or the edge")


def labels_unique(graph: KnowledgeGraph) -> Iterator[Fault]:
    """No two concepts have one label; a name shared otherwise is a warning."""
    labels: dict[str, list[str]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set)
    for concept in graph.concepts:
        labels[concept.label.casefold()].append(concept.id)
        for word in (concept.label, *concept.synonyms):
            names[word.casefold()].add(concept.id)
    for label, ids in labels.items():
        if len(ids) > 1:
            message = f"is the label of {', '.join(ids)}"
            yield Fault("duplicate_label", "error", label, message, "merge them or rename one")
    for name, owners in names.items():
        if len(owners) > 1 and len(labels[name]) < 2:
            message = f"means {', '.join(sorted(owners))}"
            yield Fault("shared_name", "warning", name, message, "take it from one of them")


def xrefs_unique(graph: KnowledgeGraph) -> Iterator[Fault]:
    """An identifier of another vocabulary belongs to one concept."""
    owners: dict[str, list[str]] = defaultdict(list)
    for concept in graph.concepts:
        for xref in concept.xrefs:
            owners[xref].append(concept.id)
    for xref, ids in owners.items():
        if len(ids) > 1:
            message = f"is claimed by {', '.join(ids)}"
            yield Fault("shared_xref", "warning", xref, message, "compare labels and keep one")


def doubles(graph: KnowledgeGraph) -> Iterator[Fault]:
    """A symmetric edge is written in one direction only."""
    keys = {edge.key for edge in graph.edges}
    for edge in graph.edges:
        if RELATIONS[edge.relation].symmetric and edge.subject < edge.object:
            back = (edge.object, edge.relation, edge.subject, edge.label_set or "")
            if back in keys:
                about = f"{edge.subject} {edge.relation} {edge.object}"
                message = "stands in both directions"
                yield Fault("double_edge", "error", about, message, "merge their evidence")


def provenance_given(graph: KnowledgeGraph) -> Iterator[Fault]:
    """Every item of evidence names a source; one from a data set names it."""
    for edge in graph.edges:
        about = f"{edge.subject} {edge.relation} {edge.object}"
        for item in edge.evidence:
            if not item.source:
                yield Fault("no_source", "error", about, "names no source", "name it")
            if (item.status == "mined") != (item.dataset is not None):
                message = f"is {item.status} with data set {item.dataset}"
                yield Fault("mined_without_dataset", "error", about, message, "name the data set")


RULES: tuple[Callable[[KnowledgeGraph], Iterator[Fault]], ...] = (
    self_loops,
    cycles,
    no_finding_disjoint,
    disjoint_kin,
    label_sets_complete,
    conventions_named,
    domains_and_ranges,
    labels_unique,
    xrefs_unique,
    doubles,
    provenance_given,
)


def _abnormal(graph: KnowledgeGraph, one: LabelSet) -> list[str]:
    """Findings of a set that No Finding excludes; ones that are no concepts are left aside."""
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


def _on_cycles(wider: dict[str, list[str]]) -> list[str]:
    """Concepts that lie on a cycle or only lead into one, sorted; none if the relation is a DAG."""
    left = {concept: set(above) for concept, above in wider.items()}
    while True:
        ends = {concept for concept, above in left.items() if not above & left.keys()}
        if not ends:
            return sorted(concept for concept in left if _reaches(left, concept, concept))
        for concept in ends:
            del left[concept]


def _reaches(wider: dict[str, set[str]], start: str, goal: str) -> bool:
    seen: set[str] = set()
    queue = list(wider[start])
    while queue:
        here = queue.pop()
        if here == goal:
            return True
        if here not in seen:
            seen.add(here)
            queue += wider.get(here, set())
    return False
