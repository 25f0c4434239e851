"""What a reader of a comparison must know before believing a number in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.records import Entry
from experiments.compare.runs import Run
from experiments.records.ledger import read_ledger

__all__ = ["ledger_lines", "notes_on"]

FEWEST_GROUPS = 50
"""Below as many patients a bootstrap interval covers clearly less than it says."""
FEWEST_SEEDS = 3
FEWEST_WITHOUT = 20
"""Studies without a finding, below which its AUROC says as little as with few positives."""


def notes_on(aligned: Aligned, entries: Sequence[Entry], *, unknown: int = 0) -> Iterator[str]:
    """Sentences, the gravest first.

    Args:
        aligned: The runs on the same studies.
        entries: What was measured of them.
        unknown: Studies whose modality no run says.
    """
    yield from _leaks(entries)
    yield from _shared(aligned)
    yield from _locked(aligned)
    yield from _too_few(aligned, entries)
    yield from _one_draw(aligned.arms)
    yield from _parts(entries, unknown)
    yield from _surroundings([run for arm in aligned.arms for run in arm.runs])
    yield from _warnings(aligned)


def ledger_lines(aligned: Aligned) -> tuple[Mapping[str, str], ...]:
    """Lines of the ledger on the uses of a locked test set that these runs were."""
    lines = {}
    for run in _tested_locked(aligned):
        for line in read_ledger(run.folder.path.parent):
            if line.get("run") == run.folder.run:
                kept = {str(key): str(value) for key, value in line.items()}
                lines[tuple(kept.items())] = kept
    return tuple(lines.values())


def _leaks(entries: Sequence[Entry]) -> Iterator[str]:
    read = [entry.name for entry in entries if entry.leakage == "label_source_read"]
    if read:
        yield (
            f"{', '.join(read)}: at test the system could read the text its labels were made from "
            "(leakage label_source_read); its numbers measure reading, not diagnosis"
        )
    mined = [e.name for e in entries if any(graph.keeps_test_data for graph in e.graphs)]
    if mined:
        yield f"{', '.join(mined)}: the graph keeps evidence mined from the data under test"


def _shared(aligned: Aligned) -> Iterator[str]:
    """How the answers of several folds to the same studies were joined."""
    if aligned.left_out:
        yield f"{aligned.left_out} studies that some runs have learnt from are left out for all"
    averaged = [a for a in aligned.arms if a.runs[0].answers.shared and len(a.folds) > 1]
    if averaged:
        count = len(averaged[0].folds)
        yield f"every fold's run answered for every study: scores of {count} folds are averaged"


def _tested_locked(aligned: Aligned) -> list[Run]:
    everything = [run for arm in aligned.arms for run in arm.runs]
    return [run for run in everything if run.answers.split_kind == "locked"]


def _locked(aligned: Aligned) -> Iterator[str]:
    runs = _tested_locked(aligned)
    if not runs:
        return
    noted = {line["run"] for line in ledger_lines(aligned)}
    folders = dict.fromkeys(run.folder.path.parent for run in runs)
    uses = sum(len(read_ledger(folder)) for folder in folders)
    # a ledger lies in each folder of runs: what was opened from elsewhere is not known here
    where = "this folder" if len(folders) == 1 else f"these {len(folders)} folders"
    yield (
        f"tested on a locked test set: the ledger of {where} of runs notes {uses} uses, "
        f"{len(noted)} of them these runs; uses from other folders are not counted"
    )
    unnoted = [run.folder.run for run in runs if run.folder.run not in noted]
    if unnoted:
        yield f"not in the ledger of the locked test set: {', '.join(unnoted)}"


def _too_few(aligned: Aligned, entries: Sequence[Entry]) -> Iterator[str]:
    always = [row for row in entries[0].findings if row.studies and row.positives == row.studies]
    if always:
        yield f"no negatives, not averaged: {', '.join(row.label for row in always)}"
    few = [row.label for row in entries[0].findings if row.too_few and row not in always]
    if few:
        yield f"too few positives, not averaged: {', '.join(few)}"
    everyone = [
        f"{row.label} ({row.studies - row.positives})"
        for row in entries[0].findings
        if not row.too_few and row.studies - row.positives < FEWEST_WITHOUT
    ]
    if everyone:
        yield f"too few studies without it to decide anything: {', '.join(everyone)}"
    groups = len(set(aligned.groups))
    if groups < FEWEST_GROUPS:
        yield f"only {groups} patients were tested: intervals are narrower than they should be"
    for count in range(1, FEWEST_SEEDS):
        names = [arm.name for arm in aligned.arms if arm.trained and len(arm.seeds) == count]
        if names:
            seeds = f"{count} seed{'s' if count > 1 else ''} only"
            yield f"{', '.join(names)}: {seeds}; a difference may be one of the seed"
    for arm in aligned.arms:
        lacking = _not_possible(aligned, arm)
        if lacking:
            yield f"{arm.name}: gives no answer for {lacking} findings; they count in no pair of it"


def _one_draw(arms: Sequence[Arm]) -> Iterator[str]:
    """What chance made of the graph once for all runs: its seed does not follow theirs."""
    drawn: dict[str, list[str]] = {}
    for arm in arms:
        graphs = [run.experiment.graph for run in arm.runs if run.record.graph]
        if len({graph.seed for graph in graphs}) == 1:
            for what in graphs[0].drawn:
                drawn.setdefault(what, []).append(arm.name)
    for what, names in sorted(drawn.items()):
        yield (
            f"{', '.join(names)}: one draw of the {what} stands for all runs; intervals do not "
            "include that draw"
        )


def _not_possible(aligned: Aligned, arm: Arm) -> int:
    """Findings with a stated label that a system has no score for."""
    return int((np.isnan(arm.scores).any(axis=0) & ~np.isnan(aligned.labels)).any(axis=0).sum())


def _parts(entries: Sequence[Entry], unknown: int) -> Iterator[str]:
    parts = entries[0].parts
    if unknown:
        yield f"the modality of {unknown} studies is not known: all were ranked together"
    if not parts:
        return
    yield f"ranked within {', '.join(part.part for part in parts)}; the macro is their mean"
    few = [part.part for part in parts if part.too_few]
    if few:
        yield f"too few positives, not part of the mean: {', '.join(few)}"


def _surroundings(runs: Sequence[Run]) -> Iterator[str]:
    """Where runs were not made by the same code, from the same data."""
    commits = sorted({(run.record.commit or "unknown")[:12] for run in runs})
    if len(commits) > 1:
        yield f"runs were made at {len(commits)} commits: {', '.join(commits)}"
    if any((run.record.commit or "").endswith("+changed") for run in runs):
        yield "some runs were made from source that was not committed"
    versions: dict[str, set[str]] = {}
    for run in runs:
        for package, version in {"kgdx": run.record.version, **run.record.packages}.items():
            versions.setdefault(package, set()).add(version)
    other = [package for package, found in sorted(versions.items()) if len(found) > 1]
    if other:
        yield f"runs were made with different versions of {', '.join(other)}"
    data: dict[tuple[object, ...], set[str]] = {}
    for run in runs:
        # a fingerprint is of what a system reads: images, and text under its policy
        read = (run.fold, run.experiment.image.encoder is None, repr(run.experiment.text))
        data.setdefault(read, set()).add(run.answers.data_fingerprint)
    if any(len(found) > 1 for found in data.values()):
        yield "the data fingerprint is not the same in runs of a fold that read the same"


def _warnings(aligned: Aligned) -> Iterator[str]:
    """What runs said of themselves; positives and negatives are counted here over all folds."""
    for arm in aligned.arms:
        for run in arm.runs:
            for warning in run.answers.warnings:
                if not warning.startswith(("too few positives", "no negatives")):
                    yield f"{run.folder.run}: {warning}"
