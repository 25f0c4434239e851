"""What every data set of the catalog that reads files must do, on its own made-up copy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from encoders.study import MODALITIES, SECTIONS, VIEWS
from experiments.datasets import DATASETS, DataSet
from experiments.loading.targets import choose_findings, label_set_of, targets
from experiments.preparation.inspection import check, locate, read
from experiments.preparation.inventory import take_inventory
from experiments.preparation.open_dataset import OpenDataset
from kg.errors import InputError
from kg.files.store import load_shipped
from kg.options import parse_options

NAMES = [
    name
    for name in DATASETS.names()
    if any(not file.optional for file in DATASETS.load(name).files)
]
each = pytest.mark.parametrize("name", NAMES)


def made(name: str, folder: Path) -> tuple[Any, Path]:
    part = DATASETS.load(name)
    dataset = part(part.Options())
    root = folder / name
    root.mkdir()
    dataset.tiny(root)
    return dataset, root


def test_the_data_sets_are_there() -> None:
    assert {
        "openi",
        "covid_chestxray",
        "cov_ctr",
        "pocus",
        "figure1",
        "covid_multi_imaging",
        "table",
    } <= set(NAMES)


@each
def test_it_says_what_it_is_and_needs(name: str) -> None:
    dataset = DATASETS.load(name)()
    assert isinstance(dataset, DataSet)
    assert dataset.licence
    assert dataset.citation
    assert len(DATASETS.describe(name)) > 20
    assert dataset.label_choices
    assert all(file.giver and file.what for file in dataset.files)


@each
def test_what_it_lets_anyone_fetch_can_be_checked(name: str) -> None:
    checksum = re.compile(r"(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})?")
    for file in DATASETS.load(name)().files:
        assert checksum.fullmatch(file.checksum)
        assert not (file.downloads and file.apply), "either it may be fetched or it is asked for"
        for download in file.downloads:
            assert download.url.startswith("https://")
            assert checksum.fullmatch(download.checksum)
            for place in (download.to, file.path.split("|")[0]):
                assert not place.startswith("/")
                assert ".." not in place.split("/")


@each
def test_options_are_closed(name: str) -> None:
    with pytest.raises(InputError, match="no such key"):
        parse_options(DATASETS.load(name).Options, {"framez": 1}, where=name)


@each
def test_its_made_up_copy_reads_for_every_label_choice(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    graph = load_shipped()
    for choice in dataset.label_choices:
        studies = dataset.studies(root, labels=choice.name)
        assert 10 <= len(studies) <= 60
        assert len({study.study for study in studies}) == len(studies)
        assert studies == dataset.studies(root, labels=choice.name)
        stated = {finding for study in studies for finding in (*study.stated, *study.coded)}
        assert stated <= {*graph.index, *(concept.id for concept in dataset.concepts)}
        label_set = label_set_of(dataset, root, choice.name, graph)
        findings = choose_findings(label_set, studies, 2)
        values = targets(studies, findings, "ignore", choice.blank)
        assert values.shape == (len(studies), len(findings))
        assert (values == 1).any()


@each
def test_its_studies_are_well_formed(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    for study in dataset.studies(root, labels=dataset.label_choices[0].name):
        assert study.patient
        assert study.dataset
        assert all((root / image.path).is_file() for image in study.images)
        assert all(image.modality in MODALITIES and image.view in VIEWS for image in study.images)
        assert {image.modality for image in study.images} <= set(dataset.modalities)
        assert all(passage.name in SECTIONS and passage.text for passage in study.report)
        assert all(value for value in study.metadata.values())


@each
def test_file_names_never_become_facts_or_text(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    for study in dataset.studies(root, labels=dataset.label_choices[0].name):
        words = " ".join((*study.metadata.values(), *(p.text for p in study.report)))
        for image in study.images:
            stem = Path(image.path).stem
            if not stem.isdigit():
                assert stem not in words
        assert not re.search(r"\.(png|jpg|mp4|gif)\b", words)


@each
def test_wrong_requests_are_refused(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    with pytest.raises(InputError, match="no label choice"):
        dataset.studies(root, labels="nih15")
    with pytest.raises(InputError):
        dataset.studies(tmp_path / "nowhere", labels=dataset.label_choices[0].name)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError):
        dataset.studies(empty, labels=dataset.label_choices[0].name)
    assert any(row.state == "missing" and not row.passes for row in check(dataset, empty))
    with pytest.raises(InputError, match="is not under"):
        locate(name, dataset, empty)


@each
def test_check_and_show_agree_with_what_is_read(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    assert locate(name, dataset, tmp_path) == root
    assert locate(name, dataset, root) == root
    assert all(row.passes for row in check(dataset, root))
    counts = take_inventory(OpenDataset.open(name, dataset, root))
    reading = read(dataset, root, dataset.label_choices[0].name)
    assert counts.studies == len(reading.studies) == sum(counts.parts.values())
    assert sum(counts.left_out.values()) == len(reading.rejected)
    for finding in counts.findings:
        stated = finding.present + finding.absent + finding.uncertain + finding.not_stated
        assert stated == counts.parts["development"]


@each
def test_a_removed_column_is_named(name: str, tmp_path: Path) -> None:
    dataset, root = made(name, tmp_path)
    for file in dataset.files:
        path = root / file.path.split("|")[0]
        if file.columns and path.suffix == ".csv" and path.is_file():
            before = path.read_bytes()
            column = file.columns[-1]
            path.write_bytes(before.replace(column.encode(), b"gone", 1))
            wrong = next(row for row in check(dataset, root) if row.state == "wrong")
            assert wrong.columns_missing == (column,)
            path.write_bytes(before)
