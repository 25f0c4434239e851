"""`kgdx data label`: every kind of input, every kind of output, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from experiments.cli.label import LABELS, SECTIONS, label
from experiments.labelling.tables import LABEL_TABLES, STATEMENT_COLUMNS
from experiments.labelling.texts import Columns, LabelText, raw_texts, read_text
from experiments.privacy.pseudonyms import KEY, pseudonym
from kg.errors import InputError
from kg.mentions.sections import DEFAULT_SECTIONS, READ

SAMPLES = (
    Path(os.environ.get("KGDX_DATA", "../shared/data"))
    / "ontologies"
    / "stanfordmlgroup__chexpert-labeler"
)
REPORT = "FINDINGS: Small left effusion. No pneumothorax.\nIMPRESSION: Possible pneumonia.\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(label, [str(a) for a in arguments], catch_exceptions=False)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.txt"
    path.write_text(REPORT, encoding="utf-8")
    return path


# outputs


def test_statements_with_spans(report: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(report, "-o", out)
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(one["concept"], one["assertion"], one["section"]) for one in found] == [
        ("ckg:pleural_effusion", "present", "findings"),
        ("ckg:pneumothorax", "absent", "findings"),
        ("ckg:pneumonia", "uncertain", "impression"),
    ]
    first = found[0]
    assert (first["id"], first["text"], first["side"], first["severity"]) == (
        "report",
        "effusion",
        "left",
        "mild",
    )
    assert "Small left effusion."[first["start"] : first["end"]] == "effusion"


def test_the_same_as_csv(report: Path, tmp_path: Path) -> None:
    run(report, "-o", tmp_path / "out.csv")
    found = rows(tmp_path / "out.csv")
    assert tuple(found[0]) == STATEMENT_COLUMNS
    assert [row["text"] for row in found] == ["effusion", "pneumothorax", "pneumonia"]


def test_nothing_stated_leaves_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Nothing to see here.", encoding="utf-8")
    run(tmp_path / "a.txt", "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text(encoding="utf-8") == ",".join(STATEMENT_COLUMNS) + "\n"


def test_label_table_has_a_row_a_text_and_blanks_for_what_is_not_mentioned(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "deep"
    folder.mkdir(parents=True)
    (folder / "b.txt").write_text(REPORT, encoding="utf-8")
    (tmp_path / "reports" / "a.txt").write_text(" \n", encoding="utf-8")
    run(tmp_path / "reports", "--labels", "chexpert14", "-o", tmp_path / "out.csv")
    empty, full = rows(tmp_path / "out.csv")
    assert (empty.pop("id"), full.pop("id")) == ("a", "deep/b")
    assert set(empty.values()) == {""}
    assert len(full) == 14
    assert {column: value for column, value in full.items() if value} == {
        "Pleural Effusion": "1",
        "Pneumothorax": "0",
        "Pneumonia": "-1",
    }


def test_nih_and_mesh_are_ones_and_zeros(report: Path, tmp_path: Path) -> None:
    for name, there in (("nih14", {"Effusion"}), ("mesh", {"Pleural Effusion"})):
        run(report, "--labels", name, "-o", tmp_path / "out.csv")
        (row,) = rows(tmp_path / "out.csv")
        assert row.pop("id") == "report"
        assert set(row.values()) == {"0", "1"}
        assert {column for column, value in row.items() if value == "1"} == there


def test_negbio_lets_a_denial_beat_a_doubt(tmp_path: Path) -> None:
    """The columns of CheXpert in MIMIC-CXR-JPG's table of NegBio, aggregated as NegBio does."""
    text = "No effusion. Possible effusion on the right. Possible pneumonia. Edema. No edema."
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    made = {}
    for name in ("chexpert14", "chexpert14_negbio"):
        (made[name],) = json.loads(run(tmp_path / "a.txt", "--labels", name, "--json").stdout)
    assert list(made["chexpert14"]) == list(made["chexpert14_negbio"])
    differ = {c: v for c, v in made["chexpert14_negbio"].items() if v != made["chexpert14"][c]}
    assert (differ, made["chexpert14"]["Pleural Effusion"]) == ({"Pleural Effusion": 0}, -1)


def test_a_spanish_report_has_the_columns_of_padchest(tmp_path: Path) -> None:
    text = "HALLAZGOS\nCardiomegalia con signos de EPOC. No se observa derrame pleural.\n"
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    for name, there in (("padchest", {"cardiomegaly"}), ("padchest_differential", {"COPD signs"})):
        (row,) = json.loads(run(tmp_path / "a.txt", "--labels", name, "--json").stdout)
        assert {column for column, value in row.items() if value == 1} == there
    (row,) = json.loads(run(tmp_path / "a.txt", "--labels", "chexpert14", "--json").stdout)
    assert (row["Cardiomegaly"], row["Pleural Effusion"]) == (1, 0)


