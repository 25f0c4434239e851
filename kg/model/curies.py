"""Identifiers of other vocabularies as CURIEs, in one spelling."""

from __future__ import annotations

import re

OBO = "http://purl.obolibrary.org/obo/"

SPACES = {
    "http://www.w3.org/2000/01/rdf-schema#": "rdfs",
    "http://www.w3.org/2002/07/owl#": "owl",
    "http://www.w3.org/2004/02/skos/core#": "skos",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://www.geneontology.org/formats/oboInOwl#": "oboInOwl",
    "http://radlex.org/RID/": "RADLEX",
    "http://www.radlex.org/RID/": "RADLEX",
    "http://snomed.info/id/": "SNOMEDCT",
    "http://linkedlifedata.com/resource/umls/id/": "UMLS",
    "http://id.nlm.nih.gov/mesh/": "MESH",
    "urn:ckg:": "ckg",
}

PREFIXES = {
    "umls_cui": "UMLS",
    "umls": "UMLS",
    "mesh": "MESH",
    "msh": "MESH",
    "nci": "NCIT",
    "ncit": "NCIT",
    "icd10cm": "ICD10CM",
    "icd10": "ICD10",
    "icd9cm": "ICD9CM",
    "omim": "OMIM",
    "mim": "OMIM",
    "ordo": "ORPHA",
    "orphanet": "ORPHA",
    "orpha": "ORPHA",
    "radlex": "RADLEX",
    "rid": "RADLEX",
    "sctid": "SNOMEDCT",
    "snomed": "SNOMEDCT",
    "snomedct": "SNOMEDCT",
    "do": "DOID",
}


def normal_curie(text: str) -> str:
    """An identifier with its vocabulary's usual prefix: `UMLS_CUI:C1` is `UMLS:C1`.

    A dated prefix loses its date (`SNOMEDCT_US_2023_03_01:1` is `SNOMEDCT:1`); what has no prefix
    stays as it is.
    """
    if "://" in text:
        return curie(text)
    prefix, colon, rest = text.strip().partition(":")
    if not colon:
        return prefix
    plain = re.sub(r"(_US)?(_\d{4}_\d{2}_\d{2})?$", "", prefix)
    return f"{PREFIXES.get(plain.casefold(), plain)}:{rest.strip()}"


def curie(iri: str) -> str:
    """The CURIE of an IRI; one of an unknown space stays an IRI.

    `http://purl.obolibrary.org/obo/HP_0002202` is `HP:0002202`.
    """
    if iri.startswith(OBO):
        local = iri.removeprefix(OBO)
        found = re.fullmatch(r"([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z]+)*)_(\w+)", local)
        return f"{found[1]}:{found[2]}" if found else f"obo:{local}"
    for space, prefix in SPACES.items():
        if iri.startswith(space):
            return f"{prefix}:{iri.removeprefix(space)}"
    return iri
