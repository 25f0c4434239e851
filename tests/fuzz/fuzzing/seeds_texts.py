"""Small sound text files of every kind: tables, configurations, graphs, reports, dialogues."""

from __future__ import annotations

import json

OBO = """format-version: 1.2
ontology: t

[Term]
id: T:1
name: lung disease
def: "A disease of the \\"lung\\"." [book:1, PMID:2 "a text"]

[Term]
id: T:2
name: pneumonia
synonym: "lung infection" EXACT layperson [x:1]
synonym: "chest cold" RELATED []
xref: UMLS_CUI:C0032285
is_a: T:1 {source="a"} ! lung disease
relationship: has_symptom T:3
intersection_of: T:1
intersection_of: has_symptom T:3
creation_date: 2020-01-01T00:00:00Z
property_value: seeAlso "x" xsd:string

[Term]
id: T:3
name: cough
is_obsolete: false

[Typedef]
id: has_symptom
name: has symptom
xref: RO:0002452
"""

TURTLE = """@prefix : <http://purl.obolibrary.org/obo/T_> .
@prefix o: <http://purl.obolibrary.org/obo/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:1 a owl:Class ; rdfs:label "lung disease"@en, "Lungenkrankheit"@de ; o:IAO_0000115 "A disease." .
:2 a owl:Class ; rdfs:label "pneumonia" ; rdfs:subClassOf :1 ,
     [ a owl:Restriction ; owl:onProperty o:RO_0002452 ; owl:someValuesFrom :3 ] ;
   owl:disjointWith :3 .
:3 a owl:Class ; rdfs:label \"\"\"cough\"\"\" ; owl:deprecated "false"^^xsd:boolean .
:5 a owl:Class ; rdfs:label "lobar pneumonia" ;
   owl:equivalentClass [ owl:intersectionOf ( :2 [ a owl:Restriction ;
     owl:onProperty o:RO_0001025 ; owl:someValuesFrom :1 ] ) ] .
"""

SKOS = """@prefix : <http://example.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
:scheme a skos:ConceptScheme .
:a a skos:Concept ; skos:prefLabel "lung disease"@en ; skos:inScheme :scheme ; skos:narrower :b .
:b a skos:Concept ; skos:prefLabel "croup" ; skos:altLabel "laryngitis" ; skos:broader :a ;
   skos:exactMatch <http://example.org/other> ; skos:related :c ; skos:definition "A cough." .
:c a skos:Concept ; skos:prefLabel "cough" ; skos:notation "7" .
"""

