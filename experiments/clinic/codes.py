"""Codes of concepts for hospital systems: those of shared terminologies first, then the graph's."""

from __future__ import annotations

from typing import NamedTuple

from experiments.explanation.plain_answer import USE as RESEARCH
from kg.model.graph import KnowledgeGraph

__all__ = ["OWN_SCHEME", "USE", "ConceptCode", "codes_of"]

USE = f"{RESEARCH} Made by a model, not verified by a clinician."

OWN_SCHEME = "99KGDX"
"""DICOM designator of the graph's own identifiers (private designators begin with 99)."""

_SCHEMES = {
    "SNOMEDCT": ("SCT", "http://snomed.info/sct"),
    "RADLEX": ("RADLEX", "http://radlex.org"),
    "UMLS": ("UMLS", "http://www.nlm.nih.gov/research/umls"),
    "MESH": ("MSH", "http://id.nlm.nih.gov/mesh"),
}
"""DICOM designator and FHIR system of each terminology by its prefix in the graph, first choice
first."""


class ConceptCode(NamedTuple):
    """Code of a concept in a terminology.

    Args:
        value: The code.
        scheme: DICOM designator of the terminology.
        system: FHIR identifier of the terminology.
        meaning: Preferred name of the concept in the graph.
    """

    value: str
    scheme: str
    system: str
    meaning: str


def codes_of(finding: str, label: str, graph: KnowledgeGraph) -> tuple[ConceptCode, ...]:
    """Codes of a finding, those of shared terminologies first and the graph's own last.

    Args:
        finding: Concept id.
        label: Its name.
        graph: Graph with the identifiers of other terminologies.
    """
    own = ConceptCode(finding.rpartition(":")[2], OWN_SCHEME, "urn:kgdx:concept", label)
    if finding not in graph.index:
        return (own,)
    known = [one.partition(":") for one in graph.concept(finding).xrefs]
    shared = (
        ConceptCode(value, *scheme, label)
        for prefix, scheme in _SCHEMES.items()
        for found, _, value in known
        if found == prefix
    )
    return (*shared, own)
