"""What may not share a table is refused by name, and what a reader must know is said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.compare.compare import compare
from experiments.compare.records import Comparison
from experiments.compare.tables import about, graphs
from experiments.metrics.bootstrap import Plan
from experiments.records.folder import RunFolder
from experiments.records.ledger import note_use
from experiments.records.record import GraphUse
from experiments.reports.write_comparison import render
from kg.errors import InputError

QUICK = Plan(resamples=20)


def scored(**changes):
    """Changes to what a run scored."""
    return lambda part: replace(part, **{name: of(part) for name, of in changes.items()})


CASES = {
    "split manifest": {"split_manifest": "another"},
    "data set: synthetic and openi": {"dataset": "openi"},
    "label set: nih14 and chexpert14": {"labels": "chexpert14"},
    "label policy": {"label_policy": {"uncertain": "one"}},
    "studies: 2 were": {"scored": scored(studies=lambda p: ("another", *p.studies[1:]))},
    "patients": {"scored": scored(patients=lambda p: ("another", *p.patients[1:]))},
    "labels": {"scored": scored(labels=lambda p: np.zeros_like(p.labels))},
    "findings": {"scored": scored(findings=lambda p: ("ckg:z", *p.findings[1:]))},
    "a study is predicted twice": {
        "scored": scored(studies=lambda p: (p.studies[1], *p.studies[1:]))
    },
    "no test predictions": {"scored": scored(part=lambda p: "other")},
}


@pytest.mark.parametrize("said", CASES)
def test_runs_that_may_not_share_a_table_are_refused(write, said) -> None:
    one, other = write("full"), write("names", **CASES[said])
    with pytest.raises(InputError, match=said):
        compare({"full": [one], "names": [other]}, plan=QUICK)


def test_every_unfinished_run_is_named(write) -> None:
    runs = [write("full"), write("full", fold=1, status="stopped"), write("names", status="failed")]
    runs[2].record.unlink()
    with pytest.raises(InputError, match=r"not finished: full.* \(stopped\), names.*not started"):
        compare({"full": runs[:2], "names": runs[2:]}, plan=QUICK)


def test_folds_and_seeds_must_be_crossed(crossed, write) -> None:
    full, names = crossed("full"), crossed("names")
    with pytest.raises(InputError, match="names has no finished run of fold 1 seed 2"):
        compare({"full": full, "names": names[:-1]}, plan=QUICK)
    with pytest.raises(InputError, match=r"seeds of a pair.*full: 0, 1, 2 and names: 0, 1"):
        compare({"full": full, "names": names[:-2]}, plan=QUICK)
    with pytest.raises(InputError, match="seeds of a pair"):
        compare({"full": full, "names": names[:2]}, plan=QUICK)
    assert compare({"full": full, "names": names[:2]}, pairs=[], plan=QUICK).differences == ()
    with pytest.raises(InputError, match=r"full: full.*-2 have the same fold and seed"):
        compare({"full": [*full, write("full")]}, plan=QUICK)


def test_pairs_must_name_two_entries(crossed) -> None:
    groups = {"full": crossed(seeds=1), "names": crossed("names", seeds=1)}
    with pytest.raises(InputError, match="no entry 'nmaes'") as raised:
        compare(groups, pairs=[("full", "nmaes")], plan=QUICK)
    assert "did you mean 'names'" in raised.value.hint
    with pytest.raises(InputError, match="with itself"):
        compare(groups, primary=[("full", "full")], plan=QUICK)
    with pytest.raises(InputError, match="nothing to compare"):
        compare({}, plan=QUICK)
    with pytest.raises(InputError, match="nothing to compare"):
        compare({"full": groups["full"], "names": []}, plan=QUICK)


def test_what_a_reader_must_know_is_said(crossed) -> None:
    reading = {"leakage": "label_source_read", "commit": "beef+changed", "packages": {"numpy": "1"}}
    groups = {
        "full": crossed(seeds=1),
        "reader": crossed("reader", seeds=1, data_fingerprint="other", **reading),
    }
    notes = "\n".join(compare(groups, plan=QUICK).notes)
    for said in (
        "reader: at test the system read the text its labels were derived from",
        "too few positives, not averaged: hernia",
        "full, reader: 1 seed only; a difference",
        "runs were made at 2 commits: beef+changed, c0ffeec0ffee",
        "uncommitted code",
        "different versions of numpy",
        "data fingerprint differs",
    ):
        assert said in notes
    assert "patients were tested" not in notes


def test_a_patient_tested_in_two_folds_is_refused(write) -> None:
    shared = scored(patients=lambda p: ("one of both", *p.patients[1:]))
    runs = [write("full", fold=fold, scored=shared) for fold in (0, 1)]
    with pytest.raises(InputError, match="two folds"):
        compare({"full": runs}, plan=QUICK)


@pytest.mark.parametrize(("label", "said"), [(0, "too few positives"), (1, "no negatives")])
def test_a_finding_of_one_class_is_told_and_never_averaged(write, label, said) -> None:
    def alike(p):
        labels = p.labels.copy()
        labels[:, 0] = label
        return labels

    runs = [write(name, scored=scored(labels=alike)) for name in ("full", "names")]
    plan = Plan(resamples=20, at_least=1)
    found = compare({"full": runs[:1], "names": runs[1:]}, plan=plan)
    assert found.entries[0].findings[0].value.value is None
    assert found.entries[0].metrics["auroc_macro"].findings == 2
    assert f"{said}, not averaged: edema" in found.notes
    assert {d.verdict for d in found.differences if d.finding == "ckg:a"} == {"too few"}
    assert "the 2 of 3 findings" in about(found)


def test_nothing_can_be_said_where_every_finding_has_too_few(write) -> None:
    groups = {name: [write(name)] for name in ("full", "names")}
    found = compare(groups, plan=Plan(resamples=20, at_least=999))
    assert found.entries[0].metrics["auroc_macro"].value is None
    assert {difference.verdict for difference in found.differences} == {"too few"}
    assert Comparison.from_json(json.loads(render(found, ".json"))) == found


def test_few_patients_are_said(write) -> None:
    one, other = write("full"), write("names")
    assert "only 40 patients were tested" in "\n".join(
        compare({"full": [one], "names": [other]}, plan=QUICK).notes
    )


def test_a_graph_drawn_once_for_all_runs_is_said(crossed, write) -> None:
    used = GraphUse("clinical", "f00d" * 16, 400, 2300, control="shuffled", changed=0.6626)

    def runs(name: str, **graph: object) -> list[RunFolder]:
        return crossed(name, seeds=2, changes={"graph": graph}, graph=used)

    noisy = {"control": "noisy", "noise": 0.2}
    groups = {
        "full": runs("full"),
        "shuffled": runs("a", control="shuffled"),
        "again": runs("b", control="shuffled", vectors="random"),
        "no graph": crossed("c", seeds=2, changes={"graph": {"vectors": "random"}}),
        "followed": [
            write("e", seed=seed, fold=fold, graph=used, changes={"graph": noisy | {"seed": seed}})
            for seed in (0, 1)
            for fold in (0, 1)
        ],
    }
    found = compare(groups, pairs=[], plan=QUICK)
    assert [note for note in found.notes if "random draw" in note] == [
        "again: one random draw of the random vectors is used by all runs; intervals do not "
        "include its variation",
        "shuffled, again: one random draw of the shuffled graph is used by all runs; intervals do "
        "not include its variation",
    ]
    assert graphs(found.entry("shuffled")) == (
        "f00df00df00d (shuffled, 66.3% of clinical edges changed)"
    )


def test_uses_of_a_locked_part_are_listed(write) -> None:
    locked = {"split": {"kind": "locked"}}
    one, other = write("full", changes=locked), write("names", changes=locked)
    use = dict.fromkeys(("config_hash", "dataset", "labels", "manifest"), "x")
    note_use(one.path.parent, use | {"run": one.run, "why": "final"})
    note_use(one.path.parent, use | {"run": "somebody else", "why": "before"})
    found = compare({"full": [one], "names": [other]}, plan=QUICK)
    assert [line["why"] for line in found.ledger] == ["final"]
    notes = "\n".join(found.notes)
    assert "the ledger of this folder of runs notes 2 uses, 1 of them these runs;" in notes
    assert "uses from other folders are not counted" in notes
    assert f"not in the ledger of the locked test set: {other.run}" in notes


def test_uses_of_a_locked_part_are_counted_in_every_folder_of_these_runs(write, tmp_path) -> None:
    locked = {"split": {"kind": "locked"}}
    one, other = (write(name, changes=locked) for name in ("full", "names"))
    moved = tmp_path / "elsewhere" / other.run
    moved.parent.mkdir()
    other.path.rename(moved)
    use = dict.fromkeys(("config_hash", "dataset", "labels", "manifest", "why"), "x")
    for run in (one.path, moved):
        note_use(run.parent, use | {"run": run.name})
    found = compare({"full": [one], "names": [RunFolder(moved)]}, plan=QUICK)
    assert "ledger of these 2 folders of runs notes 2 uses, 2 of them" in "\n".join(found.notes)
