"""Under `KGDX_PSEUDONYM_KEY` no id, file name or text of a patient is in any file that is left.

The ids, names of folders and files, texts and headers of a made-up cohort are canaries. Every
command that writes is run with a key and without; then each byte it left is searched, decoded.
"""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from experiments.cli.main import main
from experiments.privacy.pseudonyms import KEY, pseudonym
from experiments.privacy.rare_words import RARE_WORDS

SECRET = "a key of the ward, long enough"
STUDIES = 60
KINDS = {
    **{
        kind: re.compile(f"canary{kind}", re.IGNORECASE)
        for kind in ("patient", "study", "file", "report", "name", "accession", "source", "sex")
    },
    "root": re.compile("canaryroot"),
    "date": re.compile(r"\b217\d-?(0[1-9]|1[0-2])-?[12]\d\b"),
}
"""Canaries by what they stand for."""
HEADER = ("study", "patient", "image", "report", "dialogue", "sex", "source", "Cardiomegaly")

CONFIG = """\
name: NAME
data: {name: table, labels: own, at_least: 2}
split: {kind: fixed}
text: {test: none, encoder: {name: tiny_transformer, options: {width: 16}}}
image:
  encoder: {name: tiny_cnn, options: {size: 32, width: 64, weights: random}}
  grid: 2
  reduce: 0
graph: {width: 16}
concept_studies: 3
"""
SYSTEMS = {
    "fused": """\
system: {name: graph_fusion, options: {width: 16, neighbourhood: 4}}
stages: [{epochs: 1, batch_size: 16, objectives: {classification: 1.0, concept_supervision: 1.0}}]
""",
    "writing": """\
system: {name: tienet, options: {width: 8, hidden: 8, words: 8, attention: 8, limit: 12}}
stages: [{epochs: 1, batch_size: 16}]
tasks: [classification, generation]
""",
    "pictured": """\
system: {name: logistic_image}
stages: []
""",
}
READ = ("--set", "text.train=full", "--set", "text.test=redacted")
ABLATION = """\
name: arms
about: Arms.
base: ./pictured.yaml
arms: {whole: {}, other: {seed: 1}}
reference: whole
"""
WHOLE = ("--set", "name=arms-whole", "--set", "about='Arms. Arm: whole.'")
"""The first arm of the ablation, run here: the ablation starts a process for the other alone."""


def canary(kind: str, number: int = 0) -> str:
    """A word that is nowhere else; of letters alone, which a vocabulary does not cut."""
    return f"canary{kind}{chr(97 + number // 26)}{chr(97 + number % 26)}"


def day(number: int) -> str:
    """A date of no real report."""
    return f"{2171 + number % 8}-{1 + number % 12:02}-{10 + number % 19}"


def text_of(number: int) -> str:
    """A report of a patient by name, with dates and numbers."""
    heart = "enlarged" if number % 2 else "normal in size"
    return (
        f"Indication: {canary('name', number).title()}, seen on {day(number)}, accession "
        f"{canary('accession', number)}. Comparison: {day(number + 1)}.\n"
        f"Findings: The heart is {heart}. No pleural effusion. {canary('name', number)} was told."
    )


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, written: Callable[..., Path]) -> Path:
    """The cohort, as a csv and as folders."""
    root = tmp_path_factory.mktemp("ward") / canary("root")
    rng = np.random.default_rng(0)
    (root / "table" / "reports").mkdir(parents=True)
    with (root / "table" / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEADER)
        for number in range(STUDIES):
            if number != 11:  # the image of the study before it, of another patient
                pixels = rng.integers(20, 90, (48, 48)).astype(np.uint8)
                pixels[16:32, 16:32] += np.uint8(100 * (number % 2))
            writer.writerow(_row(root / "table", number, pixels, written))
            if number % 4 < 2:
                _in_folders(root / "folder", number, np.roll(pixels, 5, axis=1))
    broken = root / canary("root", 1)
    shutil.copytree(root / "table", broken)
    (broken / f"{canary('file', 7)}.png").write_bytes(b"no picture")
    return root


