"""RDF files of any format, parsed without network access and without entity bombs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox

from kg.errors import InputError, did_you_mean
from kg.files.native import native

FORMATS = {
    ".owl": ox.RdfFormat.RDF_XML,
    ".rdf": ox.RdfFormat.RDF_XML,
    ".xml": ox.RdfFormat.RDF_XML,
    ".ttl": ox.RdfFormat.TURTLE,
    ".nt": ox.RdfFormat.N_TRIPLES,
    ".nq": ox.RdfFormat.N_QUADS,
    ".trig": ox.RdfFormat.TRIG,
    ".n3": ox.RdfFormat.N3,
    ".jsonld": ox.RdfFormat.JSON_LD,
}

BASE = "urn:kgdx:file"
"""What relative names in a file are relative to."""

_ENTITY = re.compile(rb"<!ENTITY\s+(?:%\s+)?(\S+)\s+(SYSTEM|PUBLIC|[\"'])([^\"'>]*)", re.IGNORECASE)
_HEAD = 1 << 20
"""Bytes in which an XML file's document type must stand."""


def rdf_format(path: Path) -> ox.RdfFormat:
    """The format that a file's ending names.

    Raises:
        InputError: If it names none.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: is no RDF by its ending", did_you_mean(path.suffix, FORMATS))
    return FORMATS[path.suffix.lower()]


def check_entities(path: Path) -> None:
    """Refuse an XML file that declares external or nested entities.

    Raises:
        InputError: If it does, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path") from None
    if rdf_format(path) != ox.RdfFormat.RDF_XML:
        return
    for name, form, value in _ENTITY.findall(head):
        entity = name.decode(errors="replace")
        if form.upper() in (b"SYSTEM", b"PUBLIC"):
            raise InputError(
                f"{path.name}: entity {entity} lies outside the file and is never fetched",
                "write its text into the file",
            )
        if b"&" in value and not value.startswith(b"&#"):
            raise InputError(
                f"{path.name}: entity {entity} is made of other entities",
                "write its text in full",
            )


def quads_of(path: Path) -> Iterator[ox.Quad]:
    """The statements of an RDF file, one by one.

    Raises:
        InputError: If the file is missing, malformed (names the line), or declares entities that
            lie outside it.
    """
    check_entities(path)
    with native(path.name, "RDF"):
        yield from ox.parse(path=str(path), format=rdf_format(path), base_iri=BASE)


def fill(store: ox.Store, path: Path) -> None:
    """Load an RDF file into a store, at the store's own speed; odd IRIs are taken as they are.

    Raises:
        InputError: As `quads_of`.
    """
    check_entities(path)
    with native(path.name, "RDF"):
        # in memory, `bulk_load` takes a tenth longer and half as much memory again
        store.load(path=str(path), format=rdf_format(path), base_iri=BASE, lenient=True)
