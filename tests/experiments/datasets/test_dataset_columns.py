from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from experiments.datasets._columns import read_columns
from experiments.datasets._tables import read_header, read_table
from kg.errors import InputError


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_columns_are_stripped_and_rows_numbered_as_a_spreadsheet_counts(tmp_path: Path) -> None:
    text = '\ufeffa, b,c\n1, x ,\n\n2,"two\nlines",9\n ,,\n3,y,8\n'
    table = read_columns(write(tmp_path, text), ("a", "b"), ("c", "d"))
    assert list(table.rows("a", "b")) == [("1", "x"), ("2", "two\nlines"), ("3", "y")]
    assert list(table.numbers) == [2, 4, 6]
    assert table["c"] == ["", "9", "8"]
    assert ("c" in table, "d" in table) == (True, False)
    assert table.get("d") == [""] * 3
    rows = read_table(write(tmp_path, text), ("a", "b"))
    assert [(row.number, row["a"]) for row in rows][:2] == [(2, "1"), (4, "2")]


def test_packed_tables_are_read(tmp_path: Path) -> None:
    raw = "a,b\n1,é\n"
    packed = write(tmp_path, gzip.compress(raw.encode()), "t.csv.gz")
    archive = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("inner/t.csv", raw)
    for path in (packed, archive):
        assert read_columns(path, ("b",))["b"] == ["é"]
        assert read_header(path) == ["a", "b"]
        assert read_table(path)[0]["b"] == "é"
    with zipfile.ZipFile(archive, "a") as made:
        made.writestr("second.csv", raw)
    with pytest.raises(InputError, match="holds 2 files"):
        read_columns(archive, ("a",))
    write(tmp_path, "no archive", "u.zip")
    with pytest.raises(InputError, match="cannot be read"):
        read_columns(tmp_path / "u.zip", ("a",))
    write(tmp_path, packed.read_bytes()[:-9], "cut.csv.gz")
    with pytest.raises(InputError, match="cannot be read"):
        read_columns(tmp_path / "cut.csv.gz", ("a",))


def test_a_header_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    for text in ("a,b\n", "a,b"):
        table = read_columns(write(tmp_path, text), ("a",))
        assert (len(table), table["a"], table.stated({"a": "c"})) == (0, [], [])


def test_a_missing_table_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not found"):
        read_columns(tmp_path / "no.csv", ("a",))


def test_labels_follow_the_policy_table(tmp_path: Path) -> None:
    table = read_columns(
        write(tmp_path, "id,x,y\n1,1.0,\n2,0,-1\n3, NaN ,1\n4,-1.0,0.0\n"), ("id", "x", "y")
    )
    assert table.stated({"x": "cx", "y": "cy"}) == [
        {"cx": "present"},
        {"cx": "absent", "cy": "uncertain"},
        {"cy": "present"},
        {"cx": "uncertain", "cy": "absent"},
    ]


@pytest.mark.parametrize("value", ["2", "Yes", "present", "0.5", "-2"])
def test_other_labels_are_refused_with_row_and_column(tmp_path: Path, value: str) -> None:
    table = read_columns(write(tmp_path, f"id,x\na,1\n\nb,{value}\n"), ("id", "x"))
    with pytest.raises(InputError, match=rf"row 4, column 'x': '{value}' is not a label") as error:
        table.stated({"x": "cx"})
    assert "-1 (uncertain)" in error.value.hint


def test_equal_facts_are_one_record_and_empty_ones_are_left_out(tmp_path: Path) -> None:
    table = read_columns(
        write(tmp_path, "id,Sex,Age\n1,F,50\n2,F,50\n3,,\n"), ("id",), ("Sex", "Age")
    )
    metadata = table.metadata({"Sex": "sex", "Age": "age", "View": "view"}, modality="cxr")
    assert metadata[0] == {"modality": "cxr", "sex": "F", "age": "50"}
    assert metadata[1] is metadata[0]
    assert metadata[2] == {"modality": "cxr"}
