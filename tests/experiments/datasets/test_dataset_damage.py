"""What every data set of the catalog does with a copy that is damaged or written otherwise."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from encoders.reading.picture import read_picture
from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets import DATASETS, NeededFile
from experiments.datasets._layout import present
from experiments.datasets._pictures import Pictures
from experiments.loading.targets import targets
from experiments.splits.manifest import check, make_manifest, official_subsets
from kg.errors import InputError
from kg.files.store import load_shipped

NAMES = [
    name
    for name in DATASETS.names()
    if any(not file.optional for file in DATASETS.load(name).files)
]
LISTED = {"folder", "shenzhen", "montgomery", "zheng_covid", "cov_ctr", "tcga_slides"}
"""Sets whose studies are the files there are: no table misses a picture that is gone."""

OFFICIAL = {
    "mimic_cxr",
    "chexpert",
    "deeplesion",
    "nih_chestxray14",
    "vinbigdata",
    "covidx",
    "folder",
}

each = pytest.mark.parametrize("name", NAMES)
Copy = Callable[[str], tuple[Any, Path]]


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Made-up copies, written once; none of them may be changed."""
    known: dict[str, tuple[Any, Path]] = {}

    def one(name: str) -> tuple[Any, Path]:
        if name not in known:
            part = DATASETS.load(name)
            root = tmp_path_factory.mktemp("made_up") / name
            root.mkdir()
            dataset = part(part.Options())
            dataset.tiny(root)
            known[name] = dataset, root
        return known[name]

    return one


@pytest.fixture
def copy(made_up: Copy, tmp_path: Path) -> Copy:
    """A copy of a made-up copy, to be damaged."""

    def one(name: str) -> tuple[Any, Path]:
        dataset, root = made_up(name)
        place = tmp_path / name
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(root, place)
        return dataset, place

    return one


def uses(dataset: Any, root: Path) -> Iterator[Callable[[], object]]:
    """Everything that is read of a data set's files."""
    for choice in dataset.label_choices:
        yield lambda labels=choice.name: dataset.studies(root, labels=labels)
    yield lambda: dataset.boxes(root)
    yield lambda: official_subsets(dataset, root)


def refusals(dataset: Any, root: Path) -> list[InputError]:
    found = []
    for use in uses(dataset, root):
        try:
            use()
        except InputError as error:
            found.append(error)
    return found


def tables(dataset: Any, root: Path) -> Iterator[tuple[NeededFile, Path]]:
    """Tables with known columns that are there."""
    for file in dataset.files:
        for path in present(root, file):
            if file.columns and {".csv", ".tsv"} & set(path.suffixes):
                yield file, path


def read_rows(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        decoded = text.decode("cp1252")
    return list(csv.reader(io.StringIO(decoded)))


def write_rows(path: Path, rows: list[list[str]], *, mark: bool = False, end: str = "\n") -> None:
    lines = io.StringIO()
    csv.writer(lines, lineterminator=end).writerows(rows)
    raw = lines.getvalue().encode("utf-8-sig" if mark else "utf-8")
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)


def read_all(dataset: Any, root: Path) -> list[list[Study]]:
    return [dataset.studies(root, labels=choice.name) for choice in dataset.label_choices]


@each
def test_each_needed_file_that_is_missing_is_named(name: str, copy: Copy) -> None:
    for place in range(len(DATASETS.load(name).files)):
        dataset, root = copy(name)
        file = dataset.files[place]
        if "torchxrayvision" in file.giver:
            continue  # the package's own table is read instead
        for path in present(root, file):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        said = refusals(dataset, root)
        if not file.optional:
            alternatives = [
                max(path.split("*"), key=len).strip(".") for path in file.path.split("|")
            ]
            assert said
            assert any(path in error.message for error in said for path in alternatives), said
            assert all(error.hint for error in said)


@each
def test_a_column_that_is_missing_is_named(name: str, copy: Copy) -> None:
    dataset, root = copy(name)
    for file, path in list(tables(dataset, root)):
        before = path.read_bytes()
        for column in dict.fromkeys((file.columns[0], file.columns[-1])):
            rows = read_rows(path)
            header = [cell.strip() for cell in rows[0]]
            if column not in header:
                continue
            rows[0][header.index(column)] = "gone"
            write_rows(path, rows)
            said = refusals(dataset, root)
            assert any(column in error.message and path.name in error.message for error in said)
            path.write_bytes(before)


@each
def test_tables_written_otherwise_read_the_same(name: str, copy: Copy) -> None:
    dataset, root = copy(name)
    before = read_all(dataset, root)
    for _, path in list(tables(dataset, root)):
        rows = read_rows(path)
        write_rows(path, [*rows, [""] * len(rows[0])], mark=True, end="\r\n")
    assert read_all(dataset, root) == before
    if name != "table":
        for _, path in list(tables(dataset, root)):
            rows = [
                [*row, "x" if place else "further"] for place, row in enumerate(read_rows(path))
            ]
            write_rows(path, [row for row in rows if any(row[:-1])])
        assert read_all(dataset, root) == before


