"""Layouts of published data sets: what is read of each, and the mistakes that are named."""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders.reading.picture import read_picture
from encoders.study import Study
from experiments.datasets import DATASETS
from experiments.datasets._label_columns import CHEXPERT14
from experiments.datasets._made_up import write_table
from experiments.datasets._pictures import draw
from kg.errors import InputError

RNG = np.random.default_rng(0)


@pytest.fixture
def root(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """The made-up copy of the data set a test is marked with."""
    name = request.param
    folder = tmp_path / name
    folder.mkdir()
    DATASETS.load(name)().tiny(folder)
    return folder


def of(name: str) -> Any:
    return pytest.mark.parametrize("root", [name], indirect=True, ids=[name])


def studies(root: Path, labels: str, **options: Any) -> dict[str, Study]:
    part = DATASETS.load(root.name)
    found = part(part.Options(**options)).studies(root, labels=labels)
    return {study.study: study for study in found}


def rejected(root: Path, labels: str, **options: Any) -> list[tuple[str, int, str, str]]:
    part = DATASETS.load(root.name)
    reading = part(part.Options(**options)).read(root, labels=labels)
    return [(item.file, item.row, item.reason, item.item) for item in reading.rejected]


def rewrite(path: Path, old: str, new: str) -> None:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
    assert old in text
    made = text.replace(old, new, 1).encode()
    path.write_bytes(gzip.compress(made) if path.suffix == ".gz" else made)


@of("mimic_cxr")
def test_mimic_reports_have_sections_and_short_ones_are_dropped_by_option(root: Path) -> None:
    found = studies(root, "chexpert14")
    assert [(p.name, p.text) for p in found["s50000200"].report] == [
        ("indication", "year old with cough."),
        ("findings", "Small left pleural effusion. Possible edema. No pneumothorax."),
        ("impression", "Pleural effusion."),
    ]
    dropped = studies(root, "chexpert14", fewest_tokens=3)
    assert set(dropped) == set(found)
    assert [name for name in found if not dropped[name].report] == ["s50000201"]
    tree = "p10/p10000101/s50000201.txt"
    why = "report of fewer than 3 tokens"
    assert rejected(root, "chexpert14", fewest_tokens=3) == [(tree, 0, why, "s50000201")]
    (root / "mimic-cxr-reports" / "files" / tree).unlink()
    assert rejected(root, "chexpert14") == [(tree, 0, "report not found", "s50000201")]
    assert not any(s.report for s in studies(root, "chexpert14", reports=False).values())


@of("mimic_cxr")
def test_mimic_labels_of_each_giver(root: Path) -> None:
    edema, opacity = "ckg:pulmonary_edema", "ckg:lung_opacity"
    for labels in ("chexpert14", "chexpert14_negbio"):
        ill = studies(root, labels)["s50000200"].stated
        assert (ill[edema], ill["ckg:pneumothorax"]) == ("uncertain", "absent")
        assert opacity not in ill
    path = root / "mimic-cxr-2.1.0-test-set-labeled.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert "Lung Opacity" not in rows[0]
    rows[0]["Airspace Opacity"] = "1.0"
    write_table(path, tuple(rows[0]), [tuple(row.values()) for row in rows])
    found = studies(root, "chexpert14_test")
    assert found[f"s{rows[0]['study_id']}"].stated[opacity] == "present"
    labelled = {name for name, study in found.items() if study.stated}
    assert labelled == {f"s{row['study_id']}" for row in rows}
    split = DATASETS.load("mimic_cxr")().official_split(root)
    assert {split[name] for name in labelled} == {"test"}
    path.unlink()
    with pytest.raises(InputError, match=r"test-set-labeled\.csv: not found"):
        studies(root, "chexpert14_test")


@of("mimic_cxr")
def test_mimic_as_dicom_without_metadata_has_no_views(root: Path) -> None:
    before = studies(root, "chexpert14")
    metadata = root / "mimic-cxr-2.0.0-metadata.csv.gz"
    shots = list(csv.DictReader(gzip.decompress(metadata.read_bytes()).decode().splitlines()))
    metadata.unlink()
    header = ("subject_id", "study_id", "dicom_id", "path")
    rows = [(row["subject_id"], row["study_id"], row["dicom_id"], "") for row in shots]
    write_table(root / "cxr-record-list.csv.gz", header, rows)
    for place in (root / "files").rglob("*.jpg"):
        place.rename(place.with_suffix(".dcm"))
    after = studies(root, "chexpert14")
    assert set(after) == set(before)
    assert {image.view for study in after.values() for image in study.images} == {"unknown"}
    assert {image.path[-4:] for study in after.values() for image in study.images} == {".dcm"}


@of("mimic_cxr")
def test_mimic_mistakes_are_named(root: Path) -> None:
    table = root / "mimic-cxr-2.0.0-chexpert.csv.gz"
    before = table.read_bytes()
    rewrite(table, "-1.0", "2")
    with pytest.raises(InputError, match=r"row 2, column 'Edema': '2' is not a label"):
        studies(root, "chexpert14")
    table.write_bytes(before)
    rewrite(root / "mimic-cxr-2.0.0-metadata.csv.gz", ",10000101,50000201", ",10000177,50000201")
    (root / "files/p10/p10000177").mkdir()
    (root / "files/p10/p10000101/s50000201").rename(root / "files/p10/p10000177/s50000201")
    assert rejected(root, "chexpert14")[0][:3] == (
        "mimic-cxr-2.0.0-metadata.csv.gz",
        4,
        "picture not found",
    )
    with pytest.raises(InputError, match="study s50000201 is of two patients in rows 3 and 4"):
        studies(root, "chexpert14", pictures="optional")
    rewrite(root / "mimic-cxr-2.0.0-split.csv.gz", ",validate", ",valid")
    with pytest.raises(InputError, match=r"row \d+: split 'valid'") as error:
        DATASETS.load("mimic_cxr")().official_split(root)
    assert "validate" in error.value.hint
    (root / "mimic-cxr-2.0.0-split.csv.gz").unlink()
    assert DATASETS.load("mimic_cxr")().official_split(root) == {}


@of("chexpert")
def test_chexpert_in_batches_and_with_a_test_table_without_facts(root: Path) -> None:
    before = studies(root, "chexpert14")
    assert {image.view for image in before["patient00001/study2"].images} == {"frontal", "lateral"}
    assert not {"sex", "age"} & set(before["patient64741/study1"].metadata)
    batch = root / "CheXpert-v1.0 batch 2 (train 1)"
    (root / "train").rename(batch)
    after = studies(root, "chexpert14")
    assert set(after) == set(before)
    assert after["patient00001/study1"].images[0].path.startswith(batch.name)
    (root / "train").mkdir()
    draw(root / "train/patient00001/study1/view1_frontal.jpg", RNG)
    with pytest.raises(InputError, match=r"patient00001/study1/view1_frontal is there twice"):
        studies(root, "chexpert14")


@of("chexpert")
def test_chexpert_before_its_test_table_was_tested_on_the_200(root: Path) -> None:
    chexpert = DATASETS.load("chexpert")()
    whole = chexpert.official_split(root)
    (root / "test_labels.csv").unlink()
    early = chexpert.official_split(root)
    assert set(early.values()) == {"train", "test"}
    assert {s for s in early if early[s] == "test"} == {
        s for s in whole if whole[s] == "validation"
    }
    (root / "valid.csv").unlink()
    assert chexpert.official_split(root) == {}


@of("chexpert")
def test_chexpert_labels_belong_to_a_study(root: Path) -> None:
    found = studies(root, "chexpert14")
    assert found["patient00001/study1"].stated == {
        "ckg:pleural_effusion": "present",
        "ckg:pulmonary_edema": "uncertain",
        "ckg:cardiomegaly": "absent",
    }
    expert = found["patient64541/study1"].stated
    assert len(expert) == len(CHEXPERT14)
    rewrite(root / "valid.csv", "patient64541", "person64541")
    with pytest.raises(InputError, match=r"valid\.csv: row 2: Path .* names no patient"):
        studies(root, "chexpert14")
    lines = (root / "train.csv").read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if "lateral" in line)
    lines[place] = lines[place].replace(",1.0,", ",0.0,")
    (root / "train.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"rows \d+ and \d+ differ on study patient"):
        studies(root, "chexpert14")


@of("nih_chestxray14")
def test_nih_mistakes_are_named(root: Path) -> None:
    rewrite(root / "google2019_nih-chest-xray-labels.csv", "YES", "perhaps")
    with pytest.raises(InputError, match="row 2: 'perhaps' is no answer"):
        studies(root, "nih_google4")
    rewrite(root / "BBox_List_2017.csv", ",20,", ",wide,")
    with pytest.raises(InputError, match="row 2: the box is 10, 12, wide, 16"):
        DATASETS.load("nih_chestxray14")().boxes(root)
    rewrite(root / "Data_Entry_2017_v2020.csv", "Effusion|Hernia", "Effusion|Hernias")
    with pytest.raises(InputError, match="row 3: finding 'Hernias'") as error:
        studies(root, "nih14")
    assert "Hernia" in error.value.hint
    nih = DATASETS.load("nih_chestxray14")()
    (root / "test_list.txt").unlink()
    with pytest.raises(InputError, match=r"test_list\.txt: not found"):
        nih.official_split(root)
    (root / "train_val_list.txt").unlink()
    assert nih.official_split(root) == {}


@of("padchest")
def test_padchest_labels_of_physicians_alone_and_the_ill_written(root: Path) -> None:
    found = studies(root, "padchest")
    copd, effusion = "ckg:chronic_obstructive_pulmonary_disease", "ckg:pleural_effusion"
    assert found["study1"].stated == {effusion: "present", copd: "present"}
    assert found["study2"].stated == {"ckg:unchanged": "present"}
    assert found["study14"].stated == {}
    own = studies(root, "padchest", labels_by="physician")
    assert [name for name in own if not own[name].stated and found[name].stated] == [
        f"study{number}" for number in (0, 4, 8, 12, 16)
    ]
    table = root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
    rewrite(table, "patient1,", "patient2,")
    joined = studies(root, "padchest")
    assert joined["study1"].patient == joined["study2"].patient
    rewrite(table, "['unchanged']", "['unchangd']")
    with pytest.raises(InputError, match="row 5: label 'unchangd'"):
        studies(root, "padchest")
    rewrite(table, "['unchangd']", "unchanged")
    with pytest.raises(InputError, match="row 5: Labels 'unchanged' is no list"):
        studies(root, "padchest")


@of("vinbigdata")
def test_vinbigdata_readers_vote(root: Path) -> None:
    first = f"{0:032x}"
    one = studies(root, "vinbigdata15")[first]
    assert one.stated == {"ckg:cardiomegaly": "present", "ckg:no_finding": "absent"}
    assert one.coded == {"ckg:lung_cyst": "present"}
    three = studies(root, "vinbigdata15", readers=3)[first]
    assert three.stated == {"ckg:cardiomegaly": "uncertain", "ckg:no_finding": "uncertain"}
    assert three.coded == {"ckg:lung_cyst": "uncertain"}
    consensus = studies(root, "vinbigdata15", readers=3)[f"{16:032x}"]
    assert consensus.stated["ckg:cardiomegaly"] == "present"
    rewrite(root / "annotations/annotations_train.csv", "Lung cyst", "Lung sist")
    with pytest.raises(InputError, match="row 4: class_name 'Lung sist'"):
        studies(root, "vinbigdata15")
    (root / "annotations" / "annotations_test.csv").unlink()
    assert DATASETS.load("vinbigdata")().official_split(root) == {}


@of("vinbigdata")
def test_vindr_whole_pictures_have_local_classes_and_global_diagnoses(root: Path) -> None:
    found = studies(root, "vindr28")
    first = found[f"{0:032x}"]
    assert {concept for concept, value in first.stated.items() if value == "present"} == {
        "ckg:cardiomegaly",
        "ckg:lung_cyst",  # of one reader
        "ckg:pneumonia",
        "ckg:other_diseases",
    }
    assert (len(first.stated), first.coded) == (28, {})
    three = studies(root, "vindr28", readers=3)[f"{0:032x}"].stated
    assert three["ckg:pneumonia"] == three["ckg:no_finding"] == "uncertain"
    consensus = studies(root, "vindr28", readers=3)[f"{16:032x}"].stated
    assert consensus["ckg:other_diseases"] == "present"  # a column the test table spells apart
    assert found[f"{1:032x}"].stated["ckg:no_finding"] == "present"
    table = root / "annotations/image_labels_train.csv"
    lines = table.read_text().splitlines()
    lines[2] = lines[2].replace("R9,0", "R9,").rsplit(",", 1)[0] + ",1"  # sees nothing, alone
    table.write_text("\n".join(lines))
    assert studies(root, "vindr28")[f"{0:032x}"].stated["ckg:no_finding"] == "absent"
    rewrite(table, "R8,0", "R8,maybe")
    with pytest.raises(InputError, match="row 2, column 'Aortic enlargement': 'maybe'"):
        studies(root, "vindr28")
    table.unlink()
    (root / "annotations/image_labels_test.csv").unlink()
    with pytest.raises(InputError, match="choose vinbigdata15"):
        studies(root, "vindr28")


@of("rsna_pneumonia")
def test_rsna_patients_come_from_the_mapping(root: Path) -> None:
    found = studies(root, "rsna3")
    assert len({study.patient for study in found.values()}) == 10
    assert sorted(found["00000002-made-up"].stated.values()) == ["absent", "absent", "present"]
    mapping = root / "pneumonia-challenge-dataset-mappings_2018.json"
    mapping.write_text(json.dumps([{"img_id": "1.png"}]))
    with pytest.raises(InputError, match="not RSNA's mapping"):
        studies(root, "rsna3")
    mapping.unlink()
    assert len({study.patient for study in studies(root, "rsna3").values()}) == 15
    rewrite(root / "stage_2_train_labels.csv", "40,12,12,16,1", "40,12,12,16,0")
    with pytest.raises(InputError, match="Target of 00000003-made-up differs"):
        studies(root, "rsna_pneumonia")


@of("siim_pneumothorax")
def test_siim_outlines_by_hand(root: Path) -> None:
    siim = DATASETS.load("siim_pneumothorax")()
    boxes = siim.boxes(root)
    # column 20, rows 30 to 39; then 1024 - 10 further pixels: column 21, the same rows
    assert {(box.x, box.y, box.width, box.height) for box in boxes} == {(20, 30, 2, 10)}
    assert len(boxes) == 5
    path = root / "train-rle.csv"
    path.write_text("ImageId, EncodedPixels\na,1000 100\nb,-1\n")
    (box,) = siim.boxes(root)
    assert (box.x, box.y, box.width, box.height) == (0, 0, 2, 1024)
    path.write_text("ImageId, EncodedPixels\na,1000 100 3\n")
    with pytest.raises(InputError, match="row 2: EncodedPixels"):
        siim.boxes(root)


@of("covidx")
def test_covidx_lists_of_every_version(root: Path) -> None:
    found = studies(root, "covidx3")
    assert found["train/2.png"].stated["ckg:covid_19"] == "present"
    assert found["train/0.png"].patient == "rsna:train0-made-up"
    for part in ("train", "test"):
        (root / f"{part}_COVIDx9B.txt").write_text("p 0.png negative\nq 1.png positive bimcv\n")
    with pytest.raises(InputError, match="several lists of the subset train"):
        studies(root, "covid")
    binary = studies(root, "covid", version="9B")
    assert binary["train/1.png"].stated == {"ckg:covid_19": "present"}
    assert "document" not in binary["train/0.png"].metadata
    with pytest.raises(InputError, match="line 1: class 'negative' is none of three"):
        studies(root, "covidx3", version="9B")
    with pytest.raises(InputError, match="no list of version '7A'"):
        studies(root, "covid", version="7A")
    for text, says in (("a b.png", "line 1 has 2 words"), ("a b.png covd", "class 'covd'")):
        (root / "train_COVIDx9B.txt").write_text(text)
        with pytest.raises(InputError, match=says):
            studies(root, "covid", version="9B")


@pytest.mark.parametrize(
    ("name", "text", "metadata", "remark"),
    [
        ("shenzhen", "male 45yrs\nnormal\n", {"sex": "M", "age": "45"}, "normal"),
        ("shenzhen", "Female , 33yrs\nbilateral PTB", {"sex": "F", "age": "33"}, "bilateral PTB"),
        ("shenzhen", "femal 32yrs\n\nSTB\n", {"sex": "F", "age": "32"}, "STB"),
        ("shenzhen", "male 16month\nnormal", {"sex": "M"}, "normal"),
        (
            "montgomery",
            "Patient's Sex: F \nPatient's Age: 027Y\nmiliary pattern\nTB.",
            {"sex": "F", "age": "27"},
            "miliary pattern TB.",
        ),
    ],
)
def test_tuberculosis_readings(
    tmp_path: Path, name: str, text: str, metadata: dict[str, str], remark: str
) -> None:
    root = tmp_path / name
    root.mkdir()
    prefix = DATASETS.load(name).prefix
    draw(root / "CXR_png" / f"{prefix}_0001_1.png", RNG)
    draw(root / "CXR_png" / "Thumbs.png", RNG)
    (root / "ClinicalReadings").mkdir()
    (root / "ClinicalReadings" / f"{prefix}_0001_1.txt").write_text(text)
    (study,) = studies(root, "tuberculosis").values()
    assert {key: study.metadata[key] for key in study.metadata if key in ("sex", "age")} == metadata
    assert [(p.name, p.text) for p in study.report] == [("comment", remark)]
    assert study.stated["ckg:pulmonary_tuberculosis"] == "present"
    assert rejected(root, "tuberculosis") == [
        ("CXR_png/Thumbs.png", 0, "no class in its name", "Thumbs")
    ]


@of("jsrt")
def test_jsrt_cases_and_raw_pictures(root: Path) -> None:
    found = studies(root, "jsrt")
    assert "age" not in found["JPCLN003"].metadata
    assert found["JPCLN008"].stated == {
        "ckg:lung_nodule": "present",
        "ckg:lung_cancer": "absent",
        "ckg:no_finding": "absent",
    }
    box = DATASETS.load("jsrt")().boxes(root)[0]
    assert (box.x, box.y, box.width) == (1594.0, 652.0, 80.0)
    (root / "All247images/JPCLN001.png").unlink()
    raw = np.full((2048, 2048), 4000, dtype=">u2")
    raw[:, :100] = 0  # bright at the left edge: little density
    raw.tofile(root / "All247images/JPCLN001.IMG")
    assert not rejected(root, "jsrt")
    (picture,) = studies(root, "jsrt")["JPCLN001"].images
    grey = read_picture(root / picture.path)
    assert grey[0, :101].tolist() == [1.0] * 100 + [np.float32(95) / np.float32(4095)]
    rewrite(root / "CNNDAT_EN.TXT", "non-nodule", "")
    with pytest.raises(InputError, match="line 1: not a case"):
        DATASETS.load("jsrt")().boxes(root)
    rewrite(root / "CLNDAT_EN.txt", "malignant", "maligant")
    with pytest.raises(InputError, match="line 1: 'maligant'"):
        studies(root, "jsrt")


@of("zheng_covid")
def test_the_multimodal_set_joins_folders_of_one_name_alone(root: Path) -> None:
    found = studies(root, "covid")
    both = found["covid/p1"]
    assert {image.modality for image in both.images} == {"cxr", "ct", "ultrasound"}
    assert [turn.name for turn in both.dialogue] == ["patient", "doctor"]
    assert found["non_covid/dialogues/alone8"].images == ()
    assert found["covid/xray/alone0"].dialogue == ()
    (root / "covid/dialogues/alone8.txt").write_text(" ")
    assert rejected(root, "covid") == [
        (
            *("covid/dialogues/alone8.txt", 0, "no turn in the dialogue"),
            "covid/dialogues/alone8.txt",
        )
    ]


def test_the_counts_of_the_multimodal_set_do_not_add_up() -> None:
    part = DATASETS.load("zheng_covid")
    said = part.expected
    kinds = ("xray", "ct")
    ill = sum(said[f"covid {kind}"] for kind in (*kinds, "ultrasound"))
    assert ill == said["covid pictures as stated"]
    others = sum(said[f"non_covid {kind}"] for kind in kinds)
    assert others + said["non_covid ultrasound as stated"] == 10_913
    assert said["non_covid pictures as stated"] - others == 602
    assert "10,913" in (sys.modules[part.__module__].__doc__ or "")


@of("covid_dialogue")
def test_dialogues_in_two_languages(root: Path) -> None:
    found = studies(root, "impression")
    assert [turn.name for turn in found["zh-1"].dialogue] == ["description", "patient", "doctor"]
    assert found["zh-1"].stated["ckg:covid_19"] == "absent"
    assert found["zh-2"].stated["ckg:covid_19"] == "present"
    assert found["en-1"].stated == {}
    assert found["en-1"].metadata == {"language": "en", "document": "site.example"}
    assert set(studies(root, "impression", language="zh")) == {f"zh-{n}" for n in range(1, 7)}
    path = root / "COVID-Dialogue-Dataset-English.txt"
    rewrite(path, "a cough for 2 days", "a cough for 1 days")
    rewrite(path, "id=3\n", "id=1\n")
    again = studies(root, "impression")
    assert again["en-2"].patient == again["en-1"].patient
    assert again["en-1b"].patient != again["en-1"].patient
    (root / "COVID-Dialogue-Dataset-Chinese.txt").unlink()
    with pytest.raises(InputError, match="no consultation in zh"):
        studies(root, "impression", language="zh")
