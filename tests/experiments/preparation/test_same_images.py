"""One image of several patients: they are kept together, and opposite labels are told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.contents import Contents
from encoders.study import Study, StudyImage
from experiments.cli.main import main
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.config.schema import DataSection, Duplicates, SplitSection
from experiments.datasets._layout import Reading
from experiments.datasets.table import Table
from experiments.preparation.inspection import read
from experiments.preparation.open_dataset import open_dataset
from experiments.preparation.prepare import Plan, prepare
from experiments.preparation.same_images import together_by_image
from experiments.splits.manifest import fraction, make_manifest
from kg.errors import InputError

STUDIES = 24


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """A table of studies of a patient each; some take the image of another."""

    def make(same: Mapping[int, int], labels: Mapping[int, object] | None = None) -> Path:
        root, rng = tmp_path / "raw" / "table", np.random.default_rng(5)
        (root / "x").mkdir(parents=True)
        lines = ["study,patient,image,Cardiomegaly,Edema"]
        for number in range(STUDIES):
            pixels = rng.integers(0, 256, (70, 70), dtype=np.uint8)
            path = root / "x" / f"{number}.png"
            Image.fromarray(pixels).save(path)
            if number in same:
                shutil.copyfile(root / "x" / f"{same[number]}.png", path)
            label = (labels or {}).get(number, same.get(number, number) % 2)
            lines.append(f"s{number},p{number},x/{number}.png,{label},")
        (root / "studies.csv").write_text("\n".join(lines))
        return root

    return make


def patients(root: Path, treatment: Duplicates = "refuse") -> list[str]:
    return [study.patient for study in read(Table(), root, "own", treatment).studies]


def test_patients_of_one_image_are_one_group_in_every_split(table, caplog) -> None:
    root = table({7: 3, 11: 3, 20: 9})
    groups = patients(root)
    assert groups[3] == groups[7] == groups[11]
    assert groups[9] == groups[20]
    assert len(set(groups)) == STUDIES - 3
    (said,) = (record.getMessage() for record in caplog.records)
    assert "2 images are in studies of several patients" in said
    assert "s3 (patient p3) and s7 (patient p7) and s11 (patient p11)" in said
    assert "s9 (patient p9) and s20 (patient p20)" in said
    studies = read(Table(), root, "own").studies
    for seed in range(8):
        for kind in ("folds", "fixed"):
            split = SplitSection(kind=kind, seed=seed, folds=3)  # type: ignore[arg-type]
            placed = make_manifest(studies, split, dataset="table").assignments
            assert placed["s3"] == placed["s7"] == placed["s11"]
            assert placed["s9"] == placed["s20"]


@pytest.mark.parametrize("labels", [{3: 1, 7: 0}, {7: 1, 11: 0}, {11: "0", 20: 0}])
def test_opposite_labels_of_one_image_are_refused_with_all_studies(table, labels) -> None:
    root = table({7: 3, 11: 3, 20: 9}, labels)
    with pytest.raises(InputError) as caught:
        read(Table(), root, "own")
    assert "s3 (patient p3) and s7 (patient p7) and s11 (patient p11) differ in" in str(
        caught.value
    )
    assert ("s20 (patient p20)" in str(caught.value)) == (20 in labels)
    assert patients(root, "join")[3] == patients(root, "join")[7]
    assert len(set(patients(root, "list"))) == STUDIES


@pytest.mark.parametrize("labels", [{3: "", 7: 0}, {3: -1, 7: 1, 11: 1}, {3: 1, 7: 1, 11: -1}])
def test_labels_that_may_both_be_true_are_no_contradiction(table, labels) -> None:
    groups = patients(table({7: 3, 11: 3}, {11: "", **labels}))
    assert groups[3] == groups[7] == groups[11]


def test_what_only_looks_alike_stays_apart(table, caplog) -> None:
    root = table({})
    blank = Image.fromarray(np.zeros((70, 70), np.uint8))
    for number, grey in ((2, 10), (5, 11)):  # of one size and beginning, and not the same
        content = np.full((70, 70), 7, np.uint8)
        content[-1, -1] = grey
        Image.fromarray(content).save(root / "x" / f"{number}.bmp")
        shutil.move(root / "x" / f"{number}.bmp", root / "x" / f"{number}.png")
    blank.save(root / "x" / "6.png")
    (root / "x" / "8.png").unlink()
    os.mkfifo(root / "x" / "8.png")
    (root / "x" / "9.png").unlink()
    os.mkfifo(root / "x" / "9.png")
    assert len(set(patients(root))) == STUDIES
    assert not caplog.records


def test_one_file_named_twice_linked_or_as_a_folder_is_the_same_image(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.dcm").write_bytes(b"slice one")
        (tmp_path / folder / "2.dcm").write_bytes(b"slice two" if folder != "c" else b"slice 2!!")
    (tmp_path / "one.png").write_bytes(b"image")
    os.link(tmp_path / "one.png", tmp_path / "linked.png")
    (tmp_path / "soft.png").symlink_to("one.png")
    paths = ("a", "b", "c", "one.png", "one.png", "linked.png", "soft.png")
    studies = tuple(
        Study(f"s{n}", f"p{n}", (StudyImage(path, "ct", frame=n),)) for n, path in enumerate(paths)
    )
    joined = together_by_image(Reading(studies), tmp_path, "refuse").studies
    assert len({study.patient for study in joined[:2]}) == 1
    assert len({study.patient for study in joined[3:]}) == 1
    assert len({study.patient for study in joined}) == 3


def test_a_file_of_all_patients_holds_an_image_of_each(tmp_path: Path) -> None:
    (tmp_path / "outlines.sqlite").write_bytes(b"SQLite format 3\0" + bytes(100))
    studies = tuple(
        Study(f"s{n}", f"p{n}", (StudyImage("outlines.sqlite", "ct", frame=frame),))
        for n, frame in enumerate((0, 1, 1))
    )
    joined = together_by_image(Reading(studies), tmp_path, "refuse").studies
    assert [study.patient == joined[1].patient for study in joined] == [False, True, True]


def test_two_studies_of_one_patient_may_share_an_image(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"image")
    image = StudyImage("one.png", "cxr")
    studies = (
        Study("a", "p", (image,), stated={"ckg:edema": "present"}),
        Study("b", "p", (image, image), stated={"ckg:edema": "absent"}),
    )
    reading = Reading(studies)
    assert together_by_image(reading, tmp_path, "refuse") is reading


def test_a_group_is_locked_if_one_of_its_patients_is(tmp_path: Path) -> None:
    (tmp_path / "one.png").write_bytes(b"image")
    keys = sorted((f"p{n}" for n in range(50)), key=lambda key: fraction(f"set:{key}"))
    for pair in ((keys[0], keys[30]), (keys[40], keys[1])):
        studies = tuple(Study(key, key, (StudyImage("one.png", "cxr"),)) for key in pair)
        joined = together_by_image(Reading(studies), tmp_path, "refuse", "set:").studies
        assert {study.patient for study in joined} == {min(pair, key=keys.index)}


def test_files_of_other_sizes_are_not_read(table, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    plain = Contents.hash
    monkeypatch.setattr(
        Contents, "hash", lambda self, path: (hashed.append(path.name), plain(self, path))[1]
    )
    patients(table({7: 3}))
    assert sorted(hashed) == ["3.png", "7.png"]


def test_check_prepare_and_run_notice(table, tmp_path: Path, capsys) -> None:
    root = table({7: 3, 11: 3}, {3: 1, 7: 0, 11: 0}).parent
    named = ("table", "--root", str(root))
    assert main(["data", "check", *named]) == 1
    assert "s3 (patient p3) and s7 (patient p7)" in capsys.readouterr().out
    out = ("-o", str(tmp_path / "out"))
    assert main(["data", "prepare", *named, *out]) == 3
    assert "s3 (patient p3) and s7 (patient p7)" in capsys.readouterr().err
    keys = ("data={name: table, labels: own, at_least: 1}", "split.kind=fixed")
    sets = [word for key in keys for word in ("--set", key)]
    run = ["experiment", "run", "logistic_image_openi", *sets, "--root", str(root)]
    assert main([*run, "--runs", str(tmp_path / "runs")]) == 3
    assert "differ in ckg:cardiomegaly" in capsys.readouterr().err
    assert main(["data", "prepare", *named, *out, "--duplicates", "join"]) == 0
    assert "who count as one patient: s3" in capsys.readouterr().err


@pytest.mark.parametrize("treatment", ["refuse", "join"])
def test_a_copy_that_only_lists_them_is_refused_by_a_run(table, tmp_path, treatment) -> None:
    root = table({7: 3})
    prepare("table", Table(), root, tmp_path / "listed", plan=Plan(duplicates="list"))
    prepare("table", Table(), root, tmp_path / "joined")
    data = DataSection(name="table", labels="own", duplicates=treatment)
    listed = data.model_copy(update={"duplicates": "list"})
    with pytest.raises(InputError, match="studies s3 and s7 of two patients") as caught:
        open_dataset(data, tmp_path / "listed", tmp_path / "cache")
    assert "--duplicates join" in caught.value.hint
    assert len(open_dataset(listed, tmp_path / "listed", tmp_path / "cache").studies) == STUDIES
    joined = open_dataset(data, tmp_path / "joined", tmp_path / "cache")
    assert len({study.patient for study in joined.studies}) == STUDIES - 1


def test_the_setting_changes_the_hash_only_where_it_is_not_the_usual_one() -> None:
    plain = config_hash(resolve("demo"))
    assert config_hash(resolve("demo", ["data.duplicates=refuse"])) == plain
    assert config_hash(resolve("demo", ["data.duplicates=join"])) != plain
