"""Notes of a comparison: leakage, locked test sets, small numbers and differences between runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.records import Entry
from experiments.compare.runs import Run
from experiments.metrics.bootstrap import ALL, FEWEST_PATIENTS, USUAL
from experiments.records.ledger import read_ledger

__all__ = ["ledger_lines", "notes_on", "notes_on_counts"]

FEWEST_SEEDS = 3
FEWEST_WITHOUT = 20
"""Number of negatives below which an AUROC is as uncertain as with few positives."""


def notes_on(
    aligned: Aligned,
    entries: Sequence[Entry],
    *,
    unknown: int = 0,
    at_least: int = USUAL.at_least,
) -> Iterator[str]:
    """Notes, the most severe first.

    Args:
        aligned: The runs on the same studies.
        entries: Their metrics.
        unknown: Number of studies of unknown modality.
        at_least: Fewest positives of an averaged finding.
    """
    yield from _leaks(entries)
    yield from _shared(aligned)
    yield from _locked(aligned)
    yield from notes_on_counts(aligned, entries, at_least)
    yield from _one_draw(aligned.arms)
    yield from _modalities(entries, unknown)
    yield from _surroundings([run for arm in aligned.arms for run in arm.runs])
    yield from _warnings(aligned)


def ledger_lines(aligned: Aligned) -> tuple[Mapping[str, str], ...]:
    """Lines of the ledger on uses of a locked test set by these runs."""
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
            f"{', '.join(read)}: at test the system read the text its labels were derived from "
            "(leakage label_source_read); the numbers measure text reading, not diagnosis"
        )
    mined = [e.name for e in entries if any(graph.keeps_test_data for graph in e.graphs)]
    if mined:
        yield f"{', '.join(mined)}: the graph contains evidence mined from the test data"


def _shared(aligned: Aligned) -> Iterator[str]:
    """Notes on predictions of several folds for the same studies."""
    if aligned.left_out:
        yield f"{aligned.left_out} studies that some runs were trained on are left out for all"
    averaged = [a for a in aligned.arms if a.runs[0].predictions.shared and len(a.folds) > 1]
    if averaged:
        count = len(averaged[0].folds)
        yield f"every fold's run predicted every study: scores of {count} folds are averaged"


def _tested_locked(aligned: Aligned) -> list[Run]:
    everything = [run for arm in aligned.arms for run in arm.runs]
    return [run for run in everything if run.predictions.split_kind == "locked"]


def _locked(aligned: Aligned) -> Iterator[str]:
    runs = _tested_locked(aligned)
    if not runs:
        return
    noted = {line["run"] for line in ledger_lines(aligned)}
    folders = dict.fromkeys(run.folder.path.parent for run in runs)
    uses = sum(len(read_ledger(folder)) for folder in folders)
    # each folder of runs has its own ledger: uses from other folders are not known here
    where = "this folder" if len(folders) == 1 else f"these {len(folders)} folders"
    yield (
        f"tested on a locked test set: the ledger of {where} of runs notes {uses} uses, "
        f"{len(noted)} of them these runs; uses from other folders are not counted"
    )
    unnoted = [run.folder.run for run in runs if run.folder.run not in noted]
    if unnoted:
        yield f"not in the ledger of the locked test set: {', '.join(unnoted)}"


def notes_on_counts(aligned: Aligned, entries: Sequence[Entry], at_least: int) -> Iterator[str]:
    """Notes on few positives, negatives, patients and seeds, and on missing predictions."""
    always = [row for row in entries[0].findings if row.studies and row.positives == row.studies]
    if always:
        yield f"no negatives, not averaged: {', '.join(row.label for row in always)}"
    few = [row.label for row in entries[0].findings if row.too_few and row not in always]
    if few:
        every = any(name.endswith(ALL) for entry in entries for name in entry.metrics)
        yield f"too few positives, not averaged: {', '.join(few)}" + every * (
            f" (fewer than {at_least}, which --at-least changes; the mean over all findings has "
            "those with a value)"
        )
    everyone = [
        f"{row.label} ({row.studies - row.positives})"
        for row in entries[0].findings
        if not row.too_few and row.studies - row.positives < FEWEST_WITHOUT
    ]
    if everyone:
        yield f"too few negatives for a conclusion: {', '.join(everyone)}"
    groups = len(set(aligned.groups))
    if groups < FEWEST_PATIENTS:
        yield f"only {groups} patients were tested: intervals are narrower than they should be"
    for count in range(1, FEWEST_SEEDS):
        names = [arm.name for arm in aligned.arms if arm.trained and len(arm.seeds) == count]
        if names:
            seeds = f"{count} seed{'s' if count > 1 else ''} only"
            yield f"{', '.join(names)}: {seeds}; a difference may be due to the seed"
    for arm in aligned.arms:
        lacking = _not_possible(aligned, arm)
        if lacking:
            yield f"{arm.name}: no predictions of {lacking} findings, left out of its pairs"


def _one_draw(arms: Sequence[Arm]) -> Iterator[str]:
    """Notes on graphs that were randomised once for all runs, with a fixed seed."""
    drawn: dict[str, list[str]] = {}
    for arm in arms:
        graphs = [run.experiment.graph for run in arm.runs if run.record.graph]
        if len({graph.seed for graph in graphs}) == 1:
            for what in graphs[0].drawn:
                drawn.setdefault(what, []).append(arm.name)
    for what, names in sorted(drawn.items()):
        yield (
            f"{', '.join(names)}: one random draw of the {what} is used by all runs; intervals "
            "do not include its variation"
        )


def _not_possible(aligned: Aligned, arm: Arm) -> int:
    """Number of labelled findings that a system has no score for."""
    return int((np.isnan(arm.scores).any(axis=0) & ~np.isnan(aligned.labels)).any(axis=0).sum())


def _modalities(entries: Sequence[Entry], unknown: int) -> Iterator[str]:
    within = entries[0].parts
    if unknown:
        yield f"the modality of {unknown} studies is not known: all were ranked together"
    if not within:
        return
    yield f"ranked within {', '.join(one.part for one in within)}; the macro value is their mean"
    few = [one.part for one in within if one.too_few]
    if few:
        yield f"too few positives, not in the mean: {', '.join(few)}"


def _surroundings(runs: Sequence[Run]) -> Iterator[str]:
    """Notes on runs with different code, packages or data."""
    commits = sorted({(run.record.commit or "unknown")[:12] for run in runs})
    if len(commits) > 1:
        yield f"runs were made at {len(commits)} commits: {', '.join(commits)}"
    if any((run.record.commit or "").endswith("+changed") for run in runs):
        yield "some runs were made with uncommitted code"
    versions: dict[str, set[str]] = {}
    for run in runs:
        for package, version in {"kgdx": run.record.version, **run.record.packages}.items():
            versions.setdefault(package, set()).add(version)
    other = [package for package, known in sorted(versions.items()) if len(known) > 1]
    if other:
        yield f"runs were made with different versions of {', '.join(other)}"
    data: dict[tuple[object, ...], set[str]] = {}
    for run in runs:
        # a fingerprint covers the inputs of a system: images, and text under its policy
        read = (run.fold, run.experiment.image.encoder is None, repr(run.experiment.text))
        data.setdefault(read, set()).add(run.predictions.data_fingerprint)
    if any(len(prints) > 1 for prints in data.values()):
        yield "the data fingerprint differs between runs of a fold with the same inputs"


def _warnings(aligned: Aligned) -> Iterator[str]:
    """Warnings of the runs, without those on counts, which are made here over all folds."""
    for arm in aligned.arms:
        for run in arm.runs:
            for warning in run.predictions.warnings:
                if not warning.startswith(("too few positives", "no negatives")):
                    yield f"{run.folder.run}: {warning}"
