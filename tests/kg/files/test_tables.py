"""Tables and YAML of facts: what is no table or no YAML is told by file and line, never a bug."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from kg.errors import InputError
from kg.files.tables import cells_of, read_rows, read_yaml

LIMIT = 131_072
LONG = "x" * (LIMIT + 1)


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    """The longest cell that csv reads; other tests of the process may have changed it."""
    before = csv.field_size_limit(LIMIT)
    yield
    csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"a\tb\n1\t{LONG}\n", 2),
        (f"a\tb\n1\t2\n3\t4\n{LONG}\t6\n", 4),
        (f'a\tb\n1\t"{LONG}', 2),
    ],
)
def test_a_row_that_cannot_be_cut_into_cells_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=f"t.tsv, line {line}: is no row of a table"):
        list(read_rows(path, ("a", "b")))


@pytest.mark.parametrize("quoted", [True, False])
def test_returns_alone_end_no_row_of_open_text(quoted: bool) -> None:
    with pytest.raises(InputError, match="t, line 1"):
        list(cells_of(["a,b\rc,d\n"], "t", quoted=quoted))


def test_rows_come_with_their_last_line_and_quotes_as_asked() -> None:
    text = 'a,"b\nc"\n"d",e\n'
    assert list(cells_of(io.StringIO(text), "t")) == [(2, ["a", "b\nc"]), (3, ["d", "e"])]
    plain = cells_of(io.StringIO('"a"\tb\n'), "t", delimiter="\t", quoted=False)
    assert list(plain) == [(1, ['"a"', "b"])]


def test_bytes_that_are_no_text_are_named() -> None:
    lines = io.TextIOWrapper(io.BytesIO(b"a,b\n\xff,c\n"), encoding="utf-8", newline="")
    with pytest.raises(InputError, match="t, line 1 or later: is not UTF-8"):
        list(cells_of(lines, "t"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: \x1b", "t.yaml: unacceptable character"),
        ("a\0b: 1", "t.yaml: unacceptable character"),
        ("a: " + "[" * 30_000, "t.yaml, line 1: nested deeper than 20"),
        ("a: " + "[" * 21 + "]" * 21, "t.yaml, line 1: nested deeper than 20"),
        ("- " * 5_000, "t.yaml, line 1: nested deeper than 20"),
        ("x: &a [1]\ny: *a", "t.yaml, line 2: the alias \\*a"),
        ("x: &a [*a]", "the alias"),
        ("day: 2001-99-99", "t.yaml: month must be in"),
        ("? [a]\n: b", "t.yaml, line 1: found unhashable key"),
        ("a: !!python/object:os.system x", "t.yaml, line 1: the tag 'tag:yaml.org,2002:python"),
        *(
            (f"b: 1\na: !!{tag} x", f"t.yaml, line 2: the tag '.*{tag}'")
            for tag in ("timestamp", "bool", "int", "float", "binary", "set", "omap", "null")
        ),
        ("a: !own x", "t.yaml, line 1: the tag '!own'"),
        ("a: 0x_", "t.yaml: invalid literal"),
        ("a: [", "t.yaml, line 1: expected the node content"),
        ("a: 1\n" * 250_000, "t.yaml: 1,250,000 characters long"),
        (f"a: {'9' * 5_000}", "t.yaml: Exceeds the limit"),
    ],
)
def test_what_is_no_plain_yaml_is_told(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        read_yaml(path)


def test_usual_yaml_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("a: {b: [1, 2.5, yes]}\n'c': |\n  text\n")
    assert read_yaml(path) == {"a": {"b": [1, 2.5, True]}, "c": "text\n"}
