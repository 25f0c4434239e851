"""What may not share a table is refused by name, and what a reader must know is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from experiments.compare.compare import compare
from experiments.metrics.bootstrap import Plan
from experiments.records.ledger import note_use
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
    "a study is scored twice": {"scored": scored(studies=lambda p: (p.studies[1], *p.studies[1:]))},
    "no test part": {"scored": scored(part=lambda p: "other")},
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
    with pytest.raises(InputError, match="called 'nmaes'") as raised:
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
        "reader: at test the system could read the text its labels were made from",
        "too few positives, not averaged: hernia",
        "full: 1 seed only",
        "runs were made at 2 commits: beef+changed, c0ffeec0ffee",
        "not committed",
        "different versions of numpy",
        "data fingerprint is not the same",
    ):
        assert said in notes
    assert "patients were tested" not in notes


def test_few_patients_are_said(write) -> None:
    one, other = write("full"), write("names")
    assert "only 40 patients were tested" in "\n".join(
        compare({"full": [one], "names": [other]}, plan=QUICK).notes
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
    assert "the ledger notes 2 uses, 1 of them these runs" in notes
    assert f"not in the ledger of the locked part: {other.run}" in notes
