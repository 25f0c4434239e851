"""Words of the Biolink Model for what the graph holds, and the columns of its KGX tables."""

from __future__ import annotations

from collections.abc import Mapping

from kg.model.edges import Status

ANY_CATEGORY = "biolink:NamedThing"
ANY_PREDICATE = "biolink:related_to"
ASSOCIATION = "biolink:Association"

NODE_COLUMNS = ("id", "category", "name", "description", "xref", "synonym", "provided_by",
                "kind", "dataset")  # fmt: skip
"""The last two are the graph's own."""

EDGE_COLUMNS = ("id", "subject", "predicate", "object", "category", "original_predicate",
                "primary_knowledge_source", "knowledge_level", "agent_type",
                "label_set", "tag", "dataset", "licence", "weight", "count", "detail")  # fmt: skip
"""The last seven are the graph's own."""

CATEGORIES = {
    "finding": "biolink:PhenotypicFeature",
    "symptom": "biolink:PhenotypicFeature",
    "lab_sign": "biolink:PhenotypicFeature",
    "disease": "biolink:Disease",
    "comorbidity": "biolink:Disease",
    "complication": "biolink:Disease",
    "anatomy": "biolink:AnatomicalEntity",
    "device": "biolink:Device",
    "procedure": "biolink:Procedure",
    "modality": "biolink:Procedure",
    "exposure": "biolink:ExposureEvent",
    "pathogen": "biolink:OrganismTaxon",
}
"""Class of each kind of concept; of others `ANY_CATEGORY`."""

PREDICATES = {
    "is_a": "biolink:subclass_of",
    "member_of": "biolink:member_of",
    "part_of": "biolink:part_of",
    "has_part": "biolink:has_part",
    "located_in": "biolink:located_in",
    "disease_has_location": "biolink:located_in",
    "has_phenotype": "biolink:has_phenotype",
    "has_symptom": "biolink:has_phenotype",
    "has_pathogen": "biolink:caused_by",
    "causes_or_contributes_to": "biolink:contributes_to",
    "causes_condition": "biolink:causes",
    "exact_match": "biolink:exact_match",
    "suggestive_of": "biolink:associated_with",
    "co_occurs_with": "biolink:correlated_with",
    "observed_with": "biolink:coexists_with",
}
"""Predicate of each relation; of others `ANY_PREDICATE`, with the relation in its own column."""

KNOWLEDGE: Mapping[Status, tuple[str, str]] = {
    "asserted": ("knowledge_assertion", "not_provided"),
    "derived": ("logical_entailment", "automated_agent"),
    "mined": ("statistical_association", "data_analysis_pipeline"),
}
"""Level of knowledge and agent of each status of evidence."""