@each
def test_a_row_of_another_length_is_named(name: str, copy: Copy) -> None:
    dataset, root = copy(name)
    for _, path in list(tables(dataset, root)):
        before = path.read_bytes()
        rows = read_rows(path)
        rows[2] = [*rows[2], "one", "more"]
        write_rows(path, rows)
        assert any(
            f"row 3 has {len(rows[2])} cells" in error.message for error in refusals(dataset, root)
        )
        path.write_bytes(before)


@each
def test_every_picture_is_in_a_study_or_said_to_be_left_out(name: str, made_up: Copy) -> None:
    dataset, root = made_up(name)
    reading = dataset.read(root, labels=dataset.label_choices[0].name)
    shown = [(image.path, image.frame) for study in reading.studies for image in study.images]
    assert len(shown) == len(set(shown))
    used = {path for path, _ in shown}
    left = " ".join(f"{item.file} {item.item}" for item in reading.rejected)
    for path in Pictures(root, [""]).all():
        if path.endswith(".csv.gz"):
            continue
        assert path in used or Path(path).stem in left, path


@each
def test_a_picture_that_is_gone_is_never_missed_in_silence(name: str, copy: Copy) -> None:
    dataset, root = copy(name)
    labels = dataset.label_choices[0].name
    before = {study.study: study for study in dataset.read(root, labels=labels).studies}
    study = next((study for study in before.values() if study.images), None)
    if study is None or name in LISTED:
        return
    for image in study.images:
        (root / image.path).unlink()
    try:
        reading = dataset.read(root, labels=labels)
    except InputError as error:
        said = error.message
    else:
        after = {study.study for study in reading.studies}
        assert set(before) - after <= {study.study}
        said = " ".join(item.item for item in reading.rejected)
    assert all(Path(image.path).stem.split(".")[0] in said for image in study.images)


@each
def test_patients_are_never_parted(name: str, made_up: Copy) -> None:
    dataset, root = made_up(name)
    studies = dataset.studies(root, labels=dataset.label_choices[0].name)
    assert all(study.patient for study in studies)
    check(make_manifest(studies, SplitSection(folds=3), dataset=name))
    official = official_subsets(dataset, root)
    assert bool(official) == (name in OFFICIAL)
    if official:
        split = SplitSection(kind="official")
        manifest = make_manifest(studies, split, dataset=name, official=official)
        assert set(manifest.assignments.values()) >= {"train", "validation", "test"}


@each
def test_labels_become_targets_by_the_policy_alone(name: str, made_up: Copy) -> None:
    dataset, root = made_up(name)
    for choice in dataset.label_choices:
        studies = dataset.studies(root, labels=choice.name)
        findings = sorted({concept for study in studies for concept in study.stated})
        for uncertain, unsure in (("ignore", np.nan), ("zero", 0.0), ("one", 1.0)):
            for blank, silent in (("ignore", np.nan), ("zero", 0.0)):
                values = {"present": 1.0, "absent": 0.0, "uncertain": unsure, None: silent}
                made = targets(studies, findings, uncertain, blank)  # type: ignore[arg-type]
                wanted = [
                    [values[study.stated.get(f)] if study.stated else np.nan for f in findings]
                    for study in studies
                ]
                np.testing.assert_array_equal(made, np.array(wanted, dtype=np.float32))


@each
def test_left_stays_left(name: str, made_up: Copy) -> None:
    dataset, root = made_up(name)
    studies = dataset.studies(root, labels=dataset.label_choices[0].name)
    paths = [image.path for study in studies for image in study.images]
    for path in [p for p in paths if p.endswith((".png", ".jpg"))][:2]:
        with Image.open(root / path) as picture:
            deep = picture.mode.startswith("I")
            plain = np.asarray(picture if deep else picture.convert("L"), dtype=float)
        grey = np.asarray(read_picture(root / path), dtype=float)
        kept = np.corrcoef(grey.ravel(), plain.ravel())[0, 1]
        assert kept > 0.99
        assert kept > np.corrcoef(grey.ravel(), plain[:, ::-1].ravel())[0, 1]


@each
def test_boxes_lie_in_pictures_of_its_studies(name: str, made_up: Copy) -> None:
    dataset, root = made_up(name)
    known = {study.study for study in dataset.studies(root, labels=dataset.label_choices[0].name)}
    concepts = {*load_shipped().index, *(concept.id for concept in dataset.concepts)}
    for box in dataset.boxes(root):
        assert box.study in known
        assert box.concept in concepts
        assert min(box.x, box.y) >= 0
        assert min(box.width, box.height) > 0


def test_evidence_of_a_data_set_is_left_out_under_its_own_name() -> None:
    graph = load_shipped()
    mined = {item.dataset for edge in graph.edges for item in edge.evidence if item.dataset}
    mined |= {concept.dataset for concept in graph.concepts if concept.dataset}
    claimed = {name: set(DATASETS.load(name).graph_names) for name in DATASETS.names()}
    assert set().union(*claimed.values()) == mined


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("table", "folder")])
def test_published_counts_are_stated(name: str) -> None:
    part = DATASETS.load(name)
    if name != "covid_multi_imaging":
        assert part.expected
    assert all(isinstance(count, int) and count > 0 for count in part.expected.values())
    needs_asking = any(word in part.licence for word in ("Agreement", "Credentialed", "Kaggle"))
    if needs_asking:
        assert any(file.apply for file in part.files), "says where to apply"
        assert not any(file.downloads for file in part.files[:1]), "pictures need asking"
