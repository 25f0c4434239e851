"""Label sets: the findings that data sets are labelled with, and those No Finding excludes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kg.build.provenance import Registry
from kg.errors import InputError
from kg.files.tables import read_yaml
from kg.model.concepts import Concept, Phrase
from kg.model.edges import MEMBER_OF, Edge, Evidence
from kg.model.graph import LabelSet
from kg.options import Options as BaseOptions
from kg.options import parse_options
from kg.sources import Conflict, Facts

__all__ = ["LabelSetTable"]

ABNORMAL_KINDS = ("finding", "disease")


class Declared(BaseOptions):
    """A label set as written in the table; see `kg.model.graph.LabelSet`.

    Args:
        name: Short name.
        concept: Its own concept; made with `label` if no source has it.
        source: Publication of the set and its No Finding.
        label: Name of the concept if it is made here.
        findings: Published column of each finding and its concept, in order.
        members: Take the findings from the member_of edges instead (column = label), without
            concepts known only from records of a data set.
        exclusive: True if exactly one finding holds.
        no_finding: The concept that says none of the others holds.
        with_no_finding: Findings that may hold beside it.
    """

    name: str
    concept: str
    source: str
    label: str = ""
    findings: Mapping[str, str] = {}
    members: bool = False
    exclusive: bool = False
    no_finding: str | None = None
    with_no_finding: tuple[str, ...] = ()


class LabelSetTable:
    """Turns declared label sets into records, with `member_of` and `disjoint_with` edges.

    Args:
        options: The table.
    """

    class Options(BaseOptions):
        """The table, relative to the recipe.

        Args:
            table: YAML whose `label_sets` lists the sets.
            registry: YAML with the licence of each source.
        """

        table: str
        registry: str | None = None

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the label sets.

        Args:
            folder: Folder the table is relative to.
            known: Concepts and member_of edges of the recipe's earlier sources.

        Raises:
            InputError: If a set names a concept that is not known, or declares no findings.
        """
        path = folder / self.options.table
        content = read_yaml(path)
        if not isinstance(content, dict) or not isinstance(content.get("label_sets"), list):
            raise InputError(f"{path.name}: has no list called label_sets", "see kg/shipped")
        chosen = self.options
        registry = Registry.read(folder / chosen.registry) if chosen.registry else Registry()
        concepts = {concept.id: concept for concept in known.concepts}
        sets, edges, made = [], [], []
        conflicts: list[Conflict] = []
        for place, entry in enumerate(content["label_sets"]):
            where = f"{path.name}: label_sets.{place}"
            declared = parse_options(Declared, entry, where=where)
            if declared.concept not in concepts:
                made.append(_own_concept(declared, where))
                concepts[declared.concept] = made[-1]
            label_set = _label_set(declared, known, concepts, where)
            sets.append(label_set)
            edges += _memberships(label_set, known, _evidence(declared, registry))
            edges += _exclusions(label_set, concepts, _evidence(declared, registry))
            conflicts += _strays(label_set, known, concepts)
        return Facts(made, edges, sets, conflicts)


def _own_concept(declared: Declared, where: str) -> Concept:
    if not declared.label:
        raise InputError(f"{where}: no concept {declared.concept}", "give it a label to make it")
    phrase = Phrase(declared.label.lower(), "label", declared.source)
    return Concept(
        declared.concept,
        declared.label,
        "label_set",
        phrases=(phrase,),
        source=declared.source,
    )


def _label_set(
    declared: Declared, known: Facts, concepts: Mapping[str, Concept], where: str
) -> LabelSet:
    findings = dict(declared.findings)
    if declared.members:
        ids = {
            edge.subject
            for edge in known.edges
            if edge.relation == MEMBER_OF
            and edge.object == declared.concept
            and concepts[edge.subject].dataset is None
        }
        findings = {concepts[concept].label: concept for concept in sorted(ids)}
    if not findings:
        raise InputError(f"{where}: {declared.name} has no findings", "list them, or set members")
    extra = (declared.no_finding,) if declared.no_finding else ()
    for concept in (*findings.values(), *extra, *declared.with_no_finding):
        if concept not in concepts:
            raise InputError(f"{where}: {declared.name}: no concept {concept}", "add the concept")
        if concept not in findings.values():
            raise InputError(
                f"{where}: {declared.name}: {concept} is not one of its findings", "list it"
            )
    return LabelSet(
        name=declared.name,
        concept=declared.concept,
        findings=tuple(findings.values()),
        columns=tuple(findings),
        exclusive=declared.exclusive,
        no_finding=declared.no_finding,
        with_no_finding=declared.with_no_finding,
    )


def _evidence(declared: Declared, registry: Registry) -> Evidence:
    licence = registry.find(declared.source).licence
    return Evidence(declared.source, "labelset", "asserted", licence=licence)


def _memberships(label_set: LabelSet, known: Facts, evidence: Evidence) -> list[Edge]:
    """The member_of edges that the facts do not have yet."""
    there = {
        edge.subject
        for edge in known.edges
        if edge.relation == MEMBER_OF and edge.object == label_set.concept
    }
    return [
        Edge(finding, MEMBER_OF, label_set.concept, (evidence,))
        for finding in label_set.findings
        if finding not in there
    ]


def _exclusions(
    label_set: LabelSet, concepts: Mapping[str, Concept], evidence: Evidence
) -> list[Edge]:
    nothing = label_set.no_finding
    if nothing is None or label_set.exclusive:
        return []
    said = replace(evidence, status="derived", detail=f"no finding of {label_set.name}")
    return [
        Edge(nothing, "disjoint_with", finding, (said,))
        for finding in label_set.findings
        if finding != nothing
        and finding not in label_set.with_no_finding
        and concepts[finding].kind in ABNORMAL_KINDS
    ]


def _strays(label_set: LabelSet, known: Facts, concepts: Mapping[str, Concept]) -> list[Conflict]:
    """Conflicts with facts that put a concept into the set which the set does not list."""
    return [
        Conflict("not_in_label_set", edge.subject, f"is stated to be in {label_set.name}")
        for edge in known.edges
        if edge.relation == MEMBER_OF
        and edge.object == label_set.concept
        and edge.subject not in label_set.findings
        and concepts[edge.subject].dataset is None
    ]
