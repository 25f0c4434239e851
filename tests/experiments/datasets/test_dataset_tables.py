from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.datasets._columns import read_columns
from experiments.datasets._tables import read_header, read_table, unique
from kg.errors import InputError


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_are_numbered_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    rows = read_table(write(tmp_path, 'a,b\n1, x \n\n2,"two\nlines"\n'), ("a", "b"))
    assert [(row.number, row["a"], row["b"]) for row in rows] == [
        (2, "1", "x"),
        (4, "2", "two\nlines"),
    ]
    assert rows[0].get("c") == ""


def test_a_byte_order_mark_and_gzip_are_read(tmp_path: Path) -> None:
    raw = "\ufeffa,b\n1,é\n".encode()
    packed = write(tmp_path, gzip.compress(raw), "t.csv.gz")
    for path in (write(tmp_path, raw), packed):
        assert read_table(path, ("a",))[0]["b"] == "é"
        assert read_header(path) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,c\n1,2\n", "missing column(s) b"),
        ("a,b,a\n1,2,3\n", "column 'a' is there twice"),
        ("a;b\n1;2\n", "not separated by commas"),
        ("", "missing column(s) a, b"),
        ("a,b\n1\n", "row 2 has 1 cells, the header has 2"),
        ("a,b\n1,2\n3,4,5\n", "row 3 has 3 cells"),
        ("a,b\n1,2\n\n1\n", "row 4 has 1 cells"),
        (b"a,b\n1,\xb0\n", "is not UTF-8 text"),
        ('a,b\n1,2\n2,"x\n3,y\n4,z\n', "row 3 or after it: not a readable table"),
        ('a,b\n1,"x\n2,y "" z\n', "row 2 or after it"),
    ],
)
@pytest.mark.parametrize("read", [read_table, read_columns])
def test_a_wrong_table_names_file_row_and_columns(
    tmp_path: Path, text: str | bytes, says: str, read: Callable[..., object]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read(path, ("a", "b"))
    assert says in error.value.message
    assert str(path) in error.value.message
    assert error.value.hint


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"two\nlines"', "two\nlines"),
        ('"a, b"', "a, b"),
        ('"say ""ah"""', 'say "ah"'),
        ("5' 11\"", "5' 11\""),
        ('""', ""),
        ('"1;2"', "1;2"),
    ],
)
def test_quoted_cells(tmp_path: Path, cell: str, value: str) -> None:
    path = write(tmp_path, f"a,b\n1,{cell}\n2,c\n")
    assert [row["b"] for row in read_table(path, ("a", "b"))] == [value, "c"]
    assert read_columns(path, ("a", "b"))["b"] == [value, "c"]


def test_a_missing_or_broken_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_table(write(tmp_path, b"no gzip", "t.csv.gz"))


def test_a_second_encoding_is_tried(tmp_path: Path) -> None:
    path = write(tmp_path, b"a\n38\xb0C\n")
    assert read_table(path, ("a",), encodings=("utf-8-sig", "cp1252"))[0]["a"] == "38°C"


def test_label_values_follow_the_policy_table(tmp_path: Path) -> None:
    text = "x\n1\n1.0\n0\n0.0\n-1\n-1.0\n nan \n"
    stated = [row.label("x") for row in read_table(write(tmp_path, text))]
    assert stated == ["present"] * 2 + ["absent"] * 2 + ["uncertain"] * 2 + [None]
    blank = read_table(write(tmp_path, "x,y\n,1\n"))
    assert blank[0].label("x") is None


@pytest.mark.parametrize("value", ["2", "Yes", "present", "0.5", "-2"])
def test_other_label_values_are_refused_with_row_and_column(tmp_path: Path, value: str) -> None:
    row = read_table(write(tmp_path, f"id,x\na,1\nb,{value}\n"))[1]
    with pytest.raises(InputError, match=rf"row 3, column 'x': '{value}'"):
        row.label("x")


def test_keys_must_be_there_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'b' is in rows 3 and 4"):
        unique(read_table(write(tmp_path, "id\na\nb\nb\n")), "id")
    many = "id\n" + "".join(f"{number % 40}\n" for number in range(90)) + "alone\n"
    with pytest.raises(InputError) as caught:
        unique(read_table(write(tmp_path, many)), "id")
    assert all(f"'{key}' is in rows {key + 2} and " in caught.value.message for key in range(40))
    assert "'5' is in rows 7 and 47 and 87;" in caught.value.message
    assert "alone" not in caught.value.message
    with pytest.raises(InputError, match="row 2: 'id' is empty"):
        unique(read_table(write(tmp_path, "id,x\n,1\n")), "id")
