from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from experiments.datasets import _mesh as mesh
from experiments.datasets._label_columns import CHEXPERT14, NIH14
from experiments.datasets.openi import OpenI
from kg.errors import InputError
from kg.files.store import load_shipped

XML = """<eCitation><uId id="CXR{n}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="INDICATION">Cough</AbstractText>
<AbstractText Label="FINDINGS">Heart  size is normal.</AbstractText>
<AbstractText Label="IMPRESSION"/></Abstract></Article></MedlineCitation>
<MeSH><major>Cardiomegaly/mild</major><major>Aorta/tortuous</major></MeSH>
<parentImage id="CXR{n}_1_IM-0001-{n}001"/></eCitation>"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    OpenI().tiny(tmp_path)
    return tmp_path


def test_a_study_is_a_report_with_its_pictures(root: Path) -> None:
    studies = OpenI().studies(root, labels="nih14")
    assert [study.study for study in studies][:3] == ["CXR1", "CXR2", "CXR3"]
    first = studies[0]
    assert first.patient == "CXR1"
    assert [image.view for image in first.images] == ["frontal", "lateral"]
    assert [p.name for p in first.report] == ["indication", "comparison", "findings", "impression"]
    assert first.stated["ckg:pleural_effusion"] == "present"
    assert first.stated["ckg:no_finding"] == "absent"
    assert len(first.stated) == 15
    assert first.coded == {"ckg:pleural_effusion": "present"}
    assert first.metadata["pictures"] == "2"
    assert studies[-1].metadata["view"] == "frontal"


def test_mesh_and_machine_labels(root: Path) -> None:
    coded = OpenI().studies(root, labels="mesh")[0]
    assert coded.stated == {"ckg:pleural_effusion": "present"}
    machine = OpenI().studies(root, labels="chexpert14")[0]
    assert machine.stated["ckg:pleural_effusion"] == "present"
    assert len(machine.stated) == 14


def test_mesh_paths_become_concepts() -> None:
    assert mesh.concepts_of("Aorta/tortuous/mild") == ("ckg:tortuous_aorta",)
    assert mesh.concepts_of("Aorta") == ()
    assert mesh.concepts_of("Nodule/lung/multiple") == ("ckg:lung_nodule", "ckg:multiple_nodules")
    assert mesh.concepts(["Pulmonary  Atelectasis/base", "No Indexing"]) == {
        "ckg:atelectasis": "present"
    }
    assert mesh.says_nothing("No Indexing")


def test_full_mesh_adds_body_parts_and_attributes(root: Path) -> None:
    assert mesh.steps_of("Opacity/lung/base/left/mild") == (
        *("ckg:lung", "ckg:lung_bases", "ckg:left", "ckg:mild"),
    )
    assert mesh.steps_of("Spine/degenerative") == ("ckg:spine", "ckg:degenerative_changes")
    assert mesh.steps_of("No Indexing") == ()
    paths = ["Opacity/lung/base/left", "Aorta/tortuous"]
    plain, full = mesh.concepts(paths), mesh.concepts(paths, full=True)
    assert set(plain) == {"ckg:lung_opacity", "ckg:tortuous_aorta"}
    assert set(full) == {*plain, "ckg:lung", "ckg:lung_bases", "ckg:left", "ckg:aorta"}
    first = OpenI().studies(root, labels="mesh_full")[0]
    assert first.stated.items() >= OpenI().studies(root, labels="mesh")[0].stated.items()
    assert first.coded == {"ckg:pleural_effusion": "present"}


def test_the_grade_of_edema_is_the_highest_coded(root: Path) -> None:
    assert [choice.name for choice in OpenI.label_choices if choice.ordered] == ["edema"]
    none, congestion, edema = mesh.EDEMA
    for paths, grade in (
        (["normal"], none),
        (["Cardiomegaly/mild", "Pulmonary Congestion"], congestion),
        (["Pulmonary Edema/interstitial", "Pulmonary Congestion"], edema),
    ):
        stated = mesh.edema(paths)
        assert stated == dict.fromkeys(mesh.EDEMA, "absent") | {grade: "present"}
    found = OpenI().label_set(root, "edema")
    assert found is not None
    assert found.exclusive
    assert found.findings == mesh.EDEMA
    first = OpenI().studies(root, labels="edema")[0]
    assert first.stated[none] == "present"


def test_every_concept_named_is_in_the_graph() -> None:
    graph = load_shipped()
    full = mesh.full_label_set()
    assert set(full.findings) <= set(graph.index)
    assert set(full.findings) > set(mesh.label_set().findings)
    assert set(mesh.label_set().findings) <= set(graph.index)
    nih = graph.label_set("nih14")
    assert dict(zip(nih.columns, nih.findings, strict=True)) == NIH14
    chexpert = graph.label_set("chexpert14")
    assert dict(zip(chexpert.columns, chexpert.findings, strict=True)) == CHEXPERT14


def test_the_xml_layout_reads_with_views_from_the_headers(root: Path) -> None:
    source = next((root / "images").iterdir())
    other = root / "xml"
    (other / "ecgen-radiology").mkdir(parents=True)
    (other / "NLMCXR_png").mkdir()
    for number in (2, 10):
        (other / "ecgen-radiology" / f"{number}.xml").write_text(XML.format(n=number))
        shutil.copy(source, other / "NLMCXR_png" / f"CXR{number}_1_IM-0001-{number}001.png")
    (other / "nlmcxr_dicom_metadata.csv.gz").write_bytes(_header_table())
    studies = OpenI().studies(other, labels="mesh")
    assert [study.study for study in studies] == ["CXR2", "CXR10"]
    assert [p.name for p in studies[0].report] == ["indication", "findings"]
    assert studies[0].report[1].text == "Heart size is normal."
    assert set(studies[0].coded) == {"ckg:cardiomegaly", "ckg:tortuous_aorta"}
    assert studies[0].images[0].view == "lateral"
    assert studies[0].metadata["width"] == "2000"
    assert studies[1].images[0].view == "unknown"


def _header_table() -> bytes:
    import gzip

    text = "imageid,Rows,Columns,View Position\nCXR2_1_IM-0001-2001,1000,2000,LATERAL\n"
    return gzip.compress(text.encode())


def test_rows_moved_against_each_other_are_refused(root: Path) -> None:
    table = root / "indiana_projections.csv"
    header, first, second, *others = table.read_text().splitlines()
    table.write_text("\n".join([header, second, first, *reversed(others)]))
    assert len(OpenI().studies(root, labels="nih14")) == 16
    table.write_text("\n".join([header, "2," + first.partition(",")[2], second, *others]))
    with pytest.raises(InputError, match="row 2: image '1_IM-0001-0001.dcm.png' is of report 1"):
        OpenI().studies(root, labels="nih14")


def test_nothing_is_dropped_in_silence(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    gone = sorted((root / "images").iterdir())
    for path in gone:
        if path.name.startswith(("3_", "4_IM-0004-0001")):
            path.unlink()
    reading = OpenI().read(root, labels="nih14")
    assert len(reading.studies) == 15
    assert (
        sorted(item.reason for item in reading.rejected)
        == ["no picture"] + ["picture not found"] * 3
    )
    OpenI().studies(root, labels="nih14")
    assert "1 left out: no picture" in caplog.text


def change(path: Path, row: int, column: str, value: str) -> None:
    with path.open(encoding="utf-8", newline="") as lines:
        table = list(csv.DictReader(lines))
    table[row - 2][column] = value
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, table[0])
        writer.writeheader()
        writer.writerows(table)


@pytest.mark.parametrize(
    ("file", "column", "value", "says"),
    [
        ("openi_gld_std14.csv", "Mass", "2", "row 4, column 'Mass': '2'"),
        ("openi_gld_std14.csv", "normal", "Yes", "row 4, column 'normal': 'Yes'"),
        ("openi_gld_std14.csv", "filename", "CXR1", "'CXR1' is in rows 2 and 4"),
        ("indiana_reports.csv", "uid", "x", "row 4: uid 'x'"),
        ("indiana_projections.csv", "projection", "Oblique", "row 4: projection 'Oblique'"),
    ],
)
def test_wrong_rows_are_errors(root: Path, file: str, column: str, value: str, says: str) -> None:
    change(root / file, 4, column, value)
    with pytest.raises(InputError) as error:
        OpenI().studies(root, labels="nih14")
    assert says in error.value.message
    assert file in error.value.message


def test_wrong_machine_labels_are_errors(root: Path) -> None:
    path = root / "chexpert14_file2label.json"
    for wrong in ({"ecgen-radiology/1.xml": [2] * 14}, {"ecgen-radiology/1.xml": [0] * 3}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match="14 of 0 and 1"):
            OpenI().studies(root, labels="chexpert14")
    path.write_text("{")
    with pytest.raises(InputError, match="not readable JSON"):
        OpenI().studies(root, labels="chexpert14")


def test_the_archive_is_read_where_it_is(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "archive"
    (other / "images").mkdir(parents=True)
    for number in (2, 10):
        shutil.copy(
            root / "images" / "1_IM-0001-0001.dcm.png",
            other / "images" / f"CXR{number}_1_IM-0001-{number}001.png",
        )
    with tarfile.open(other / "NLMCXR_reports.tgz", "w:gz") as archive:
        for name in ("ecgen-radiology/2.xml", "./ecgen-radiology/10.xml", "../3.xml", "notes.txt"):
            raw = XML.format(n=Path(name).stem).encode()
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    studies = OpenI().studies(other, labels="mesh")
    assert [study.study for study in studies] == ["CXR2", "CXR10"]
    assert sorted(path.name for path in other.iterdir()) == ["NLMCXR_reports.tgz", "images"]
    raw = (other / "NLMCXR_reports.tgz").read_bytes()
    (other / "NLMCXR_reports.tgz").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(InputError, match=r"NLMCXR_reports\.tgz: not readable"):
        OpenI().studies(other, labels="mesh")


def test_a_broken_report_is_named(tmp_path: Path) -> None:
    (tmp_path / "ecgen-radiology").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "ecgen-radiology" / "1.xml").write_text("<a>")
    with pytest.raises(InputError, match=r"1\.xml: not readable XML"):
        OpenI().studies(tmp_path, labels="mesh")
