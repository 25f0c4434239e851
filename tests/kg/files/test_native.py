"""What a parser written in Rust throws, panics included, comes out as an error of the file."""

from __future__ import annotations

import fastobo
import pyoxigraph as ox
import pytest

from kg.errors import InputError
from kg.files.native import native


def test_a_panic_is_an_error_of_the_file_and_its_line() -> None:
    with (
        pytest.raises(InputError, match="t.obo, line 7 or later: its parser broke off") as caught,
        native("t.obo", "OBO", begins=7),
    ):
        fastobo.loads("[Term]\nid: X:1\n! a comment inside a frame\nname: a\n")
    assert caught.value.hint == "correct the line"


def test_a_refused_line_is_counted_from_where_the_text_begins() -> None:
    with pytest.raises(InputError, match="t.ttl, line 3: is not RDF"), native("t.ttl", "RDF"):
        list(ox.parse(b"<urn:a> <urn:b> 1 .\n\n<urn:a> ! .\n", format=ox.RdfFormat.TURTLE))
    with (
        pytest.raises(InputError, match="t.obo, line 8: is not OBO"),
        native("t.obo", "OBO", begins=7),
    ):
        fastobo.loads("[Term]\nid X:1\n")


@pytest.mark.parametrize("error", [ValueError("odd"), OSError("gone")])
def test_other_errors_of_a_parser(error: Exception) -> None:
    with pytest.raises(InputError, match="cannot be read") as caught, native("t", "RDF"):
        raise error
    assert caught.value.hint == "is it RDF?"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, AttributeError, InputError])
def test_what_no_parser_throws_goes_through(error: type[BaseException]) -> None:
    with pytest.raises(error), native("t", "RDF"):
        raise error("as it is")