def _row(
    table: Path, number: int, pixels: np.ndarray, written: Callable[..., Path]
) -> tuple[object, ...]:
    """A row of the csv; its image, at times a DICOM file, and its report."""
    image = table / f"{canary('file', number)}.{'dcm' if number % 5 == 0 else 'png'}"
    if image.suffix == ".dcm":
        written(image, pixels.astype(np.uint16) * 9, Modality="CR")
        ds = dcmread(image)
        ds.PatientName = ds.PatientComments = ds.InstitutionName = canary("name", number)
        ds.PatientID, ds.AccessionNumber = canary("patient", number), canary("accession", number)
        ds.StudyDate = day(number).replace("-", "")
        ds.save_as(image)
    else:
        Image.fromarray(pixels).save(image)
    report = text_of(number)
    if number % 3 == 0:
        report = f"reports/{canary('report', number)}.txt"
        (table / report).write_text(text_of(number))
    talk = f"Patient: I am {canary('name', number)}, I have a cough.\nDoctor: Since {day(number)}?"
    sex = canary("sex") if number == 3 else "FM"[number % 2]
    patient = canary("patient", number // 2)
    ids = canary("study", number), patient.upper() if number == 12 else patient
    return *ids, image.name, report, talk, sex, canary("source", number % 2), number % 2


def _in_folders(folder: Path, number: int, pixels: np.ndarray) -> None:
    finding = "Cardiomegaly" if number % 2 else "no finding"
    place = (
        folder / finding / canary("patient", number) / f"{canary('study', number)} {day(number)}"
    )
    place.mkdir(parents=True)
    Image.fromarray(pixels).save(place / f"{canary('file', number)}.png")
    (place / "report.txt").write_text(text_of(number))


def commands(root: Path) -> dict[str, list[list[str]]]:
    """Commands by step; each writes into the folder of its step, or beside the run it reads."""
    at, table = ["--root", str(root)], root / "table"
    joined = ["--duplicates", "join", "--images", "32"]
    broken = root / canary("root", 1)
    bad = str(broken / f"{canary('file', 7)}.png")
    inputs = [str(table / f"{canary('file', 1)}.png"), bad]
    case = (
        root / "folder" / "Cardiomegaly" / canary("patient", 1) / f"{canary('study', 1)} {day(1)}"
    )
    study, using = pseudonym("study", canary("study", 1)), ["--run", "fused", "--runs", "run"]
    kept = ["--runs", "pages"]
    return {
        "prepare": [
            ["data", "prepare", "table", *at, *joined, "-o", "prepare/table"],
            ["data", "prepare", "table", *at, *joined, "-o", "prepare/shards", "--shards", "2"],
            ["data", "prepare", "folder", *at, *joined, "-o", "prepare/folder"],
            ["data", "prepare", "table", "--root", str(broken), *joined, "-o", "prepare/left"],
        ],
        "run": [
            ["experiment", "run", "fused.yaml", *at, "--runs", "run", *READ],
            ["experiment", "run", "writing.yaml", *at, "--runs", "run"],
            ["experiment", "run", "pictured.yaml", *at, "--runs", "run"],
            ["experiment", "evaluate", "fused", "--dataset", "folder", *at, "--runs", "run"],
            ["experiment", "faithfulness", "fused", *at, "--runs", "run", "-o", "run/f.json"],
        ],
        "copies": [
            ["experiment", "run", "pictured.yaml", "--root", f"prepare/{name}", "--runs", "copies"]
            for name in ("table", "shards")
        ],
        "predict": [
            ["predict", *inputs, str(case), *using, "-o", "predict/out.csv"],
            ["predict", *inputs, *using, "-o", "predict/out.parquet"],
            ["predict", "table", "folder", *at, *using, "-o", "predict/out.json"],
        ],
        "label": [
            ["data", "label", str(table / "reports"), "-o", "label/out.csv"],
            ["data", "label", str(table / "reports"), "-o", "label/out.jsonl"],
            ["data", "label", str(table / "studies.csv"), "--text", "dialogue", "--dialogue",
             "-o", "label/talk.csv"],
            ["data", "label", str(table / "reports"), "--labels", "nih14", "-o", "label/nih.csv"],
        ],
        "pages": [
            ["data", "show", "table", *at, "--study", study, "-o", "pages/study.html"],
            ["data", "audit", "table", *at, "--at-least", "5", *kept, "-o", "pages/audit.html"],
            ["data", "audit", "table", *at, "--at-least", "5", *kept, "-o", "pages/audit.json"],
            ["experiment", "report", "fused", "--runs", "run", "-o", "pages/run.html"],
            ["experiment", "compare", "fused", "pictured", "--runs", "run", "-o", "pages/c.html"],
            ["experiment", "compare", "fused", "pictured", "--runs", "run", "-o", "pages/c.json"],
            ["experiment", "run", "pictured.yaml", *at, *WHOLE, "--runs", "pages/arms"],
            ["experiment", "ablate", "arms.yaml", *at, "--runs", "pages/arms"],
        ],
        "refused": [
            ["experiment", "run", "pictured.yaml", "--root", str(broken), "--runs", "refused"],
            ["-v", "predict", bad, *using, "-o", "refused/out.csv"],
            ["data", "label", str(table / "reports"), "-o", "refused/out.html"],
        ],
    }  # fmt: skip


STEPS = ["prepare", "run", "copies", "predict", "label", "pages", "refused"]


@pytest.fixture(scope="module")
def left(ward: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Folder of what every command left, under a key or without one."""
    made: dict[str, Path] = {}

    def everything(key: str) -> Path:
        if key in made:
            return made[key]
        here = made[key] = tmp_path_factory.mktemp("left")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(here)
            if key:
                patch.setenv(KEY, key)
            else:
                patch.delenv(KEY, raising=False)
            for name, system in SYSTEMS.items():
                Path(f"{name}.yaml").write_text(CONFIG.replace("NAME", name) + system)
            Path("arms.yaml").write_text(ABLATION)
            for step, some in commands(ward).items():
                if step == "copies" and not key:
                    continue  # runs like those of the step before
                Path(step).mkdir()
                for command in some:
                    assert main(command) in ((0, 3) if step == "refused" else (0, 1)), command
        return here

    return everything


def found(folder: Path, texts_of: Callable[[Path], Iterator[str]]) -> dict[str, set[str]]:
    """Kinds of canaries in each file of a folder, by its path."""
    kinds: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        texts = [path.name, *(texts_of(path) if path.is_file() else ())]
        held = {kind for kind, pattern in KINDS.items() for text in texts if pattern.search(text)}
        if held:
            kinds[str(path.relative_to(folder))] = held
    return kinds


@pytest.mark.parametrize("step", STEPS)
def test_no_canary_is_in_what_a_command_leaves_under_a_key(
    step: str, left: Callable[[str], Path], texts_of: Callable[[Path], Iterator[str]]
) -> None:
    folder = left(SECRET) / step
    assert any(folder.rglob("*.*"))
    assert found(folder, texts_of) == {}
    # nothing was left beside the folders of the steps
    assert {path.name for path in folder.parent.iterdir() if path.is_dir()} == {*commands(folder)}


def test_a_run_says_that_its_vocabulary_is_another_one(left: Callable[[str], Path]) -> None:
    for key, said in ((SECRET, True), ("", False)):
        (record,) = (left(key) / "run").glob("fused-*/record.json")
        assert (RARE_WORDS in json.loads(record.read_text())["warnings"]) == said


IDS, TEXT = {"patient", "study"}, {"name", "accession", "date"}
WITHOUT = {
    "prepare/*/index.parquet": {*IDS, "file"},
    "prepare/*/studies.parquet": {*IDS, *TEXT, "file"},
    "prepare/*/looked.jsonl": {"file"},
    "prepare/*/prepared.json": {"root"},
    "prepare/*/splits/*.json": IDS,
    "prepare/table/duplicates.csv": {*IDS, "file"},
    "prepare/left/rejected.csv": {"file"},
    "prepare/shards/shards/*.tar": {*IDS, *TEXT, "file", "source"},
    "*/*/predictions.parquet": IDS,
    "*/*/splits.json": IDS,
    "*/*/studies.parquet": {*IDS, "source"},
    "*/*/seen.json": {"file"},
    "run/*/log.txt": {"file", "root"},
    "run/fused-*/examples.json": {"study", *TEXT},
    "run/fused-*/report.html": {"study", *TEXT, "source"},
    "run/*/checkpoints/reader/state.json": {"name"},
    "run/writing-*/texts.parquet": {"study", "name"},
    "predict/out.csv": {"file", "root"},
    "label/out.*": {"report"},
    "label/talk.csv": {"study"},
    "pages/study.html": {*IDS, *TEXT, "source"},
    "pages/arms/*/record.json": {"root"},
    "refused/out.html": {"report", *TEXT},
}
"""What stands in which file without a key, as README says."""


def test_without_a_key_it_stands_where_the_readme_says(
    left: Callable[[str], Path], texts_of: Callable[[Path], Iterator[str]]
) -> None:
    kinds = found(left(""), texts_of)
    for pattern, expected in WITHOUT.items():
        held = [kinds[path] for path in kinds if fnmatch(path, pattern)]
        assert held, pattern
        assert expected <= set.union(*held), pattern
