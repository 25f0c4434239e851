"""A small graph with the findings the sentences of these tests speak of."""

from __future__ import annotations

import pytest

from kg.mentions.linker import MentionLinker
from kg.model.concepts import Concept, Phrase
from kg.model.edges import IS_A, Edge, Evidence
from kg.model.graph import KnowledgeGraph

CONCEPTS = {
    "pleural_effusion": ("finding", "Pleural effusion", ("Effusion", "Pleural fluid")),
    "pericardial_effusion": ("finding", "Pericardial effusion", ()),
    "pneumothorax": ("finding", "Pneumothorax", ()),
    "consolidation": ("finding", "Consolidation", ("Airspace consolidation",)),
    "lung_opacity": ("finding", "Lung opacity", ()),
    "ground_glass_opacity": ("finding", "Ground-glass opacity", ("GGO",)),
    "atelectasis": ("finding", "Atelectasis", ()),
    "cardiomegaly": ("finding", "Cardiomegaly", ("Enlarged heart",)),
    "pulmonary_edema": ("finding", "Pulmonary edema", ("Edema",)),
    "lung_nodule": ("finding", "Lung nodule", ("Nodule",)),
    "lung_mass": ("finding", "Lung mass", ("Mass",)),
    "lymphadenopathy": ("finding", "Lymphadenopathy", ("Adenopathy",)),
    "hilar_lymphadenopathy": ("finding", "Hilar lymphadenopathy", ("Adenopathy",)),
    "pneumonia": ("disease", "Pneumonia", ()),
    "viral_pneumonia": ("disease", "Viral pneumonia", ()),
    "covid_19": ("disease", "COVID-19", ()),
    "tuberculosis": ("disease", "Tuberculosis", ()),
    "asthma": ("comorbidity", "Asthma", ()),
    "pacemaker": ("device", "Pacemaker", ()),
    "fever": ("symptom", "Fever", ()),
    "cough": ("symptom", "Cough", ()),
    "nonproductive_cough": ("symptom", "Dry cough", ()),
    "dyspnea": ("symptom", "Dyspnea", ()),
    "diarrhea": ("symptom", "Diarrhea", ()),
    "headache": ("symptom", "Headache", ()),
    "no_finding": ("normality", "No finding", ("normal",)),
    "pleura": ("anatomy", "Pleura", ()),
}
IS_A_PAIRS = (
    ("viral_pneumonia", "pneumonia"),
    ("covid_19", "viral_pneumonia"),
    ("consolidation", "lung_opacity"),
    ("ground_glass_opacity", "lung_opacity"),
    ("hilar_lymphadenopathy", "lymphadenopathy"),
    ("nonproductive_cough", "cough"),
)


@pytest.fixture(scope="session")
def graph() -> KnowledgeGraph:
    source = Evidence("test", "curated", "asserted")
    return KnowledgeGraph(
        tuple(
            Concept(f"ckg:{name}", label, kind, synonyms, phrases=phrases(name))
            for name, (kind, label, synonyms) in CONCEPTS.items()
        ),
        tuple(Edge(f"ckg:{a}", IS_A, f"ckg:{b}", (source,)) for a, b in IS_A_PAIRS),
    )


def phrases(name: str) -> tuple[Phrase, ...]:
    if name != "pleural_effusion":
        return ()
    return (Phrase("hydrothorax", "synonym", "test"), Phrase("effus", "mention_stem", "test"))


@pytest.fixture(scope="session")
def linker(graph: KnowledgeGraph) -> MentionLinker:
    return MentionLinker(graph)