def test_every_label_set_can_be_chosen() -> None:
    assert set(LABELS) == set(LABEL_TABLES)


def test_json_and_tables_go_to_stdout(report: Path) -> None:
    assert [one["assertion"] for one in json.loads(run(report, "--json").stdout)] == [
        "present",
        "absent",
        "uncertain",
    ]
    printed = run(report, "--labels", "nih14").stdout.splitlines()
    assert printed[0].split("\t")[:2] == ["id", "Atelectasis"]


# which sections count


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("INDICATION: pneumothorax. FINDINGS: No pneumothorax.", "Pneumothorax", "0"),
        ("REASON FOR EXAM: pneumothorax\nFINDINGS: No pneumothorax.", "Pneumothorax", "0"),
        ("CLINICAL INFORMATION: Pulmonary edema.\nFINDINGS: No pulmonary edema.", "Edema", "0"),
        ("TECHNIQUE: X-ray, nodule protocol.\nFINDINGS: No nodule.", "Lung Lesion", "0"),
        ("INDICATION: Effusion.\nIMPRESSION: The effusion has resolved.", "Pleural Effusion", "0"),
        ("COMPARISON: Right effusion.\nFINDINGS: No effusion.", "Pleural Effusion", "0"),
        ("INDICATION: rule out pneumonia\nFINDINGS: Clear.\nIMPRESSION: No pneumonia.",
         "Pneumonia", "0"),
        ("HISTORY: Rib fracture, chronic.\nFINDINGS: The lungs are clear.", "Fracture", ""),
        ("HISTORY: Fall, rib fracture?\nIMPRESSION: Rib fracture.", "Fracture", "1"),
        ("INDICATION: CHF.\nCOMPARISON: None.\n\nSmall effusion.", "Pleural Effusion", "1"),
        ("INDICATION: CHF.\nCOMPARISON: None.\n\nSmall effusion.", "Edema", ""),
        ("INDICATION: Known effusion.", "Pleural Effusion", ""),
        ("INDICATION: Known effusion.", "No Finding", ""),
        ("IMPRESSION: No mass.\nRECOMMENDATION: CT, as a mass may hide.", "Lung Lesion", "0"),
    ],
)  # fmt: skip
def test_indication_technique_and_comparison_do_not_outvote_the_findings(
    tmp_path: Path, text: str, column: str, value: str
) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    run(tmp_path / "a.txt", "--labels", "chexpert14", "-o", tmp_path / "out.csv")
    (row,) = rows(tmp_path / "out.csv")
    assert row[column] == value


def test_sections_can_be_chosen(tmp_path: Path) -> None:
    path = table(
        tmp_path, "id,indication,findings,impression\na,Pneumonia.,Effusion.,No pneumothorax.\n"
    )

    def ones(*arguments: str) -> set[str]:
        (row,) = json.loads(run(path, "--labels", "nih14", "--json", *arguments).stdout)
        return {column for column, value in row.items() if value == 1}

    assert ones() == ones("--sections", "findings_impression") == {"Effusion"}
    assert ones("--sections", "impression") == {"normal"}
    assert ones("--sections", "all") == {"Effusion", "Pneumonia"}


def test_statements_and_dialogues_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("INDICATION: Pneumonia.\nFINDINGS: No edema.", "utf-8")
    found = json.loads(run(tmp_path / "a.txt", "--json").stdout)
    assert [one["section"] for one in found] == ["indication", "findings"]
    (tmp_path / "b.txt").write_text("Doctor: Any fever?\nPatient: No. I have covid.\n", "utf-8")
    talk = (tmp_path / "b.txt", "--labels", "covid", "--json", "--dialogue")
    assert json.loads(run(*talk).stdout)[0]["COVID-19"] == 1
    for arguments in (["--sections", "all"], ["--labels", "covid", "--dialogue", "--sections=all"]):
        with pytest.raises(InputError, match="--sections"):
            run(tmp_path / "b.txt", *arguments)


def test_every_choice_of_sections_is_offered() -> None:
    assert set(SECTIONS) == set(READ)
    assert SECTIONS[0] == DEFAULT_SECTIONS


# the page


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.marks: list[str | None] = []
        self.listed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "mark":
            self.marks.append(dict(attrs)["class"])
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["li"] and data.strip():
            self.listed.append(data)


def test_the_page_marks_and_escapes(tmp_path: Path) -> None:
    canary = '<script>alert("canary")</script><img src=x onerror=alert(1)>"\'><svg/onload=x>'
    name = "<b>canary<b>"
    (tmp_path / f"{name.replace('/', '')}.txt").write_text(
        f"FINDINGS: {canary} Small effusion {canary}. No pneumothorax.\x1b[31m", encoding="utf-8"
    )
    out = tmp_path / "out.html"
    run(tmp_path, "-o", out)
    text = out.read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert not {"script", "img", "svg", "b", "link", "iframe"} & set(page.tags)
    assert "\x1b" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert page.marks[3:] == ["present", "absent"]
    assert page.listed == [
        "“effusion”: Pleural Effusion, present (plain); mild",
        "“pneumothorax”: Pneumothorax, absent (absent_before)",
    ]


