"""RDF files of any format, parsed without network access and in bounded memory and time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox

from kg.errors import InputError, did_you_mean
from kg.files.child import Child, Limits
from kg.files.native import native
from kg.files.nesting import check_json, check_xml
from kg.files.regular import open_file

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
"""Base IRI of relative names in a file."""

MEMORY = 1 << 30
"""Memory limit of parsing, in bytes; the statements themselves are handed on."""

SPARE, TIMES = 64 << 20, 50
"""Bytes the statements of a file may take written out, and how many times its size more."""


def rdf_format(path: Path) -> ox.RdfFormat:
    """The format that a file's ending names.

    Raises:
        InputError: If it names none.
    """
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: is no RDF by its ending", did_you_mean(path.suffix, FORMATS))
    return FORMATS[path.suffix.lower()]


def check_rdf(path: Path) -> int:
    """Refuse a file that is made to be more than it seems; gives its bytes.

    Raises:
        InputError: If it declares entities that lie outside it, are nested or multiply, is nested
            too deeply, is no regular file, or cannot be read.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
    if rdf_format(path) == ox.RdfFormat.RDF_XML:
        check_xml(path)
    elif rdf_format(path) == ox.RdfFormat.JSON_LD:
        check_json(path)
    return size


def quads_of(path: Path) -> Iterator[ox.Quad]:
    """The statements of an RDF file, one by one, parsed by a process of bounded memory and time.

    Raises:
        InputError: If the file is missing, malformed (names the line), is refused by `check_rdf`,
            or takes more than it may.
    """
    size = check_rdf(path)
    limits, most = Limits(MEMORY, 60 + size / 500_000), SPARE + TIMES * size
    with Child("kg.files.parse", str(path.resolve()), str(most), limits=limits) as child:
        with native(path.name, "RDF"):
            try:
                yield from ox.parse(input=child.output, format=ox.RdfFormat.N_QUADS)
            except SyntaxError:
                # its last line is cut off: it says why itself
                child.check(f"{path.name}: parsing")
                raise
        child.check(f"{path.name}: parsing")


def fill(store: ox.Store, path: Path) -> None:
    """Load an RDF file into a store, at the store's own speed; odd IRIs are taken as they are.

    For a process that is confined already.

    Raises:
        InputError: As `quads_of`.
    """
    check_rdf(path)
    with native(path.name, "RDF"):
        # In memory, `bulk_load` takes a tenth longer and half as much memory again.
        store.load(path=str(path), format=rdf_format(path), base_iri=BASE, lenient=True)
