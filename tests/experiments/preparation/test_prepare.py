from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from pyarrow import parquet

from experiments.datasets._pictures import draw
from experiments.datasets.nih_chestxray14 import NIHChestXray14
from experiments.datasets.openi import OpenI
from experiments.datasets.table import Table
from experiments.preparation.inspection import check, locate
from experiments.preparation.inventory import take_inventory
from experiments.preparation.open_dataset import OpenDataset
from experiments.preparation.prepare import Plan, prepare
from experiments.splits.manifest import Manifest
from kg.errors import InputError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    OpenI().tiny(tmp_path / "openi")
    return tmp_path / "openi"


def test_index_splits_and_refusals_are_written(root: Path, tmp_path: Path) -> None:
    pictures = sorted((root / "images").iterdir())
    pictures[0].write_bytes(b"")
    pictures[1].write_bytes(pictures[1].read_bytes()[:200])
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    out = tmp_path / "out"
    made = prepare("openi", OpenI(), root, out)
    assert made.changed
    assert (made.studies, made.pictures, made.rejected) == (16, 29, 2)
    index = parquet.read_table(out / "index.parquet").to_pylist()
    assert len(index) == 29
    named = {"study", "group", "place", "path", "modality", "view"}
    assert set(index[0]) == named | {"bytes", "sha256", "duplicates", "row"}
    assert all((root / line["path"]).is_file() for line in index)
    with (out / "rejected.csv").open(newline="") as lines:
        refused = list(csv.DictReader(lines))
    assert [line["reason"] for line in refused] == ["empty", "truncated"]
    assert len(made.manifests) == 6
    for name, digest in made.manifests.items():
        assert Manifest.load(out / "splits" / f"{name}.json").sha256 == digest
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_a_second_run_does_nothing_until_something_changes(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = prepare("openi", OpenI(), root, out)
    stamp = (out / "index.parquet").stat().st_mtime_ns
    again = prepare("openi", OpenI(), root, out)
    assert not again.changed
    assert again.manifests == first.manifests
    assert (out / "index.parquet").stat().st_mtime_ns == stamp
    assert prepare("openi", OpenI(), root, out, labels="mesh").changed
    assert prepare("openi", OpenI(), root, out).changed
    (out / "rejected.csv").write_text("changed by hand")
    assert prepare("openi", OpenI(), root, out).changed
    (out / "duplicates.csv").unlink()
    assert prepare("openi", OpenI(), root, out).changed
    next((root / "images").iterdir()).unlink()
    last = prepare("openi", OpenI(), root, out)
    assert last.changed
    assert last.rejected == 1


def test_nothing_is_written_into_the_raw_folder(root: Path) -> None:
    for out in (root, root / "prepared", root / ".." / "openi" / "x"):
        with pytest.raises(InputError, match="is in the raw folder"):
            prepare("openi", OpenI(), root, out)
    assert not (root / "prepared").exists()


def test_one_process_prepares_a_folder_at_a_time(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(InputError, match="another process"):
        prepare("openi", OpenI(), root, tmp_path / "out")
    assert prepare("openi", OpenI(), root, tmp_path / "out").changed


def test_odd_names_of_files_are_kept_whole(tmp_path: Path) -> None:
    names = [
        "a b, c.png",
        "längs\u200b 肺.png",
        'quote".png',
        "zwei\nZeilen.png",
        "x" * 249 + ".png",
    ]
    rows = [("study", "image", "Cardiomegaly")]
    for number in range(24):
        name = f"{number} {names[number % 5]}" if number < 10 else f"{number}.png"
        draw(tmp_path / "mine" / name, np.random.default_rng(number))
        rows.append((f"s{number}", name, str(number % 2)))
    for _, name, _ in rows[1:6]:
        (tmp_path / "mine" / name).write_bytes(b"")
    with (tmp_path / "mine" / "studies.csv").open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(rows)
    prepare("table", Table(), tmp_path / "mine", tmp_path / "out", plan=Plan(duplicates="list"))
    with (tmp_path / "out" / "rejected.csv").open(newline="", encoding="utf-8") as lines:
        assert [(row["item"], row["reason"]) for row in csv.DictReader(lines)] == [
            (name, "empty") for _, name, _ in rows[1:6]
        ]
    index = parquet.read_table(tmp_path / "out" / "index.parquet")["path"].to_pylist()
    assert index == [name for _, name, _ in rows[6:]]


def test_strict_turns_the_first_refusal_into_an_error(root: Path, tmp_path: Path) -> None:
    (root / "images" / "1_IM-0001-0001.dcm.png").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(InputError, match="empty"):
            prepare("openi", OpenI(), root, tmp_path / "out", strict=True)
        prepare("openi", OpenI(), root, tmp_path / "out")


def test_a_data_set_without_locked_part_gets_a_fixed_split(tmp_path: Path) -> None:
    Table().tiny(tmp_path / "mine")
    made = prepare("table", Table(), tmp_path / "mine", tmp_path / "out")
    assert "table-fixed-seed0" in made.manifests
    (tmp_path / "mine" / "reports" / "3.txt").write_text("Findings: another text.")
    assert prepare("table", Table(), tmp_path / "mine", tmp_path / "out").changed
    assert not prepare("table", Table(), tmp_path / "mine", tmp_path / "out").changed


def test_check_names_what_is_missing_wrong_or_unreadable(root: Path, tmp_path: Path) -> None:
    (root / "chexpert14_file2label.json").unlink()
    states = {row.path: row for row in check(OpenI(), root)}
    assert states["chexpert14_file2label.json"].state == "missing"
    assert states["chexpert14_file2label.json"].passes
    assert states["studies"].what == "16 studies"
    gold = root / "openi_gld_std14.csv"
    gold.write_text(gold.read_text().replace("CXR3,0", "CXR3,7"))
    last = check(OpenI(), root)[-1]
    assert (last.state, last.passes) == ("wrong", False)
    assert "row 4, column 'Atelectasis': '7'" in last.what
    (root / "images").rename(root / "pictures")
    rows = {row.path: row for row in check(OpenI(), root, "openi")}
    missing = next(row for path, row in rows.items() if path.startswith("images|"))
    assert (missing.state, missing.passes) == ("missing", False)
    assert "NLMCXR_png.tgz" in missing.giver
    fetch, instead = f"kgdx data fetch openi --root {root.parent}", "--set pictures=optional"
    assert missing.mend == f"{fetch}; or read labels and texts alone: {instead}"
    assert "studies" not in rows
    (root / "pictures").rename(root / "images")
    assert locate("openi", OpenI(), root.parent) == root
    with pytest.raises(InputError, match="openi is not under"):
        locate("openi", OpenI(), tmp_path / "nowhere")


def test_fractions_of_training_are_written_where_there_are_enough_patients(tmp_path: Path) -> None:
    lines = ["study,note,Cardiomegaly", *(f"s{n},Pain.,{n % 2}" for n in range(120))]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "studies.csv").write_text("\n".join(lines))
    made = prepare("table", Table(), tmp_path / "mine", tmp_path / "out")
    assert "table-fixed-seed0-10pct" in made.manifests
    assert "table-fixed-seed0-1pct" not in made.manifests
    part = Manifest.load(tmp_path / "out" / "splits" / "table-fixed-seed0-10pct.json")
    assert len(part.studies("train")) == round(len(part.studies("unused")) / 9)


def test_a_copy_without_the_official_test_part_has_the_other_splits(tmp_path: Path) -> None:
    root, dataset = tmp_path / "nih", NIHChestXray14()
    dataset.tiny(root)
    made = prepare("nih_chestxray14", dataset, root, tmp_path / "whole")
    assert "nih_chestxray14-official-seed0" in made.manifests
    assert not made.unmade
    for name in (root / "test_list.txt").read_text().splitlines():
        next(root.rglob(name)).unlink()
    part = prepare("nih_chestxray14", dataset, root, tmp_path / "part")
    assert part.unmade == {
        "nih_chestxray14-official-seed0": "no study of its subset 'test' is here"
    }
    assert "nih_chestxray14-fixed-seed0" in part.manifests
    assert not any("official" in name for name in part.manifests)
    assert prepare("nih_chestxray14", dataset, root, tmp_path / "part").unmade == part.unmade
    first, *others = (root / "train_val_list.txt").read_text().splitlines()
    (root / "train_val_list.txt").write_text("\n".join(others))
    (root / "test_list.txt").write_text(first)
    with pytest.raises(InputError, match="leakage"):
        prepare("nih_chestxray14", dataset, root, tmp_path / "part")


def test_a_patient_written_in_two_ways_is_warned_of_once_a_command(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root, out = tmp_path / "own", tmp_path / "out"
    rows = "".join(f"s{n},{n // 2}{'.0' * (n % 2)},well,{n % 2}\n" for n in range(24))
    root.mkdir()
    (root / "own.csv").write_text(f"study,patient,note,Edema\n{rows}", encoding="utf-8")
    commands = (
        lambda: check(Table(), root),
        lambda: prepare("table", Table(), root, out),
        lambda: prepare("table", Table(), root, out),
        lambda: take_inventory(OpenDataset.open("table", Table(), root)),
        lambda: take_inventory(OpenDataset.open("table", Table(), out)),
        lambda: Table().studies(root, labels="own"),
    )
    for command in commands:
        caplog.clear()
        command()
        (warning,) = [one.getMessage() for one in caplog.records if "written" in one.getMessage()]
        assert "'3' and '3.0'" in warning