def test_the_page_shows_the_whole_text_once(tmp_path: Path) -> None:
    text = "The cardiomediastinal silhouette is normal, no pleural effusion or thickening at all."
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    run(tmp_path / "a.txt", "-o", tmp_path / "a.html")

    class Words(HTMLParser):
        said, inside = "", False

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = self.inside or ("class", "words") in attrs

        def handle_endtag(self, tag: str) -> None:
            self.inside = self.inside and tag != "p"

        def handle_data(self, data: str) -> None:
            self.said += data if self.inside else ""

    words = Words()
    words.feed((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert words.said == text


# a csv


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "reports.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ("findings_impression", {"pleural effusion", "cardiomegaly"}),
        ("impression", {"cardiomegaly"}),
        ("all", {"pneumothorax", "pleural effusion", "cardiomegaly"}),
    ],
)
def test_sections_of_a_spanish_report(tmp_path: Path, sections: str, found: set[str]) -> None:
    text = "DATOS CLÍNICOS: Neumotórax. HALLAZGOS: Derrame pleural. CONCLUSIÓN: Cardiomegalia."
    path = tmp_path / "report.txt"
    path.write_text(text, encoding="utf-8")
    (row,) = json.loads(run(path, "--labels", "padchest", "--sections", sections, "--json").stdout)
    assert {label for label, value in row.items() if value == 1} == found


def read_all(path: Path, *columns: Columns) -> list[LabelText]:
    return [read_text(raw) for raw in raw_texts(path, *columns)]


