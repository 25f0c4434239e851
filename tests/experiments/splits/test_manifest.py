from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from encoders.study import SplitSubset, Stated, Study, StudyImage
from experiments.config.schema import SplitSection
from experiments.splits.manifest import (
    Manifest,
    check,
    fraction,
    locked_groups,
    locked_studies,
    make_manifest,
    official_subsets,
    read_locked,
)
from kg.errors import InputError


def cohort(patients: int = 120, seed: int = 0) -> list[Study]:
    """Patients with one to three studies, two modalities, a frequent and a rare finding."""
    rng = np.random.default_rng(seed)
    found = []
    for patient in range(patients):
        for number in range(1 + int(rng.integers(3))):
            stated: dict[str, Stated] = {
                "often": "present" if rng.random() < 0.4 else "absent",
                "rare": "present" if patient % 12 == 0 else "absent",
            }
            image = StudyImage("x.png", "ct" if patient % 3 else "cxr")
            found.append(Study(f"s{patient}-{number}", f"p{patient}", (image,), stated=stated))
    return found


def parts(manifest: Manifest) -> Counter[str]:
    return Counter(manifest.assignments.values())


def test_the_hash_rule_by_hand() -> None:
    digest = hashlib.sha256(b"CXR1").hexdigest()
    assert fraction("CXR1") == int(digest[:8], 16) / 16**8
    assert fraction("CXR1") == pytest.approx(0.4475996543187648)
    names = [f"CXR{number}" for number in range(1, 4000)]
    assert 0.23 < len(locked_groups(names, 0.25)) / len(names) < 0.27
    assert locked_groups(names, 0.2) < locked_groups(names, 0.25)
    assert locked_groups(names, 0.0) == frozenset()


def test_each_study_is_tested_exactly_once_over_the_folds() -> None:
    studies = cohort()
    locked = frozenset(s.study for s in studies if fraction(s.patient) < 0.2)
    tested: Counter[str] = Counter()
    for fold in range(5):
        manifest = make_manifest(studies, SplitSection(fold=fold), dataset="d", locked=locked)
        check(manifest)
        tested.update(manifest.studies("test"))
        assert set(manifest.studies("locked")) == locked
        counts = parts(manifest)
        open_studies = len(studies) - len(locked)
        assert abs(counts["test"] - open_studies / 5) <= 4
        assert abs(counts["validation"] - 0.15 * 0.8 * open_studies) <= 4
    assert set(tested) == {s.study for s in studies} - locked
    assert set(tested.values()) == {1}


def test_labels_and_modalities_are_balanced() -> None:
    studies = cohort()
    of = {study.study: study for study in studies}
    rare, cxr = [], []
    for fold in range(5):
        manifest = make_manifest(studies, SplitSection(fold=fold), dataset="d")
        tested = [of[name] for name in manifest.studies("test")]
        rare.append(sum(s.stated["rare"] == "present" for s in tested))
        cxr.append(sum(s.images[0].modality == "cxr" for s in tested) / len(tested))
    assert max(rare) - min(rare) <= 1
    assert max(cxr) - min(cxr) < 0.06


def test_fixed_and_locked_shares() -> None:
    studies = cohort()
    fixed = parts(make_manifest(studies, SplitSection(kind="fixed"), dataset="d"))
    shares = [fixed[part] / len(studies) for part in ("train", "validation", "test")]
    np.testing.assert_allclose(shares, [0.60, 0.15, 0.25], atol=0.02)
    locked = frozenset(s.study for s in studies if fraction(s.patient) < 0.2)
    final = make_manifest(studies, SplitSection(kind="locked"), dataset="d", locked=locked)
    assert set(final.studies("test")) == locked
    assert final.studies("locked") == ()
    assert final.name == "d-locked-seed0"


def test_the_same_seed_gives_the_same_manifest_whatever_the_order() -> None:
    studies = cohort()
    first = make_manifest(studies, SplitSection(), dataset="d")
    again = make_manifest(studies[::-1], SplitSection(), dataset="d")
    other = make_manifest(studies, SplitSection(seed=1), dataset="d")
    assert first.sha256 == again.sha256
    assert first.sha256 == make_manifest(cohort(), SplitSection(), dataset="d").sha256
    assert other.assignments != first.assignments


