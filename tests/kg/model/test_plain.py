"""Plain values of records are those of the standard library."""

from __future__ import annotations

from dataclasses import asdict

from kg.model.plain import as_plain


def test_as_the_standard_library_gives_them(shipped):
    for record in (*shipped.concepts, *shipped.edges[::7], *shipped.label_sets):
        assert as_plain(record) == asdict(record)
        assert list(as_plain(record)) == list(asdict(record))