def test_one_text_column_or_sections(tmp_path: Path) -> None:
    one = table(tmp_path, 'study,report\ns1,"Effusion, small.\nNo pneumothorax."\n')
    assert [p.name for p in read_all(one)[0].passages] == ["findings"]
    two = table(tmp_path, "id,Impression,findings,MeSH\ns1,No edema.,Effusion.,x\ns2,,,x\n")
    first, second = read_all(two)
    assert [(p.name, p.text) for p in first.passages] == [
        ("impression", "No edema."),
        ("findings", "Effusion."),
    ]
    assert (second.passages, second.flags) == ((), ("empty",))
    named = table(tmp_path, "case,words,findings\n7,Effusion.,no\n")
    (only,) = read_all(named, Columns("case", "words"))
    assert (only.id, only.passages[0].text) == ("7", "Effusion.")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("case,report\na,b\n", "--id"),
        ("id,words\na,b\n", "--text"),
        ("id,report\na,b\na,c\n", "a"),
        ("id,report\n,b\n", "row 2"),
        ("id;report\na;b\n", "id;report"),
        ("id,report,report\na,b,c\n", "report"),
        ("id,report\na,b,c\n", "row 2"),
        ("", "--id"),
    ],
)
def test_a_wrong_csv_says_what_to_mend(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_all(table(tmp_path, text))
    assert "reports.csv" in str(error.value)
    assert says in str(error.value)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (only,) = read_all(table(tmp_path, "id,report\na,Effusion.\n", "utf-8-sig"))
    assert only.id == "a"


def test_refused_before_anything_is_read(report: Path, tmp_path: Path) -> None:
    for arguments in (["-o", tmp_path / "out.pdf"], ["--labels", "nih14", "-o", "out.html"]):
        with pytest.raises(InputError, match="cannot be written as"):
            run(report, *arguments)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no text file"):
        run(tmp_path / "none")


# bad text


@pytest.mark.parametrize(
    ("raw", "flag"),
    [
        (b"", "empty"),
        (b"FINDINGS:\nIMPRESSION:\n", "only_headers"),
        (b"Effusion.\x00 No edema.", "nul_bytes"),
        (b"Effusion \xff\xfe here. No edema.", "invalid_utf8"),
        (b"\xef\xbb\xbfEffusion. No edema.", "byte_order_mark"),
        ("Effu\u200bsion. No \u202eedema\u202c.".encode(), "hidden_characters"),
        (b"\x1b[31mEffusion\x1b[0m. No edema.", "control_characters"),
        (b"Effusion. No edema. " + b"word " * 400_000, "cut_at_limit"),
    ],
)
def test_bad_text_is_read_and_flagged(tmp_path: Path, raw: bytes, flag: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_bytes(raw)
    (only,) = read_all(path)
    assert flag in only.flags
    done = run(path, "--json")
    assert flag.replace("_", " ") in done.stderr
    found = {one["concept"]: one["assertion"] for one in json.loads(done.stdout)}
    expected = {"ckg:pleural_effusion": "present", "ckg:pulmonary_edema": "absent"}
    assert found == (expected if b"usion" in raw or b"sion" in raw else {})


def test_a_cell_of_two_megabytes_is_cut_and_flagged(tmp_path: Path) -> None:
    path = table(tmp_path, f"id,report\na,{'Effusion. ' + 'word ' * 400_000}\nb,No edema.\n")
    done = run(path, "--labels", "nih14", "--json")
    assert "cut at limit" in done.stderr
    assert [row["Effusion"] for row in json.loads(done.stdout)] == [1, 0]


@pytest.mark.parametrize("ending", [".tsv", ".xlsx", ".pdf", ".JSON"])
def test_what_is_no_text_is_not_read_as_one(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"reports{ending}"
    path.write_text("No effusion.", encoding="utf-8")
    with pytest.raises(InputError, match="not plain text"):
        read_all(path)


def test_line_ends_of_all_kinds_read_the_same(tmp_path: Path) -> None:
    said = []
    for place, end in enumerate(("\n", "\r\n", "\r")):
        path = tmp_path / f"{place}.txt"
        path.write_bytes(REPORT.replace("\n", end).encode())
        said.append([(p.name, p.text) for p in read_all(path)[0].passages])
    assert said[0] == said[1] == said[2]


def test_a_dialogue_is_read_by_speaker(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    path.write_text("Doctor: Any fever?\nPatient: No. I have a cough.\n", encoding="utf-8")
    found = json.loads(run(path, "--dialogue", "--json").stdout)
    assert [(one["concept"], one["assertion"]) for one in found] == [
        ("ckg:fever", "absent"),
        ("ckg:cough", "present"),
    ]


def test_sample_reports_of_the_chexpert_labeler(tmp_path: Path) -> None:
    """The published examples get the published labels."""
    if not SAMPLES.is_dir():
        pytest.skip("the published samples are not here")
    with (SAMPLES / "labeled_reports.csv").open(encoding="utf-8", newline="") as lines:
        published = list(csv.DictReader(lines))
    for place, row in enumerate(published):
        (tmp_path / f"{place}.txt").write_text(row["Reports"], encoding="utf-8")
    run(tmp_path, "--labels", "chexpert14", "-o", tmp_path / "out.csv")
    for row, made in zip(published, rows(tmp_path / "out.csv"), strict=True):
        labels = {c: int(float(value)) for c, value in row.items() if c != "Reports" and value}
        assert {c: int(v) for c, v in made.items() if c != "id" and v} == labels


def test_under_a_key_ids_are_pseudonyms_and_text_is_written_where_asked_for(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = report.rename(tmp_path / "Smith.txt")
    run(named, "-o", tmp_path / "open.csv")
    monkeypatch.setenv(KEY, "a key of some length")
    run(named, "-o", tmp_path / "keyed.csv")
    run(named, "-o", tmp_path / "asked.csv", "--free-text", "all")
    plain, keyed, asked = (rows(tmp_path / f"{name}.csv") for name in ("open", "keyed", "asked"))
    called = {pseudonym("study", "Smith")}
    assert {row["id"] for row in plain} == {"Smith"}
    assert {row["id"] for row in keyed} == {row["id"] for row in asked} == called
    assert all(row["text"] for row in (*plain, *asked))
    assert not any(row["text"] for row in keyed)
    other = [[{k: v for k, v in row.items() if k not in ("id", "text")} for row in some]
             for some in (plain, keyed, asked)]  # fmt: skip
    assert other[0] == other[1] == other[2]
    with pytest.raises(InputError, match="the page shows the texts"):
        run(named, "-o", tmp_path / "page.html")
    run(named, "-o", tmp_path / "page.html", "--free-text", "all")
    assert "Possible" in (tmp_path / "page.html").read_text()


def test_deidentified_text_is_what_is_read_and_written(
    report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.privacy import deidentify

    monkeypatch.setattr(
        deidentify,
        "deidentified",
        lambda passages: [replace(p, text=p.text.replace("left", "___")) for p in passages],
    )
    run(report, "-o", tmp_path / "out.csv", "--free-text", "deidentified")
    assert not any("left" in row["text"] for row in rows(tmp_path / "out.csv"))
    assert not any(row["side"] for row in rows(tmp_path / "out.csv"))


def test_it_needs_neither_torch_nor_pandas(report: Path, processes: Any) -> None:
    code = (
        "import sys; from experiments.cli.label import label;"
        "label([sys.argv[1], '--labels', 'nih14'], standalone_mode=False);"
        "sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'rdflib', 'networkx')))"
    )
    done = processes.python(code, report)
    assert done.returncode == 0, done.stderr
