"""Limits of a run, each said because of what that run is."""

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
"""Below as many patient groups an interval is hardly better than none."""
_READ = frozenset(("image", "record"))
"""Label sources that no text of the study was made from."""


def limits_section(files: RunFiles, rows: Sequence[Mapping[str, Any]]) -> Section:
    """What a reader must not take the numbers for."""
    said = (
        "Research use only. Not a medical device; no output may guide the care of a patient.",
        *_of_data(files.record),
        *_of_split(files.record),
        *_of_test(files.record),
        *_of_numbers(rows, files.scored),
        *_of_subgroups(files),
        *_of_code(files.record),
    )
    return Section("limits", "Limits", (Bullets(said),), "Limits")


def _of_data(record: Mapping[str, Any]) -> Iterator[str]:
    leakage = LEAKAGE.get(str(record.get("leakage") or "none"))
    if leakage and leakage[0] != "calm":
        yield f"{leakage[1].capitalize()}. {leakage[2]}"
    if record.get("dataset") == "synthetic":
        yield "The data are made up by a program: nothing here is a claim about patients."
    source = set(record.get("label_source") or ())
    if source and not source & _READ:
        yield (
            f"Labels were read from {', '.join(sorted(source))}, not from the pictures: a finding "
            "nobody wrote down counts as the label policy says, and so do errors of the reading."
        )
    graph = record.get("graph")
    if isinstance(graph, Mapping) and graph.get("keeps_test_data"):
        yield "The graph keeps edges mined from the data under test: no claim can rest on this run."


def _of_split(record: Mapping[str, Any]) -> Iterator[str]:
    split = section_of(record, "split")
    if split.get("kind") == "folds":
        yield f"One fold of {split.get('folds', 5)}: other folds give other numbers."
    elif split.get("kind") == "sources":
        yield "One source was left out and tested: other sources give other numbers."
    elif split.get("kind") == "locked":
        yield "The locked part was opened for this run; every further use makes it worth less."
    fraction = exact(split.get("fraction"))
    if fraction is not None and fraction < 1:
        yield f"Trained on {fraction:.0%} of the training groups only."
    if record.get("seed") is not None:
        yield (
            f"One seed ({record['seed']}): intervals cover the choice of patients, not what "
            "another start of training would give."
        )
    yield (
        "Thresholds, calibration and the end of training were chosen on the same validation part."
    )


def _of_test(record: Mapping[str, Any]) -> Iterator[str]:
    tests = [test for test in record.get("evaluations") or () if test.get("external")]
    if not tests:
        yield (
            "No external test: numbers hold for these studies, these labels and this split. "
            "Another hospital, device or population needs its own."
        )
        return
    names = ", ".join(dict.fromkeys(str(test.get("dataset")) for test in tests))
    yield f"Tested on other data ({names}); elsewhere it has not been tried."


def _of_numbers(rows: Sequence[Mapping[str, Any]], scored: ScoredSubset | None) -> Iterator[str]:
    few = [row["label"] for row in rows if row["few"]]
    if few:
        yield f"Too few positives to be judged: {', '.join(few)}."
    without = [row["label"] for row in rows if row["threshold"] is None]
    if without:
        yield f"No threshold could be chosen, so no rate is given: {', '.join(without)}."
    if scored is not None and len(set(scored.patients)) < FEW_PATIENTS:
        count = len(set(scored.patients))
        yield f"Only {count} patient groups were tested: intervals are too narrow."


def _of_subgroups(files: RunFiles) -> Iterator[str]:
    if files.scored is not None:
        unknown = unknown_groupings(files.told)
        if unknown:
            yield (
                f"Not known of the tested studies: {', '.join(unknown)}; whether it works alike "
                "for all of them cannot be told."
            )
    yield from _of_modalities(files.told)


def _of_modalities(studies: Sequence[ScoredStudy]) -> Iterator[str]:
    """What cannot be told where studies are of several modalities."""
    of_patient: dict[str, set[str]] = defaultdict(set)
    for study in studies:
        of_patient[study.patient] |= set(filter(None, study.modality.split("+")))
    modalities = sorted(set().union(*of_patient.values())) if of_patient else []
    if len(modalities) < 2:
        return
    both = sum(len(found) > 1 for found in of_patient.values())
    yield (
        f"Studies of {', '.join(modalities)} are ranked together: where their shares of a finding "
        "differ, the modality alone scores. Read the rows by modality."
    )
    yield (
        f"{both} of {len(of_patient)} tested patients have more than one modality, so what fusing "
        f"them within a patient brings {'can hardly' if both else 'cannot'} be told."
    )


def _of_code(record: Mapping[str, Any]) -> Iterator[str]:
    if str(record.get("commit") or "").endswith("+changed"):
        yield "Made from source that was not committed: the commit named does not hold all of it."
    if record.get("status") not in (None, "finished"):
        yield f"The run did not end: it is {record['status']}."