RDF_XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE rdf:RDF [<!ENTITY owl "http://www.w3.org/2002/07/owl#">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xml:base="http://example.org/t"
  xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:owl="http://www.w3.org/2002/07/owl#">
  <!-- made up -->
  <owl:Ontology rdf:about=""/>
  <owl:Class rdf:about="http://purl.obolibrary.org/obo/T_1">
    <rdfs:label xml:lang="en">lung disease</rdfs:label>
  </owl:Class>
  <owl:Class rdf:about="http://purl.obolibrary.org/obo/T_2">
    <rdfs:label><![CDATA[pneumonia]]></rdfs:label>
    <rdfs:subClassOf rdf:resource="http://purl.obolibrary.org/obo/T_1"/>
    <rdfs:subClassOf>
      <owl:Restriction>
        <owl:onProperty rdf:resource="http://purl.obolibrary.org/obo/RO_0002452"/>
        <owl:someValuesFrom rdf:resource="http://purl.obolibrary.org/obo/T_3"/>
      </owl:Restriction>
    </rdfs:subClassOf>
    <owl:equivalentClass><owl:Class><owl:intersectionOf rdf:parseType="Collection">
      <rdf:Description rdf:about="http://purl.obolibrary.org/obo/T_3"/>
    </owl:intersectionOf></owl:Class></owl:equivalentClass>
  </owl:Class>
  <rdf:Description rdf:about="http://purl.obolibrary.org/obo/T_3">
    <rdf:type rdf:resource="&owl;Class"/>
    <rdfs:label>cough &amp; &#115;neeze</rdfs:label>
  </rdf:Description>
</rdf:RDF>
"""

JSON_LD = json.dumps(
    {
        "@context": {
            "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
            "owl": "http://www.w3.org/2002/07/owl#",
            "label": "rdfs:label",
            "above": {"@id": "rdfs:subClassOf", "@type": "@id"},
        },
        "@graph": [
            {"@id": "http://example.org/a", "@type": "owl:Class", "label": "lung disease"},
            {
                "@id": "http://example.org/b",
                "@type": ["owl:Class"],
                "label": {"@value": "pneumonia", "@language": "en"},
                "above": "http://example.org/a",
                "rdfs:seeAlso": {"@list": [1, 2.5, True]},
            },
        ],
    },
    indent=1,
)

OBO_GRAPH = json.dumps(
    {
        "graphs": [
            {
                "id": "t",
                "nodes": [
                    {"id": "http://purl.obolibrary.org/obo/T_1", "type": "CLASS", "lbl": "disease"},
                    {
                        "id": "http://purl.obolibrary.org/obo/T_2",
                        "type": "CLASS",
                        "lbl": "pneumonia",
                        "meta": {
                            "definition": {"val": "An infection.", "xrefs": ["x:1"]},
                            "synonyms": [{"pred": "hasExactSynonym", "val": "infection"}],
                            "xrefs": [{"val": "UMLS:C0032285"}],
                            "deprecated": False,
                        },
                    },
                ],
                "edges": [
                    {
                        "sub": "http://purl.obolibrary.org/obo/T_2",
                        "pred": "is_a",
                        "obj": "http://purl.obolibrary.org/obo/T_1",
                    }
                ],
            }
        ]
    }
)

FINDING_MODEL = json.dumps(
    {
        "oifm_id": "OIFM_1",
        "name": "nodule",
        "description": "A round opacity.",
        "synonyms": ["spot"],
        "tags": ["XR", "chest"],
        "index_codes": [{"system": "RADLEX", "code": "RID1", "display": "nodule"}],
        "attributes": [
            {"name": "location", "values": [{"name": "lung", "index_codes": None}]},
            {"name": "size", "type": "numeric", "minimum": 0},
        ],
    }
)

DEFINITIONS = json.dumps({"Lung Opacity": "A shadow.", "effusion": " Fluid. ", "lung": "x"})

SOURCES = """sources:
  - {match: a book, name: A book, licence: CC0}
  - {match: another, name: Another, dataset: openi, mined_as: [OpenI], licence: ""}
"""

LABEL_SETS = """label_sets:
  - name: pair
    concept: ckg:pair
    label: label set pair
    source: a book
    no_finding: ckg:lung
    findings:
      Opacity: ckg:opacity
      Effusion: ckg:effusion
      None: ckg:lung
"""

CONCEPTS = """id\tpreferred_label\tkind\tsynonyms\tlabel_sets\txrefs\tsource
ckg:opacity\tLung Opacity\tfinding\topacity|haze\t\tRADLEX:RID28530\ta book
ckg:effusion\tPleural Effusion\tfinding\t\t\t\ta book || another
ckg:lung\tlung\tanatomy\t\t\t\ta book
"""

RELATIONS = """subject\trelation\tobject\tsource\tevidence\tweight\tcount
ckg:opacity\tRO:0001025\tckg:lung\ta book\tcurated\t0.5\t3
ckg:effusion\tckg:suggestive_of\tckg:opacity\ta book || b\tcurated || mined\t0.5 || 0.25\t3 || 4
"""

TRIPLES = """subject\trelation\tobject
ckg:opacity\tis_a\tckg:finding
ckg:effusion\tis_a\tckg:finding
Pleural Effusion\tlocated_in\tlung
"""

STUDIES = """study,patient,image,report,modality,view,sex,age,Cardiomegaly,Pleural Effusion
s0,p0,0.png,"Findings: Enlarged heart, no effusion.",cxr,frontal,F,60,1,0
s1,p0,1.png,Findings: Clear lungs.,cxr,lateral,M,41,0,-1
s2,p1,2.png;3.png,"Impression:
Small ""left"" effusion.",cxr,pa;ll,F,,,1
"""

REPORTS = """id,findings,impression
r1,"Heart is enlarged, lungs are clear.",Cardiomegaly.
r2,No pleural effusion or pneumothorax.,"Normal ""chest""."
r3,,Possible pneumonia in the right lower lobe.
"""

RECIPE = """name: made up
join_by: [xref, label]
sources:
  - name: facts
    options: {concepts: concepts.tsv, relations: relations.tsv}
  - name: obo
    options:
      file: t.obo
      source: "T 2026"
      licence: CC0
      kinds: {"T:1": disease}
      prefixes: [T]
"""

REPORT = """INDICATION: 54-year-old man with cough and fever, rule out pneumonia.
COMPARISON: None.

FINDINGS: The heart is mildly enlarged. No pleural effusion or pneumothorax.
There is a 5 mm nodule in the right upper lobe, unchanged since 2012.
- Possible left basilar atelectasis; cannot exclude infiltrate.

IMPRESSION:
1. Cardiomegaly without edema.
2. Right upper lobe nodule, likely granuloma.
"""

SPANISH = """Hallazgos: cardiomegalia leve, sin derrame pleural. Senos libres.
Impresion: infiltrado en base derecha, a descartar neumonia. Cambios cronicos con signos de EPOC.
"""

CHINESE = "影像所见:心影增大,双肺纹理增多,未见胸腔积液。\n诊断:肺炎可能,建议复查。\n"

DIALOGUE = """Doctor: Good morning. Do you have any fever or cough?
Patient: No fever, but I have had a dry cough for 3 days.
Doctor: Any contact with someone who has COVID-19?
Patient: Yes, my brother. He had pneumonia last week, I think.
Doctor: Your chest X-ray shows no effusion. If you were short of breath, call us.
"""
