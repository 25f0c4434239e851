"""Counts of the published data, where a copy is at hand (`KGDX_DATA`); none is ever committed."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from experiments.config.schema import SplitSection
from experiments.datasets import DATASETS
from experiments.datasets._layout import Reading
from experiments.datasets._mesh import concepts_of, full_label_set, steps_of
from experiments.datasets._openi_reports import read_reports
from experiments.loading.targets import choose_findings
from experiments.preparation.inspection import check, locate, reasons
from experiments.splits.manifest import (
    LOCKED_LISTS,
    fraction,
    locked_list,
    locked_studies,
    make_manifest,
)

DATA = Path(os.environ.get("KGDX_DATA", "../shared/data"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data at {DATA} (set KGDX_DATA)")

COUNTS = {
    # studies, pictures, groups, studies without any label
    "openi": (3436, 6672, 3436, 0),
    "covid_chestxray": (488, 558, 279, 0),
    "cov_ctr": (636, 636, 333, 24),
    "pocus": (141, 711, 92, 0),
    "covid_blues": (44, 251, 44, 0),
    "figure1": (55, 55, 54, 15),
    "covid_multi_imaging": (1265, 1905, 704, 24),
}

LEFT_OUT = {
    "openi": {"no picture": 112, "picture not found": 36},
    "covid_chestxray": {
        "finding is todo": 69,
        "folder is 'volumes', not images": 21,
        "picture not found": 13,
        "no row in metadata.csv": 11,
        "its picture is already in an earlier row": 5,
    },
    "cov_ctr": {},
    "covid_blues": {},
    "pocus": {},
    "figure1": {},
}


@cache
def real(name: str, labels: str = "") -> tuple[Any, Reading]:
    dataset = DATASETS.load(name)()
    root = locate(name, dataset, DATA)
    return dataset, dataset.read(root, labels=labels or dataset.label_choices[0].name)


@pytest.mark.parametrize("name", COUNTS)
def test_studies_pictures_and_groups(name: str) -> None:
    _, reading = real(name)
    studies = reading.studies
    assert (
        len(studies),
        sum(len(study.images) for study in studies),
        len({study.patient for study in studies}),
        sum(not study.stated for study in studies),
    ) == COUNTS[name]
    assert len({study.study for study in studies}) == len(studies)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_every_row_that_is_left_out_is_counted(name: str) -> None:
    assert reasons(real(name)[1].rejected) == LEFT_OUT[name]


def test_pictures_and_rows_add_up() -> None:
    kept, left = COUNTS["covid_chestxray"][1], LEFT_OUT["covid_chestxray"]
    todo = left["finding is todo"]
    assert kept + todo + left["no row in metadata.csv"] == 638
    assert kept + sum(left.values()) - left["no row in metadata.csv"] == 666


def test_openi_with_frontal_view_report_and_gold_labels() -> None:
    studies = real("openi")[1].studies
    named = {"findings", "impression"}
    whole = [
        study
        for study in studies
        if any(image.view == "frontal" for image in study.images)
        and any(passage.name in named for passage in study.report)
        and study.stated
    ]
    assert len(whole) == 3297
    views = Counter(image.view for study in studies for image in study.images)
    assert views == {"frontal": 3417, "lateral": 3255}
    assert all("width" in study.metadata for study in studies)


def test_what_the_covid_sets_state() -> None:
    def stated(name: str, labels: str) -> Counter[str]:
        studies = real(name, labels)[1].studies
        return Counter(study.stated.get("ckg:covid_19", "") for study in studies)

    assert stated("covid_chestxray", "covid") == {"present": 398, "absent": 73, "uncertain": 17}
    assert stated("cov_ctr", "covid") == {"present": 261, "absent": 351, "": 24}
    assert stated("pocus", "covid") == {"present": 26, "absent": 114, "uncertain": 1}
    assert stated("covid_multi_imaging", "pocus4") == {"present": 26, "absent": 114, "": 1125}


def test_readings_of_the_ultrasound_clips_of_one_study() -> None:
    def present(labels: str) -> Counter[str]:
        studies = real("covid_blues", labels)[1].studies
        assert len(studies) == (44 if labels == "covid" else 251)
        assert len({study.patient for study in studies}) == 44
        stated = (item for study in studies for item in study.stated.items())
        return Counter(concept for concept, value in stated if value == "present")

    assert present("covid") == {"ckg:covid_19": 22}
    assert present("lines") == {"ckg:a_lines": 175, "ckg:b_lines": 155}
    grades = present("severity")
    assert [grades[f"ckg:lus_score_{grade}"] for grade in range(4)] == [95, 66, 59, 31]


def test_dialogues_of_both_languages() -> None:
    dataset, reading = real("covid_dialogue")
    studies = reading.studies
    assert len({study.study for study in studies}) == len(studies) == 1_997
    assert len({study.patient for study in studies}) == 1_947
    assert all(row.passes for row in check(dataset, DATA / "covid_dialogue"))
    assert Counter(study.metadata["language"] for study in studies) == {"zh": 1393, "en": 604}
    written = [study for study in studies if study.report]
    assert (len(written), {study.metadata["language"] for study in written}) == (670, {"zh"})
    assert {study.study for study in studies if study.stated} <= {s.study for s in written}
    assert all(turn.name != "impression" for study in studies for turn in study.dialogue)
    assert all(study.dialogue for study in studies)


def test_nih_pictures_at_hand_have_the_counts_of_their_readme() -> None:
    dataset = DATASETS.load("nih_chestxray14")()
    reading = dataset.read(DATA / "nih_chestxray14_64px", labels="nih14")
    studies = reading.studies
    assert not reading.rejected
    assert (len(studies), len({study.patient for study in studies})) == (1000, 264)
    assert Counter(study.metadata["view"] for study in studies) == {"PA": 637, "AP": 363}
    found = Counter(concept for study in studies for concept in study.stated)
    assert (found["ckg:no_finding"], found["ckg:pleural_effusion"]) == (499, 170)
    assert (found["ckg:infiltrate"], found["ckg:hiatal_hernia"]) == (162, 9)
    assert sum(len(study.stated) > 1 for study in studies) == 213


def test_padchest_labels_by_physicians() -> None:
    part = DATASETS.load("padchest")
    dataset = part(part.Options(pictures="optional", labels_by="physician"))
    studies = dataset.read(DATA / "padchest_labels", labels="padchest").studies
    normal = [study for study in studies if study.stated.get("ckg:no_finding") == "present"]
    assert len(normal) == 8_885
    assert all(len(study.stated) == 1 for study in normal)


def test_both_languages_of_every_report() -> None:
    for study in real("cov_ctr")[1].studies:
        assert [passage.language for passage in study.report] in ([], ["en", "zh"])


def test_headings_of_the_development_part_have_concepts() -> None:
    reports = read_reports(DATA / "openi").values()
    paths = Counter(
        path
        for report in reports
        if fraction(f"CXR{report.uid}") >= 0.25
        for path in report.headings
    )
    mapped = sum(count for path, count in paths.items() if concepts_of(path))
    heads = {path.split("/")[0] for path in paths}
    known = {path.split("/")[0] for path in paths if concepts_of(path)}
    assert mapped / sum(paths.values()) > 0.93
    assert (len(known), len(heads)) == (94, 119)


def test_steps_of_the_development_part_have_concepts() -> None:
    dataset, reading = real("openi", "mesh_full")
    locked = locked_studies(dataset, reading.studies)
    labelled = {study.study for study in reading.studies if study.stated} - locked
    steps: Counter[str] = Counter()
    for report in read_reports(DATA / "openi").values():
        if f"CXR{report.uid}" in labelled:
            paths = [path.casefold().split("/") for path in report.headings]
            steps.update({step for _, *qualifiers in paths for step in qualifiers})
    often = {step for step, count in steps.items() if count >= 20}
    assert (len(often), len([step for step in often if steps_of(step)])) == (49, 34)
    development = [study for study in reading.studies if study.study in labelled]
    assert len(choose_findings(full_label_set(), development, 20)) == 81


@pytest.mark.parametrize("name", ["openi", "covid_multi_imaging"])
def test_the_committed_locked_part_is_what_the_rule_gives(name: str) -> None:
    dataset, reading = real(name)
    committed = json.loads((LOCKED_LISTS / f"{name}.json").read_text(encoding="utf-8"))
    assert committed == locked_list(dataset, name, reading.studies)
    assert locked_studies(dataset, reading.studies) == set(committed["studies"])
    joined = "\n".join(committed["studies"])
    assert committed["sha256"] == hashlib.sha256(joined.encode()).hexdigest()
    assert set(committed) == {
        "dataset",
        "rule",
        "groups",
        "of_groups",
        "of_studies",
        "sha256",
        "studies",
    }


def test_the_sets_of_the_cohort_lock_what_the_cohort_locks() -> None:
    dataset, reading = real("covid_multi_imaging")
    locked = locked_studies(dataset, reading.studies)
    alone: set[str] = set()
    for name in ("covid_chestxray", "cov_ctr", "pocus"):
        member, studies = real(name, "covid")
        alone |= {f"{name}:{study}" for study in locked_studies(member, studies.studies)}
    assert locked <= alone
    assert len(alone - locked) <= 5


@pytest.mark.parametrize("name", ["openi", "covid_multi_imaging"])
def test_folds_are_balanced_and_never_touch_the_locked_part(name: str) -> None:
    dataset, reading = real(name)
    locked = locked_studies(dataset, reading.studies)
    tested: Counter[str] = Counter()
    for fold in range(5):
        manifest = make_manifest(
            reading.studies, SplitSection(fold=fold), dataset=name, locked=locked
        )
        assert set(manifest.studies("locked")) == locked
        tested.update(manifest.studies("test"))
    assert set(tested.values()) == {1}
    assert len(tested) == len(reading.studies) - len(locked)


def test_nothing_but_optional_files_is_missing() -> None:
    for name in COUNTS:
        dataset, _ = real(name)
        assert all(row.passes for row in check(dataset, locate(name, dataset, DATA)))
