"""Files a table names lie in its folder, behind links as well, unless others are allowed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.cli.main import main
from experiments.datasets.table import Table
from experiments.preparation.copy import PreparedCopy
from experiments.preparation.inspection import read
from kg.errors import InputError

ALLOWED = Table(Table.Options(outside=True))


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(values).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of a table, beside a folder with files that are not its own."""
    root = tmp_path / "data" / "table"
    picture(root / "x" / "in.png")
    other = tmp_path / "secret"
    picture(other / "out.png", 1)
    (other / "out.txt").write_text("Findings: Enlarged heart.")
    (root / "in.txt").write_text("Findings: Clear lungs.")
    (root / "link.png").symlink_to(other / "out.png")
    (root / "link.txt").symlink_to(other / "out.txt")
    (root / "linked").symlink_to(other, target_is_directory=True)
    (root / "far.png").symlink_to(root / "link.png")
    (root / "slices").mkdir()
    (root / "slices" / "1.dcm").symlink_to(other / "out.png")
    (root / "near.png").symlink_to("x/in.png")
    (root / "loop.png").symlink_to("loop.png")
    return root


def written(root: Path, column: str, cell: str) -> Path:
    (root / "studies.csv").write_text(f"study,{column},Edema\na,{cell},1\n")
    return root


OUTSIDE = {
    "up": ("image", "../../secret/out.png"),
    "down and up": ("image", "x/../../../secret/out.png"),
    "backslashes": ("image", r"..\..\secret\out.png"),
    "absolute": ("image", "{other}/out.png"),
    "a link": ("image", "link.png"),
    "a link to a link": ("image", "far.png"),
    "a linked folder": ("image", "linked/out.png"),
    "a slice that is a link": ("image", "slices"),
    "the second of two": ("image", "x/in.png;link.png"),
    "a report": ("report", "../../secret/out.txt"),
    "an absolute report": ("report", "{other}/out.txt"),
    "a linked report": ("report", "link.txt"),
    "a linked dialogue": ("dialogue", "link.txt"),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_leaves_the_folder_is_refused_by_name_unless_allowed(root: Path, name: str) -> None:
    column, cell = OUTSIDE[name]
    cell = cell.format(other=root.parents[1] / "secret")
    written(root, column, cell)
    with pytest.raises(InputError) as caught:
        Table().read(root, labels="own")
    bad = cell.split(";")[-1]
    where = f"{root / 'studies.csv'}: row 2, column {column!r}: {bad!r} is outside {root}"
    assert caught.value.message == where
    assert "--outside" in caught.value.hint
    (study,) = ALLOWED.read(root, labels="own").studies
    assert study.images or study.report or study.dialogue


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("image", "x/in.png"),
        ("image", "x/../x/in.png"),
        ("image", r"x\in.png"),
        ("image", "near.png"),
        ("image", "{root}/x/in.png"),
        ("report", "in.txt"),
        ("report", "./in.txt"),
    ],
)
def test_what_stays_in_the_folder_is_read(root: Path, column: str, cell: str) -> None:
    written(root, column, cell.format(root=root))
    (study,) = Table().read(root, labels="own").studies
    assert study.images or study.report
    moved = root.parent / "other"
    moved.symlink_to(root)  # the folder itself may be a link
    if "{root}" not in cell:
        assert Table().read(moved, labels="own").studies == (study,)


@pytest.mark.parametrize("cell", ["loop.png", "../none.png", "/none.png"])
def test_what_is_not_there_is_told_as_before(root: Path, cell: str) -> None:
    written(root, "image", cell)
    for table in (Table(), ALLOWED):
        with pytest.raises(InputError, match=f"no file '{cell}'"):
            table.read(root, labels="own")


def test_the_table_itself_is_not_taken_from_outside(root: Path) -> None:
    shutil.move(written(root, "image", "x/in.png") / "studies.csv", root.parent / "studies.csv")
    for place in ("../studies.csv", str(root.parent / "studies.csv")):
        with pytest.raises(InputError, match="option `file`: .* is outside"):
            Table(Table.Options(file=place)).read(root, labels="own")
        assert Table(Table.Options(file=place, outside=True)).read(root, labels="own").studies


@pytest.fixture
def many(root: Path) -> Path:
    """A table of some studies, one of which is outside."""
    lines = ["study,image,Cardiomegaly"]
    for number in range(20):
        picture(root / "x" / f"{number}.png", number + 10)
        lines.append(f"s{number},x/{number}.png,{number % 2}")
    lines.append("s99,link.png,1")
    (root / "studies.csv").write_text("\n".join(lines))
    return root.parent


def test_commands_take_the_flag_and_it_stands_in_the_copy(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named, out = ("table", "--root", str(many)), tmp_path / "out"
    assert main(["data", "check", *named]) == 1
    assert "'link.png' is outside" in capsys.readouterr().out
    assert main(["data", "check", *named, "--outside"]) == 0
    assert main(["data", "prepare", *named, "-o", str(out)]) == 3
    assert "--outside" in capsys.readouterr().err
    assert main(["data", "prepare", *named, "-o", str(out), "--outside"]) == 0
    assert json.loads((out / "prepared.json").read_text())["options"]["outside"] is True
    assert main(["data", "show", *named]) == 3
    assert main(["data", "show", *named, "--outside"]) == 0


def test_a_run_takes_the_flag_and_it_stands_in_its_configuration(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    keys = ("data={name: table, labels: own, at_least: 1, require: []}", "split.kind=fixed")
    keys += ("image={encoder: {name: tiny_cnn, options: {size: 16, weights: random}}}",)
    keys += ("image.reduce=4", "image.views=[]")
    sets = [word for key in keys for word in ("--set", key)]
    run = ["experiment", "run", "logistic_image_openi", *sets, "--root", str(many)]
    run += ["--runs", str(runs)]
    assert main(run) == 3
    assert "'link.png' is outside" in capsys.readouterr().err
    assert main([*run, "--outside"]) == 0
    (record,) = [json.loads(path.read_text()) for path in runs.glob("*/record.json")]
    assert record["experiment"]["data"]["options"] == {"outside": True}


def test_a_copy_from_before_the_option_is_read_on(many: Path, tmp_path: Path) -> None:
    (many / "table" / "link.png").unlink()
    picture(many / "table" / "link.png", 5)
    out = tmp_path / "out"
    assert main(["data", "prepare", "table", "--root", str(many), "-o", str(out)]) == 0
    record = json.loads((out / "prepared.json").read_text())
    del record["options"]["outside"]
    (out / "prepared.json").write_text(json.dumps(record))
    copy = PreparedCopy.find(out)
    assert copy is not None
    copy.check("table", "own", Table().options)
    with pytest.raises(InputError, match="copy with options"):
        copy.check("table", "own", ALLOWED.options)
    assert len(read(Table(), many / "table", "own").studies) == 21


def test_fifos_in_the_folder_do_not_wait(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    written(root, "image", "pipe.png")
    assert Table().read(root, labels="own").studies
