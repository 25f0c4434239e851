"""Leave-one-source-out: which sources can be tested, and who trains and who is tested."""

from __future__ import annotations

from collections import Counter

import pytest

from encoders.study import Stated, Study
from experiments.config.schema import SplitSection
from experiments.sources import count_sources, source_groups, source_of
from experiments.splits import check, make_manifest
from kg.errors import InputError


def studies(counts: dict[str, tuple[int, int]], first: int = 0) -> list[Study]:
    """Patients of one study each, from sources with so many positives and negatives."""
    found = []
    for source, (present, absent) in counts.items():
        for number in range(present + absent):
            stated: dict[str, Stated] = {"x": "present" if number < present else "absent"}
            name = f"{source}{number + first}"
            facts = {"document": source}
            found.append(Study(name, f"p-{name}", stated=stated, source="d", facts=facts))
    return found


COHORT = {"big.org": (20, 20), "small.org": (10, 12), "ill.org": (30, 0), "few.org": (9, 30)}


def test_sources_by_size_and_rarer_class() -> None:
    rows = count_sources(studies(COHORT))
    assert [(row.source, row.studies, row.rarer) for row in rows] == [
        ("big.org", 40, 20),
        ("few.org", 39, 9),
        ("ill.org", 30, 0),
        ("small.org", 22, 10),
    ]
    assert [row.source for row in rows if row.can_be_tested] == ["big.org", "small.org"]


def test_a_study_without_a_document_is_of_its_data_set() -> None:
    assert source_of(Study("s", "p", source="openi")) == "openi"
    assert source_of(Study("s", "p", source="openi", facts={"document": "a.org"})) == "a.org"


def test_what_is_not_stated_counts_as_absent_and_uncertain_as_neither() -> None:
    some = [Study(f"s{n}", "p", stated={"y": "absent"}, source="d") for n in range(12)]
    some += [Study(f"t{n}", "p", stated={"x": "present"}, source="d") for n in range(11)]
    some += [Study(f"u{n}", "p", stated={"x": "uncertain"}, source="d") for n in range(9)]
    some += [Study("v", "p", source="d")]
    (row,) = count_sources(some)
    assert (row.studies, row.rarer) == (32, 11)


def test_one_source_is_tested_and_the_others_train() -> None:
    everyone = studies(COHORT)
    tested: Counter[str] = Counter()
    for fold, source in enumerate(("big.org", "small.org")):
        split = SplitSection(kind="sources", fold=fold)
        manifest = make_manifest(everyone, split, dataset="d")
        check(manifest)
        assert manifest.name == f"d-sources-{source}-seed0"
        assert {name.split(".")[0] for name in manifest.studies("test")} == {source.split(".")[0]}
        assert len(manifest.studies("test")) == sum(COHORT[source])
        assert len(manifest.studies("train")) > 3 * len(manifest.studies("validation"))
        assert manifest.sha256 == make_manifest(everyone[::-1], split, dataset="d").sha256
        tested.update(manifest.studies("test"))
    assert set(tested.values()) == {1}


def test_a_patient_of_two_sources_is_tested_with_the_more_frequent_one() -> None:
    patients = [
        Study("a", "p", facts={"document": "big.org"}),
        Study("b", "p", facts={"document": "big.org"}),
        Study("c", "p", facts={"document": "small.org"}),
        Study("d", "q", facts={"document": "small.org"}),
    ]
    assert source_groups(patients, "big.org") == ({"p"}, set())
    assert source_groups(patients, "small.org") == ({"q"}, {"p"})
    everyone = studies(COHORT)
    mixed = [
        Study("m1", "p-m", stated={"x": "present"}, facts={"document": "big.org"}),
        Study("m2", "p-m", stated={"x": "present"}, facts={"document": "big.org"}),
        Study("m3", "p-m", stated={"x": "present"}, facts={"document": "small.org"}),
    ]
    manifest = make_manifest([*everyone, *mixed], SplitSection(kind="sources", fold=1), dataset="d")
    assert {manifest.assignments[study.study] for study in mixed} == {"unused"}


def test_locked_studies_stay_locked() -> None:
    everyone = studies(COHORT)
    locked = frozenset(["big.org0", "ill.org3"])
    manifest = make_manifest(everyone, SplitSection(kind="sources"), dataset="d", locked=locked)
    assert set(manifest.studies("locked")) == locked


def test_what_cannot_be_left_out_says_so() -> None:
    with pytest.raises(InputError, match=r"one source only \(big.org\)"):
        make_manifest(studies({"big.org": (20, 20)}), SplitSection(kind="sources"), dataset="d")
    with pytest.raises(InputError, match="2 of the 4 sources of d can be tested") as error:
        make_manifest(studies(COHORT), SplitSection(kind="sources", fold=2), dataset="d")
    assert error.value.hint == "choose of: 0 big.org, 1 small.org"
    few = studies({"ill.org": (30, 0), "well.org": (0, 30)})
    with pytest.raises(InputError, match="0 of the 2 sources"):
        make_manifest(few, SplitSection(kind="sources"), dataset="d")
