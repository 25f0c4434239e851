"""Evaluation of a finished run elsewhere: restored, matched, refused, counted and stored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from encoders.contents import Contents
from encoders.study import Study, StudyImage
from experiments.config.schema import Experiment
from experiments.datasets import DATASETS
from experiments.evaluation.evaluate import evaluate_run
from experiments.inference.finding_matching import match_findings
from experiments.loading.holdout import equivalents
from experiments.records.folder import RunFolder, find_run
from experiments.records.ledger import LEDGER, note_use, read_ledger
from experiments.records.predictions import read_predictions
from experiments.records.record import DISTANCE
from experiments.records.studies import read_studies
from experiments.runner.run import run_experiment
from experiments.runs.exposure import SEEN, Exposure
from experiments.runs.restore import restore
from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import Edge, Evidence
from kg.model.graph import KnowledgeGraph


@pytest.fixture
def run(finished_copy: Callable[[str], RunFolder]) -> Iterator[RunFolder]:
    """A run that the test may change."""
    folder = finished_copy("evaluated")
    yield folder
    shutil.rmtree(folder.path)
    (folder.path.parent / LEDGER).unlink(missing_ok=True)


def test_a_restored_run_gives_the_numbers_of_its_record(run: RunFolder) -> None:
    record = run.load_record()
    before = {part.part: part for part in read_predictions(run.predictions)}["test"]
    made = evaluate_run(run, "synthetic", Path())
    assert made["external"] is False
    assert made["studies"] == len(before.studies) == record.split_counts["test"]
    now = {p.part: p for p in read_predictions(run.predictions)}["synthetic-nih14-trained"]
    np.testing.assert_allclose(now.probabilities, before.probabilities, atol=1e-12)
    np.testing.assert_array_equal(now.labels, before.labels)
    assert made["skipped"]["seen in training (train)"] == record.split_counts["train"]
    assert made["leakage"] == record.leakage == "partial"
    known = read_studies(run.studies)
    for part in read_predictions(run.predictions):
        rows = [(row.study, row.patient) for row in known if row.part == part.part]
        assert rows == list(zip(part.studies, part.patients, strict=True))
    macro = made["metrics"]["trained"]["auroc_macro"]["value"]
    assert macro == pytest.approx(record.metrics["test"]["auroc_macro"].value)
    for row in made["findings"]:
        if row["basis"] == "trained":
            (same,) = [r for r in record.findings if r.finding == row["finding"]]
            assert (row["threshold"], row["temperature"]) == (same.threshold, same.temperature)
            assert row["metrics"]["auroc"]["value"] == same.metrics["auroc"].value


def test_a_fold_is_averaged_over_the_findings_of_the_whole_development_part(
    small: dict[str, Any], small_runs: Path
) -> None:
    plain = {**small, "name": "fold", "split": {"kind": "folds", "folds": 3}}
    plain |= {"system": {"name": "logistic_image"}, "stages": [], "text": {"test": "none"}}
    name = run_experiment(Experiment.model_validate(plain), root=Path(), runs=small_runs)
    run = find_run(name, small_runs)
    made = evaluate_run(run, "synthetic", Path())
    value = run.load_record().metrics["test"]["auroc_macro"].value
    assert made["metrics"]["trained"]["auroc_macro"]["value"] == pytest.approx(value)
    assert "ckg:hiatal_hernia" in {*made["too_rare"], *(m["finding"] for m in made["matches"])}
    other = evaluate_run(run, "synthetic", Path(), labels="covid")
    assert other["not_possible"] == ["ckg:covid_19"]
    assert other["metrics"] == {}


def test_another_label_set_on_the_same_test_part(run: RunFolder) -> None:
    made = evaluate_run(run, "synthetic", Path(), labels="covid")
    assert made["external"] is False
    assert made["studies"] == run.load_record().split_counts["test"]
    assert made["label_policy"]["blank"] == "ignore"
    assert [one["basis"] for one in made["matches"]] == ["zero_shot"]


def test_label_set_transfer_keeps_trained_and_zero_shot_apart(
    run: RunFolder, tmp_path: Path
) -> None:
    DATASETS.load("openi")().tiny(tmp_path / "openi")
    made = evaluate_run(run, "openi", tmp_path, labels="chexpert14")
    assert made["external"] is True
    assert made["leakage"] == "partial"
    findings = restore(run).preprocessor.findings
    basis = {one["finding"]: one["basis"] for one in made["matches"]}
    assert basis["ckg:lung_opacity"] == "zero_shot"
    trained = {name for name, how in basis.items() if how == "trained"}
    assert trained == set(findings) & set(basis)
    assert set(made["without_equivalent"]) == set(basis) - trained
    assert set(made["metrics"]) == {"trained", "zero_shot"}
    for how in ("trained", "zero_shot"):
        assert {"value", "low", "high", "findings"} <= set(made["metrics"][how]["auroc_macro"])
    assert 0 <= made["agreement"]["hierarchy_consistency"]["value"] <= 1
    for row in made["findings"]:
        if row["basis"] == "zero_shot":
            assert row["threshold"] is None
            assert row["temperature"] is None
            assert row["metrics"]["f1"]["value"] is None
            assert row["metrics"][DISTANCE]["value"] > 0
    again = run.load_record()
    assert [one["labels"] for one in again.evaluations] == ["chexpert14"]
    assert again.metrics == restore(run).record.metrics
    parts = {part.part for part in read_predictions(run.predictions)}
    assert {"test", "openi-chexpert14-zero_shot"} <= parts


def test_a_finding_outside_the_graph_is_not_possible(run: RunFolder) -> None:
    restored = restore(run)
    first = restored.preprocessor.findings[0]
    nowhere, known = match_findings(restored, ("ckg:nowhere", first))
    assert (nowhere.basis, nowhere.asked, nowhere.how) == ("not_possible", None, "no_equivalent")
    assert (known.basis, known.asked, known.how) == ("trained", first, "same")


def test_exact_matches_reach_over_any_number_of_steps() -> None:
    said = (Evidence("a book", "curated", "asserted"),)
    pairs = (("a", "b"), ("c", "b"), ("c", "d"))
    graph = KnowledgeGraph(
        tuple(Concept(name, name, "finding") for name in "abcde"),
        tuple(Edge(one, "exact_match", other, said) for one, other in pairs),
    )
    assert set(equivalents(graph, "a")) == set("abcd")
    assert equivalents(graph, "e") == ("e",)


def locked(monkeypatch: pytest.MonkeyPatch, share: float = 0.4) -> None:
    monkeypatch.setattr(DATASETS.load("synthetic"), "locked_share", share)


def test_the_locked_part_is_scored_on_demand_alone_and_noted(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(monkeypatch)
    runs = run.path.parent
    made = evaluate_run(run, "synthetic", Path())
    assert made["part"] == "development"
    assert made["skipped"]["locked"] > 0
    assert read_ledger(runs) == []
    with pytest.raises(InputError, match="without a reason"):
        evaluate_run(run, "synthetic", Path(), locked=True)
    assert len(run.load_record().evaluations) == 1
    opened = evaluate_run(run, "synthetic", Path(), locked=True, why="final configuration")
    assert opened["part"] == "locked"
    assert opened["studies"] + made["studies"] == run.load_record().split_counts["test"]
    (line,) = read_ledger(runs)
    assert (line["run"], line["why"]) == (run.load_record().run, "final configuration")
    assert line["manifest"] == run.load_record().split_manifest


def test_a_run_on_the_locked_part_is_noted_and_not_tested_again_by_accident(
    small: dict[str, Any], small_runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked(monkeypatch)
    plain = {**small, "name": "final", "about": "Final figures.", "split": {"kind": "locked"}}
    plain |= {"system": {"name": "logistic_image"}, "stages": [], "text": {"test": "none"}}
    name = run_experiment(Experiment.model_validate(plain), root=Path(), runs=small_runs)
    (line,) = read_ledger(small_runs)
    (small_runs / LEDGER).unlink()
    assert (line["run"], line["why"]) == (name, "Final figures.")
    with pytest.raises(InputError, match="no study is left to evaluate: .* locked"):
        evaluate_run(find_run(name, small_runs), "synthetic", Path())


def test_a_use_that_cannot_be_noted_is_refused(tmp_path: Path) -> None:
    use = dict.fromkeys(("run", "config_hash", "dataset", "labels", "manifest", "why"), "x")
    note_use(tmp_path, use)
    note_use(tmp_path, use)
    assert len(read_ledger(tmp_path)) == 2
    with pytest.raises(InputError, match="cannot be written"):
        note_use(tmp_path / "not there", use)


def seen(studies: tuple[str, ...] = (), hashes: tuple[str, ...] = ()) -> Exposure:
    return Exposure(
        frozenset(f"openi:{one}" for one in studies),
        frozenset(f"openi:p{one}" for one in studies),
        frozenset(hashes),
        frozenset({("openi", "1.png")}),
    )


def test_what_was_seen_is_refused_with_the_whole_patient(tmp_path: Path) -> None:
    import hashlib

    (tmp_path / "twin.png").write_bytes(b"the very picture")
    (tmp_path / "listed.png").write_bytes(b"a smaller copy")
    (tmp_path / "near_duplicates.derived.csv").write_text(
        "dataset_a,file_a,dataset_b,file_b\nopeni-iu-cxr-images,1.png,elsewhere,listed.png\n"
    )
    known = seen(("CXR1",), (hashlib.sha256(b"the very picture").hexdigest(),))

    def study(name: str, patient: str, *pictures: str) -> Study:
        images = tuple(StudyImage(picture, "cxr") for picture in pictures)
        return Study(name, patient, images, dataset="elsewhere")

    studies = [
        study("openi:CXR1", "a"),
        study("other", "openi:pCXR1"),
        study("twin", "b", "twin.png"),
        study("of b too", "b"),
        study("listed", "c", "listed.png"),
        study("CXR1", "pCXR1"),
        study("missing", "d", "gone.png"),
    ]
    kept, counts = known.refuse("elsewhere", studies, tmp_path, Contents())
    assert [one.study for one in kept] == ["CXR1", "missing"]
    assert counts == {"study": 1, "patient": 2, "picture": 1, "near_duplicate": 1}


@pytest.fixture
def elsewhere(tmp_path: Path, run: RunFolder) -> Callable[..., Path]:
    """An own table with one picture the run has learnt from and one that cannot be read."""

    def write(broken: bool = True) -> Path:
        DATASETS.load("table")().tiny(tmp_path / "own")
        data = run.path.parent / "cache" / "datasets" / "synthetic"
        restored = restore(run)
        first = restored.manifest.studies("train")[0]
        studies = DATASETS.load("synthetic")(
            DATASETS.load("synthetic").Options(**restored.experiment.data.options)
        ).studies(data, labels="nih14")
        (learnt,) = [one for one in studies if one.study == first]
        shutil.copy(data / learnt.images[0].path, tmp_path / "own" / "pictures" / "3.png")
        if broken:
            (tmp_path / "own" / "pictures" / "5.png").write_bytes(b"no picture")
        return tmp_path / "own"

    return write


def test_external_data_lose_what_was_seen_and_what_cannot_be_read(
    run: RunFolder, elsewhere: Callable[..., Path]
) -> None:
    made = evaluate_run(run, "table", elsewhere())
    assert made["external"] is True
    # p3 has the studies s3 and s15
    assert made["skipped"]["seen in training (picture)"] == 1
    assert made["skipped"]["seen in training (patient)"] == 1
    assert made["skipped"]["unreadable pictures"] == 1
    assert made["label_policy"]["blank"] == "ignore"
    (run.path / SEEN).unlink()
    blind = evaluate_run(run, "table", elsewhere())
    assert blind["studies"] == made["studies"] + 2
    assert any("no hashes" in said for said in blind["warnings"])


def test_evidence_mined_from_the_tested_data_is_said(
    run: RunFolder, elsewhere: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DATASETS.load("table"), "graph_names", ("PadChest",))
    made = evaluate_run(run, "table", elsewhere(broken=False))
    assert any("graph.leave_out=[PadChest]" in said for said in made["warnings"])


def test_nothing_left_to_test_says_why(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    locked(monkeypatch, 1.0)
    with pytest.raises(InputError, match=r"no study is left to evaluate: \d+ locked"):
        evaluate_run(run, "synthetic", Path())


def test_a_run_that_is_not_as_it_was_is_not_restored(run: RunFolder) -> None:
    record = run.load_record()
    assert record.graph is not None
    other = replace(record.graph, fingerprint="0" * 64)
    replace(record, graph=other).save(run.record)
    with pytest.raises(InputError, match="its graph was 000000000000"):
        restore(run)
    replace(record, status="stopped").save(run.record)
    with pytest.raises(InputError, match="stopped, not finished"):
        restore(run)
    record.save(run.record)
    config = run.config.read_text()
    run.config.write_text(config.replace("test: redacted", "test: full"))
    with pytest.raises(InputError, match="was changed since"):
        restore(run)
    run.config.write_text(config)
    manifest = json.loads(run.splits.read_text())
    manifest["seed"] = 7
    run.splits.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="not that of its hash"):
        restore(run)
