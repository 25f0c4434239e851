"""Typed edges and their evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from kg.errors import InputError, did_you_mean

Status = Literal["asserted", "derived", "mined"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """An item of evidence for an edge.

    Args:
        source: Repository and commit, paper, package, or `from memory: ...`.
        tag: The kind of evidence as collected (`curated`, `labelset`, `data:OpenI N=3955`, ...).
        status: `asserted` by a source, `derived` from other facts, or `mined` from data.
        dataset: Name of the data set it was computed on, or None.
        licence: Licence of the source, or empty where none is stated.
        weight: Strength in [0, inf) as the source gives it, or None.
        count: Number of observations behind it, or None.
        detail: Further figures as the source gives them (for example `lift=4.1;npmi=0.3`).
    """

    source: str
    tag: str
    status: Status
    dataset: str | None = None
    licence: str = ""
    weight: float | None = None
    count: int | None = None
    detail: str = ""

    @property
    def from_memory(self) -> bool:
        """True if nothing that can be pointed at says it."""
        return "from memory" in self.source


@dataclass(frozen=True, slots=True)
class Edge:
    """A statement `subject relation object` with at least one item of evidence.

    For `grouped_under` and `member_of`-like conventions `label_set` carries the set whose
    convention it is.
    """

    subject: str
    relation: str
    object: str
    evidence: tuple[Evidence, ...]
    label_set: str | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Identity of the edge: edges of one key are the same edge."""
        return self.subject, self.relation, self.object, self.label_set or ""

    @property
    def from_memory(self) -> bool:
        """True if all its evidence is from memory."""
        return all(item.from_memory for item in self.evidence)


class Relation(NamedTuple):
    """Meaning and properties of a relation.

    Args:
        iri: Its identifier in Turtle.
        meaning: Reading of `A relation B`.
        symmetric: True if `B relation A` says the same.
        bookkeeping: True if it organises the graph rather than medicine; never reaches the GNN.
    """

    iri: str
    meaning: str
    symmetric: bool = False
    bookkeeping: bool = False


IS_A = "is_a"
GROUPED_UNDER = "grouped_under"
MEMBER_OF = "member_of"


SYMMETRIC_ELSEWHERE = ("skos:related", "skos:relatedMatch", "skos:closeMatch")
"""Relations that other vocabularies declare symmetric."""


class Relations(dict[str, Relation]):
    """The project's relations; one of another vocabulary is named by its CURIE.

    Looking up a CURIE (`RO:0002566`, `x:treats`) gives a plain relation, symmetric where its
    vocabulary says so and never bookkeeping. It is not listed, and `in` says no.
    """

    def __missing__(self, name: str) -> Relation:
        if not is_curie(name):
            raise KeyError(name)
        return Relation(name, f"A {name} B", symmetric=name in SYMMETRIC_ELSEWHERE)


def is_curie(name: str) -> bool:
    """True if a name has a prefix and a local name."""
    prefix, colon, rest = name.partition(":")
    return bool(prefix and colon and rest) and not any(letter.isspace() for letter in name)


def known_relation(name: str) -> str:
    """The name of a relation, given by its name or its identifier in Turtle.

    Raises:
        InputError: If it is neither one of the project's relations nor a CURIE.
    """
    if name in RELATIONS:
        return name
    if name in _BY_IRI:
        return _BY_IRI[name]
    if is_curie(name):
        return name
    raise InputError(f"no relation is called {name!r}", did_you_mean(name, RELATIONS))


RELATIONS = Relations(
    {
        IS_A: Relation("rdfs:subClassOf", "every A is a B (entailment)"),
        GROUPED_UNDER: Relation(
            "ckg:grouped_under", "a label set files A under B (its convention)"
        ),
        MEMBER_OF: Relation("ckg:member_of", "A is a label of the set B", bookkeeping=True),
        "actionability": Relation("ckg:actionability", "how urgent A is", bookkeeping=True),
        "mentioned_in": Relation("ckg:mentioned_in", "A is named in corpus B", bookkeeping=True),
        "part_of": Relation("BFO:0000050", "A is part of B"),
        "has_part": Relation("BFO:0000051", "B is part of A"),
        "located_in": Relation("RO:0001025", "finding A is at site B"),
        "disease_has_location": Relation("RO:0004026", "disease A is at site B"),
        "has_phenotype": Relation("RO:0002200", "disease A shows finding B"),
        "has_symptom": Relation("RO:0002452", "disease A gives symptom B"),
        "has_pathogen": Relation("RO:0002557", "disease A comes from pathogen B"),
        "causes_or_contributes_to": Relation("RO:0003302", "A causes or contributes to B"),
        "causes_condition": Relation("RO:0003303", "A causes condition B"),
        "disjoint_with": Relation("owl:disjointWith", "nothing is both A and B", symmetric=True),
        "exact_match": Relation("skos:exactMatch", "A and B mean the same", symmetric=True),
        "suggestive_of": Relation("ckg:suggestive_of", "finding A suggests disease B"),
        "evidence_against": Relation("ckg:evidence_against", "finding A speaks against disease B"),
        "co_occurs_with": Relation(
            "ckg:co_occurs_with", "A and B are seen together", symmetric=True
        ),
        "has_distribution": Relation("ckg:has_distribution", "finding A is spread like B"),
        "seen_on_modality": Relation("ckg:seen_on_modality", "A is seen on modality B"),
        "criterion_of": Relation("ckg:criterion_of", "A is a criterion of score category B"),
        "category_of": Relation("ckg:category_of", "A is a category of score B"),
        "higher_suspicion_than": Relation(
            "ckg:higher_suspicion_than", "A is more suspicious than B"
        ),
        "differential_of": Relation("ckg:differential_of", "A is a differential diagnosis of B"),
        "observed_with": Relation("ckg:observed_with", "sign A is observed with diagnosis B"),
    }
)

_BY_IRI = {relation.iri: name for name, relation in RELATIONS.items()}
