"""Leave-one-source-out: which sources can be tested, and who trains and who is tested."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from encoders.study import Stated, Study
from experiments.cli.main import main
from experiments.config.schema import SplitSection
from experiments.records.folder import find_run
from experiments.records.predictions import read_predictions
from experiments.splits.manifest import Manifest, check, make_manifest
from experiments.splits.origins import count_origins, origin_groups, origin_of
from kg.errors import InputError


def studies(counts: dict[str, tuple[int, int]], first: int = 0) -> list[Study]:
    """Patients of one study each, from sources with so many positives and negatives."""
    found = []
    for source, (present, absent) in counts.items():
        for number in range(present + absent):
            stated: dict[str, Stated] = {"x": "present" if number < present else "absent"}
            name = f"{source}{number + first}"
            facts = {"document": source}
            found.append(Study(name, f"p-{name}", stated=stated, dataset="d", metadata=facts))
    return found


COHORT = {"big.org": (20, 20), "small.org": (10, 12), "ill.org": (30, 0), "few.org": (9, 30)}


def test_sources_by_size_and_rarer_class() -> None:
    rows = count_origins(studies(COHORT))
    assert [(row.source, row.studies, row.rarer) for row in rows] == [
        ("big.org", 40, 20),
        ("few.org", 39, 9),
        ("ill.org", 30, 0),
        ("small.org", 22, 10),
    ]
    assert [row.source for row in rows if row.can_be_tested] == ["big.org", "small.org"]


def test_a_study_without_a_document_is_of_its_data_set() -> None:
    assert origin_of(Study("s", "p", dataset="openi")) == "openi"
    assert origin_of(Study("s", "p", dataset="openi", metadata={"document": "a.org"})) == "a.org"


def test_what_is_not_stated_counts_as_absent_and_uncertain_as_neither() -> None:
    some = [Study(f"s{n}", "p", stated={"y": "absent"}, dataset="d") for n in range(12)]
    some += [Study(f"t{n}", "p", stated={"x": "present"}, dataset="d") for n in range(11)]
    some += [Study(f"u{n}", "p", stated={"x": "uncertain"}, dataset="d") for n in range(9)]
    some += [Study("v", "p", dataset="d")]
    (row,) = count_origins(some)
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
        Study("a", "p", metadata={"document": "big.org"}),
        Study("b", "p", metadata={"document": "big.org"}),
        Study("c", "p", metadata={"document": "small.org"}),
        Study("d", "q", metadata={"document": "small.org"}),
    ]
    assert origin_groups(patients, "big.org") == ({"p"}, set())
    assert origin_groups(patients, "small.org") == ({"q"}, {"p"})
    everyone = studies(COHORT)
    mixed = [
        Study("m1", "p-m", stated={"x": "present"}, metadata={"document": "big.org"}),
        Study("m2", "p-m", stated={"x": "present"}, metadata={"document": "big.org"}),
        Study("m3", "p-m", stated={"x": "present"}, metadata={"document": "small.org"}),
    ]
    manifest = make_manifest([*everyone, *mixed], SplitSection(kind="sources", fold=1), dataset="d")
    assert {manifest.assignments[study.study] for study in mixed} == {"unused"}


def test_locked_studies_stay_locked() -> None:
    everyone = studies(COHORT)
    locked = frozenset(["big.org0", "ill.org3"])
    manifest = make_manifest(everyone, SplitSection(kind="sources"), dataset="d", locked=locked)
    assert set(manifest.studies("locked")) == locked


def test_what_cannot_be_left_out_says_so() -> None:
    with pytest.raises(InputError, match=r"one origin only \(big.org\)"):
        make_manifest(studies({"big.org": (20, 20)}), SplitSection(kind="sources"), dataset="d")
    with pytest.raises(InputError, match="2 of the 4 origins of d can be tested") as error:
        make_manifest(studies(COHORT), SplitSection(kind="sources", fold=2), dataset="d")
    assert error.value.hint == "choose of: 0 big.org, 1 small.org"
    few = studies({"ill.org": (30, 0), "well.org": (0, 30)})
    with pytest.raises(InputError, match="0 of the 2 origins"):
        make_manifest(few, SplitSection(kind="sources"), dataset="d")


OWN = """name: own
data: {{name: table, labels: own, at_least: 1}}
split: {{kind: sources, fold: {fold}}}
image: {{encoder: null}}
facts: [sex]
system: {{name: logistic_metadata}}
"""


def own_table(folder: Path, sources: int, fold: int) -> list[str]:
    """The words of a run on one's own csv of some sources."""
    rows = [f"s{n},{'FM'[n % 3 % 2]},h{n % sources},{n // sources % 2}" for n in range(90)]
    lines = [f"{row},seen" for row in rows]
    (folder / "s.csv").write_text("\n".join(["study,sex,source,Edema,report", *lines]))
    (folder / "own.yaml").write_text(OWN.format(fold=fold))
    runs = ["--root", str(folder), "--runs", str(folder / "runs")]
    return ["experiment", "run", str(folder / "own.yaml"), *runs]


def test_a_run_leaves_a_hospital_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(own_table(tmp_path, sources=3, fold=1)) == 0
    folder = find_run(capsys.readouterr().out.strip(), tmp_path / "runs")
    manifest = Manifest.load(folder.splits)
    assert manifest.name == "table-sources-h1-seed0"
    assert folder.load_record().split_manifest == manifest.sha256
    (test,) = [part for part in read_predictions(folder.predictions) if part.part == "test"]
    assert set(test.studies) == {f"s{n}" for n in range(90) if n % 3 == 1}


def test_a_run_on_one_hospital_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(own_table(tmp_path, sources=1, fold=0)) == 3
    assert "there is one origin only (h0)" in capsys.readouterr().err