def test_one_locked_study_locks_its_whole_group() -> None:
    studies = cohort()
    one = next(s for s in studies if s.study.endswith("-1"))
    manifest = make_manifest(studies, SplitSection(), dataset="d", locked=frozenset([one.study]))
    group = {s.study for s in studies if s.patient == one.patient}
    assert set(manifest.studies("locked")) == group
    assert len(group) > 1


@given(patients=some.integers(12, 60), seed=some.integers(0, 9), folds=some.integers(2, 4))
@settings(max_examples=25, deadline=None)
def test_no_group_is_ever_in_two_parts(patients: int, seed: int, folds: int) -> None:
    studies = cohort(patients, seed)
    for kind in ("folds", "fixed"):
        split = SplitSection(kind=kind, folds=folds, seed=seed)  # type: ignore[arg-type]
        check(make_manifest(studies, split, dataset="d"))


def test_a_patient_in_two_parts_is_leakage() -> None:
    manifest = make_manifest(cohort(), SplitSection(), dataset="d")
    group, count = Counter(manifest.groups.values()).most_common(1)[0]
    assert count > 1
    study = next(name for name, of in manifest.groups.items() if of == group)
    moved = "test" if manifest.assignments[study] != "test" else "train"
    wrong = replace(manifest, assignments={**manifest.assignments, study: moved})
    with pytest.raises(InputError, match=rf"leakage: .*group {group} is in"):
        check(wrong)


def test_saving_and_loading(tmp_path: Path) -> None:
    manifest = make_manifest(cohort(), SplitSection(fold=2), dataset="d")
    path = tmp_path / "m.json"
    manifest.save(path)
    assert Manifest.load(path) == manifest
    assert Manifest.load(path).sha256 == manifest.sha256
    content = json.loads(path.read_text())
    assert content["sha256"] == manifest.sha256
    content["seed"] = 5
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="not that of its hash"):
        Manifest.load(path)
    for text, says in (("{", "not a split manifest"), ("[]", "not a split manifest")):
        path.write_text(text)
        with pytest.raises(InputError, match=says):
            Manifest.load(path)
    with pytest.raises(InputError, match="not found"):
        Manifest.load(tmp_path / "none.json")


def test_a_manifest_that_is_not_whole_is_refused() -> None:
    manifest = make_manifest(cohort(), SplitSection(), dataset="d")
    some_study = next(iter(manifest.groups))
    with pytest.raises(InputError, match="no such subset: dev"):
        check(replace(manifest, assignments={**manifest.assignments, some_study: "dev"}))  # type: ignore[dict-item]
    groups = {name: of for name, of in manifest.groups.items() if name != some_study}
    with pytest.raises(InputError, match="lacks a subset or a group"):
        check(replace(manifest, groups=groups))


def test_a_locked_split_needs_a_locked_test_set() -> None:
    with pytest.raises(InputError, match="d has no locked test set"):
        make_manifest(cohort(), SplitSection(kind="locked"), dataset="d")


def test_too_few_patients_and_two_of_one_id() -> None:
    with pytest.raises(InputError, match="nothing is left for"):
        make_manifest(cohort()[:1], SplitSection(), dataset="d")
    with pytest.raises(InputError, match="several studies have the id 's0-0'"):
        make_manifest([cohort()[0], *cohort()], SplitSection(), dataset="d")
    with pytest.raises(InputError, match="several studies have the id 's0-0', 's1-0', 's2-0'"):
        make_manifest(
            [*[one for one in cohort() if one.study[-1] == "0"][:3], *cohort()],
            SplitSection(),
            dataset="d",
        )


def test_a_member_of_a_cohort_locks_what_the_cohort_locks() -> None:
    class Member:
        locked_share = 0.2
        locked_as = "covid_chestxray:"
        locked_with = "covid_multi_imaging"

    listed = next(
        name.removeprefix("covid_chestxray:")
        for name in sorted(read_locked("covid_multi_imaging"))
        if name.startswith("covid_chestxray:")
    )
    patients = [str(number) for number in range(50)]
    studies = [Study(f"{p}/x", p) for p in patients] + [Study(listed, "no such patient")]
    rule = {f"{p}/x" for p in patients if fraction(f"covid_chestxray:{p}") < 0.2}
    assert locked_studies(Member(), studies) == rule | {listed}
    assert locked_studies(object(), studies) == frozenset()
    assert read_locked("") == read_locked("no such set") == frozenset()


