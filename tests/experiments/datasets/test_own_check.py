"""`data check table`: every mistake of a user's table at once, each with its mend; workbooks."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from experiments.cli.main import main
from experiments.datasets._layout import Remark
from experiments.datasets._pictures import draw
from experiments.datasets.table import Table
from kg.errors import InputError

HEAD = ("study", "patient", "image", "Edema")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place, name in enumerate(("a", "b")):
        draw(tmp_path / f"{name}.png", np.random.default_rng(place))
    (tmp_path / "empty.png").touch()
    return tmp_path


def remarks(root: Path, text: str, **options: object) -> dict[str, Remark]:
    """Remarks on a csv that are not `found`, by what they say."""
    (root / "s.csv").write_text(text, encoding="utf-8")
    told = Table(Table.Options(**options)).remarks(root)  # type: ignore[arg-type]
    return {one.what: one for one in told if one.state != "found"}


def workbook(path: Path, **sheets: list[tuple[object, ...]]) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)


def test_everything_is_told_at_once_with_its_mend(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "s.csv").write_text(
        "study;image;taken on;Edemma;Pneumonia;Edema\n"
        "s1;a.png;03.04.2021;1;yes;1\n"
        "s2;none.png;2021-04-05;0;no;1\n"
        "s3;empty.png;;0;0;1\n"
        "s1;b.png;5/6/21;0;1;1\n"
    )
    assert main(["data", "check", "table", "--root", str(root)]) == 1
    out, err = capsys.readouterr()
    for told, mend in (
        ("'taken on'\tholds dates", "--ignore 'taken on'"),
        ("no concept is called 'Edemma'", "did you mean 'edema'? Or leave it out with --ignore"),
        ("'patient'\tnot there", "add the column"),
        ("row 2, column 'Pneumonia': 'yes' is not a label; also row 3", "write 1 (present)"),
        ("row 3, column 'image': no file 'none.png'", "paths start at"),
        ("row 4, column 'image': 'empty.png' is empty", "export the image again"),
        ("'study' must differ: 's1' is in rows 2 and 5", "keep one row of each"),
        ("4 studies of 3 patients: too few", "50 patients or more"),
        ("'Edema'\tone class only: present in every study", "other class"),
        ("fewer than 20 positives: Pneumonia (1)", "data.at_least: 1"),
    ):
        (line,) = (line for line in out.splitlines() if told in line)
        assert mend in line
    assert "separated by semicolons" in out
    assert ".py" not in out + err


def test_a_column_is_left_out_in_every_command(root: Path) -> None:
    text = "study,image,date,Edema\ns1,a.png,2021-01-01,1\ns2,b.png,2021-01-02,0\n"
    (root / "s.csv").write_text(text)
    named = ["--root", str(root), "--ignore", "date"]
    assert main(["data", "show", "table", "--root", str(root)]) == 3
    assert main(["data", "show", "table", *named]) == 0
    assert main(["data", "check", "table", *named]) == 0
    assert main(["data", "check", "table", *named, "--ignore", "dade"]) == 1


@pytest.mark.parametrize("value", ["[date", "date"])
def test_a_list_of_columns_must_be_one(root: Path, value: str) -> None:
    (root / "s.csv").write_text("study,note,Edema\ns1,Cough.,1\n")
    assert main(["data", "check", "table", "--root", str(root), "--set", f"ignore={value}"]) == 3


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_in_order_has_only_warnings(root: Path, mark: str) -> None:
    rows = [HEAD, ("s1", "p1", "a.png", "1"), ("s2", "p2", "b.png", "0")]
    told = remarks(root, "".join(mark.join(row) + "\n" for row in rows))
    assert {one.state for one in told.values()} == {"warning"}
    assert [s.patient for s in Table().studies(root, labels="own")] == ["p1", "p2"]


def test_large_data_have_no_remark(root: Path) -> None:
    rows = "".join(f"s{n},p{n},a.png,{n % 2}\n" for n in range(60))
    assert remarks(root, f"{','.join(HEAD)}\n{rows}") == {}


def test_two_columns_of_one_finding_are_told(root: Path) -> None:
    told = remarks(root, "study,note,Edema,pulmonary edema\ns1,Cough.,1,1\n")
    (one,) = (each for what, each in told.items() if "two columns are ckg:pulmonary_edema" in what)
    assert (one.where, one.mend) == ("column 'pulmonary edema'", "keep one, --ignore the other")


def test_one_class_alone_is_wrong(root: Path) -> None:
    told = remarks(root, "study,patient,image,Edema\ns1,p1,a.png,1\ns2,p2,b.png,1\n")
    assert told["no finding has both classes"].state == "wrong"


def test_a_sheet_of_a_workbook_is_read(root: Path) -> None:
    date = datetime.datetime(2021, 3, 4)
    rows: list[tuple[object, ...]] = [
        (*HEAD, "taken", None),
        (1, 7.0, "a.png", 1, date),
        (None, None, None, None),
        (2, "p2", "b.png", 0.0, None),
    ]
    workbook(root / "own.xlsx", notes=[("hello",)], studies=rows)
    (root / "~$own.xlsx").write_text("lock of a spreadsheet")
    table = Table(Table.Options(ignore=("taken",)))
    first, second = table.studies(root, labels="own")
    assert (first.study, first.patient, first.images[0].path) == ("1", "7", "a.png")
    assert [s.stated["ckg:pulmonary_edema"] for s in (first, second)] == ["present", "absent"]
    (told,) = (r for r in Table().remarks(root) if r.where == "column 'taken'")
    assert "dates" in told.what


def test_which_sheet_is_meant(root: Path) -> None:
    rows: list[tuple[object, ...]] = [HEAD, ("s1", "p1", "a.png", 1)]
    workbook(root / "own.xlsx", first=rows, second=[*rows, ("s2", "p2", "b.png", 0)])
    (told,) = Table().remarks(root)
    assert "2 have a column 'study' of its sheets: first, second" in told.what
    assert "--sheet" in told.mend
    assert len(Table(Table.Options(sheet="second")).studies(root, labels="own")) == 2
    with pytest.raises(InputError, match="no sheet 'secund'") as caught:
        Table(Table.Options(sheet="secund")).studies(root, labels="own")
    assert "second" in caught.value.hint
    root.joinpath("own.xlsx").unlink()
    root.joinpath("own.csv").write_text("study,note\ns1,Cough.\n")
    with pytest.raises(InputError, match="is no workbook"):
        Table(Table.Options(sheet="second")).studies(root, labels="own")


def test_a_workbook_that_cannot_be_read_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "own.xlsx").write_bytes(b"PK no archive")
    (told,) = Table().remarks(root)
    assert (told.state, told.mend) == ("wrong", "save it as a csv")
    with zipfile.ZipFile(root / "own.xlsx", "w") as archive:
        archive.writestr("other.txt", "no workbook")
    assert [one.state for one in Table().remarks(root)] == ["wrong"]
    workbook(root / "own.xlsx", studies=[HEAD, ("s1", "p1", "a.png", 1, "behind")])
    assert "behind the last column" in [*Table().remarks(root)][-1].what
    monkeypatch.setattr("experiments.datasets._own_file.LARGEST", 1000)
    assert "unpacks to more" in next(iter(Table().remarks(root))).what
