"""Limits of a run, derived from its data, split, tests and code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.records.predictions import ScoredSubset
from experiments.records.studies import ScoredStudy
from experiments.reports.document import Bullets, Section
from experiments.reports.run_cards import section_of
from experiments.reports.run_files import RunFiles
from experiments.reports.subgroups import unknown_groupings
from experiments.reports.wording import LEAKAGE, exact

__all__ = ["limits_section"]

FEW_PATIENTS = 100
"""Number of patient groups below which an interval is unreliable."""
_READ = frozenset(("image", "record"))
"""Label origins that are not derived from a text of the study."""


def limits_section(files: RunFiles, rows: Sequence[Mapping[str, Any]]) -> Section:
    """Section of limits to the interpretation of the numbers."""
    limits = (
        "Research use only. Not a medical device; no output may guide the care of a patient.",
        *_of_data(files.record),
        *_of_split(files.record),
        *_of_test(files.record),
        *_of_numbers(rows, files.scored),
        *_of_subgroups(files),
        *_of_code(files.record),
    )
    return Section("limits", "Limits", (Bullets(limits),), "Limits")


def _of_data(record: Mapping[str, Any]) -> Iterator[str]:
    leakage = LEAKAGE.get(str(record.get("leakage") or "none"))
    if leakage and leakage[0] != "calm":
        yield f"{leakage[1].capitalize()}. {leakage[2]}"
    if record.get("dataset") == "synthetic":
        yield "The data are synthetic: nothing here is a claim about patients."
    origin = set(record.get("label_source") or ())
    if origin and not origin & _READ:
        yield (
            f"Labels were derived from {', '.join(sorted(origin))}, not from the images: findings "
            "that are not mentioned count as the label policy says, and extraction errors remain."
        )
    graph = record.get("graph")
    if isinstance(graph, Mapping) and graph.get("keeps_test_data"):
        yield "The graph contains edges mined from the test data: no claim can rest on this run."


def _of_split(record: Mapping[str, Any]) -> Iterator[str]:
    split = section_of(record, "split")
    if split.get("kind") == "folds":
        yield f"One fold of {split.get('folds', 5)}: other folds give other numbers."
    elif split.get("kind") == "sources":
        yield "One origin was left out and tested: other origins give other numbers."
    elif split.get("kind") == "locked":
        yield "This run used the locked test set; every further use makes it less independent."
    fraction = exact(split.get("fraction"))
    if fraction is not None and fraction < 1:
        yield f"Trained on {fraction:.0%} of the training groups only."
    if record.get("seed") is not None:
        yield (
            f"One seed ({record['seed']}): intervals cover the sampling of patients, not the "
            "variation between trainings."
        )
    yield ("Thresholds, calibration and the best epoch were selected on the same validation set.")


def _of_test(record: Mapping[str, Any]) -> Iterator[str]:
    tests = [test for test in record.get("evaluations") or () if test.get("external")]
    if not tests:
        yield (
            "No external test: numbers hold for these studies, these labels and this split. "
            "Other hospitals, devices and populations need a test of their own."
        )
        return
    names = ", ".join(dict.fromkeys(str(test.get("dataset")) for test in tests))
    yield f"Tested on other data ({names}), and on no others."


def _of_numbers(rows: Sequence[Mapping[str, Any]], scored: ScoredSubset | None) -> Iterator[str]:
    few = [row["label"] for row in rows if row["few"]]
    if few:
        yield f"Too few positives for a verdict: {', '.join(few)}."
    without = [row["label"] for row in rows if row["threshold"] is None]
    if without:
        yield f"No threshold could be selected, so no rates are reported: {', '.join(without)}."
    if scored is not None and len(set(scored.patients)) < FEW_PATIENTS:
        count = len(set(scored.patients))
        yield f"Only {count} patient groups were tested: intervals are too narrow."


def _of_subgroups(files: RunFiles) -> Iterator[str]:
    if files.scored is not None:
        unknown = unknown_groupings(files.reported)
        if unknown:
            yield (
                f"Not known of the tested studies: {', '.join(unknown)}; differences between such "
                "subgroups cannot be measured."
            )
    yield from _of_modalities(files.reported)


def _of_modalities(studies: Sequence[ScoredStudy]) -> Iterator[str]:
    """Limits where studies are of several modalities."""
    of_patient: dict[str, set[str]] = defaultdict(set)
    for study in studies:
        of_patient[study.patient] |= set(filter(None, study.modality.split("+")))
    modalities = sorted(set().union(*of_patient.values())) if of_patient else []
    if len(modalities) < 2:
        return
    both = sum(len(names) > 1 for names in of_patient.values())
    yield (
        f"Studies of {', '.join(modalities)} are ranked together: where their shares of a finding "
        "differ, the modality alone predicts it. See the rows by modality."
    )
    yield (
        f"{both} of {len(of_patient)} tested patients have more than one modality, so the benefit "
        f"of fusing them within a patient {'can hardly' if both else 'cannot'} be measured."
    )


def _of_code(record: Mapping[str, Any]) -> Iterator[str]:
    if str(record.get("commit") or "").endswith("+changed"):
        yield "Run with uncommitted code: the recorded commit does not contain all of it."
    if record.get("status") not in (None, "finished"):
        yield f"The run is not finished: it is {record['status']}."