def placed(studies: list[Study], parts: tuple[SplitSubset, ...]) -> dict[str, SplitSubset]:
    """An official split that deals patients out over some parts in turn."""
    return {study.study: parts[int(study.patient[1:]) % len(parts)] for study in studies}


def test_an_official_split_is_taken_as_published() -> None:
    studies = cohort()
    official = placed(studies, ("train", "train", "validation", "test"))
    split = SplitSection(kind="official")
    manifest = make_manifest(studies, split, dataset="d", official=official)
    assert manifest.assignments == official
    assert manifest.name == "d-official-seed0"
    shut = frozenset(study.study for study in studies if study.patient == "p3")
    closed = make_manifest(studies, split, dataset="d", official=official, locked=shut)
    assert closed.assignments == official | dict.fromkeys(shut, "locked")


def test_validation_is_divided_off_training_where_none_is_published() -> None:
    studies = cohort()
    official = placed(studies, ("train", "train", "train", "test"))
    split = SplitSection(kind="official", validation=0.2)
    manifest = make_manifest(studies, split, dataset="d", official=official)
    check(manifest)
    for study, part in manifest.assignments.items():
        assert official[study] == ("train" if part == "validation" else part)
    counts = parts(manifest)
    assert abs(counts["validation"] - 0.2 * (counts["train"] + counts["validation"])) <= 3


def test_an_official_split_that_cannot_be_used_is_refused() -> None:
    studies = cohort()
    split = SplitSection(kind="official")
    official = placed(studies, ("train", "validation", "test"))
    with pytest.raises(InputError, match="d: no official split is here"):
        make_manifest(studies, split, dataset="d")
    few = dict(list(official.items())[2:])
    with pytest.raises(InputError, match=r"does not place study s0-0 \(2 such studies\)"):
        make_manifest(studies, split, dataset="d", official=few)
    two = next(study.patient for study in studies if study.study.endswith("-1"))
    first = f"s{two[1:]}-0"
    other: SplitSubset = "test" if official[first] != "test" else "train"
    with pytest.raises(InputError, match=f"leakage: .*group {two} "):
        make_manifest(studies, split, dataset="d", official=official | {first: other})
    with pytest.raises(InputError, match="nothing is left for test"):
        make_manifest(studies, split, dataset="d", official=placed(studies, ("train",)))


def test_a_data_set_is_asked_for_its_official_split(tmp_path: Path) -> None:
    class Publishes:
        def official_split(self, root: Path) -> dict[str, SplitSubset]:
            return {root.name: "test"}

    assert official_subsets(Publishes(), tmp_path) == {tmp_path.name: "test"}
    assert official_subsets(object(), tmp_path) == {}


def test_fractions_of_training_are_nested_balanced_and_by_patient() -> None:
    studies = cohort(600)
    whole = make_manifest(studies, SplitSection(kind="fixed"), dataset="d")
    train = set(whole.studies("train"))
    rare = {study.study for study in studies if study.stated["rare"] == "present"}
    inside = train
    for share in (0.5, 0.2, 0.1, 0.05):
        split = SplitSection(kind="fixed", fraction=share)
        manifest = make_manifest(studies, split, dataset="d")
        assert manifest.name == f"d-fixed-seed0-{100 * share:g}pct"
        kept = set(manifest.studies("train"))
        assert kept < inside
        assert kept | set(manifest.studies("unused")) == train
        for part in ("validation", "test"):
            assert manifest.studies(part) == whole.studies(part)  # type: ignore[arg-type]
        assert abs(len(kept) / len(train) - share) < 0.06
        assert abs(len(kept & rare) / len(kept) - len(train & rare) / len(train)) < 0.02
        check(manifest)
        inside = kept
    other = SplitSection(kind="fixed", fraction=0.5, seed=1)
    assert set(make_manifest(studies, other, dataset="d").studies("train")) != inside
    with pytest.raises(InputError, match=r"split.fraction 0\.3"):
        make_manifest(studies, SplitSection(fraction=0.3), dataset="d")
