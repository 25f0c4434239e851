"""Comparison of configurations: metrics of each, paired differences, and notes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from experiments.compare.align import Aligned, Arm, align
from experiments.compare.modalities import modalities, modality_scores
from experiments.compare.notes import ledger_lines, notes_on
from experiments.compare.paired import Scores, corrected, over_all, over_seeds
from experiments.compare.published import notes_on_printed, printed_beside
from experiments.compare.rare_findings import rare_findings
from experiments.compare.records import (
    METRICS,
    Comparison,
    Difference,
    Entry,
    Family,
    FindingScore,
    Seeds,
)
from experiments.compare.settings import differing, flat
from experiments.compare.study_sums import SummedScores, sums_reader
from experiments.metrics.bootstrap import ALL, USUAL, Estimate, Intervals, Plan
from experiments.metrics.rank_correlation import rank_correlation
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from kg.errors import InputError, did_you_mean

__all__ = [
    "Pair",
    "compare",
    "differences_of",
    "families_of",
    "ranked_entry",
    "runs_folder",
]

Pair = tuple[str, str]
Kept = Literal["settings", "published"]


def compare(
    groups: Mapping[str, Sequence[RunFolder]],
    *,
    on: str = "test",
    pairs: Sequence[Pair] | None = None,
    primary: Sequence[Pair] = (),
    metric: str = "auroc_macro",
    plan: Plan = USUAL,
    keep: Collection[Kept] = (),
) -> Comparison:
    """Compare configurations on the studies they were all tested on.

    Scores of a study are averaged over seeds, patients are resampled within folds, and scores of
    two folds are never ranked together; the deviation over seeds is reported too. All systems and
    pairs use the same resamples, so the same runs give the same numbers to the last digit.

    Args:
        groups: Finished runs of each configuration, over folds and seeds, by name; runs of an
            ensemble as `EnsembleRuns`.
        on: Name of their predictions: `test`, `zero_shot` (findings held out of training), or
            an evaluation on other data or labels, such as `figure1`.
        pairs: Pairs to compare, first minus second; None = the first with every other.
        primary: Pairs specified in advance, corrected among themselves.
        metric: Compared metric: a macro mean (see `METRICS`), or a metric of sums over studies by
            its name in the records.
        plan: Resamples of the intervals, and fewest positives of an averaged finding.
        keep: Further content of the entries: all settings, not only those that differ;
            published numbers (see `printed_beside`).

    Raises:
        InputError: If the runs may not share a table (see `align`) or lack the metric, a pair
            names no entry, or the seeds of a pair cannot be paired.
    """
    scores, unknown = _scores(groups, on, metric, plan)
    aligned = scores.aligned
    arms = {arm.name: arm for arm in aligned.arms}
    families = families_of(list(arms), pairs, primary)
    paired = [(arms[one], arms[other]) for each in families.values() for one, other in each]
    for first, second in paired:
        _check_seeds(first, second)
    settings = [flat(arm.runs[0].experiment) for arm in aligned.arms]
    shown = differing(settings) if "settings" not in keep else None
    entries = tuple(
        _entry(scores, arm, {k: v for k, v in own.items() if shown is None or k in shown})
        for arm, own in zip(aligned.arms, settings, strict=True)
    )
    notes = list(notes_on(aligned, entries, unknown=unknown, at_least=plan.at_least))
    if "published" in keep:
        entries = tuple(
            replace(entry, published=() if arm.ensemble else printed_beside(arm.runs[0]))
            for entry, arm in zip(entries, aligned.arms, strict=True)
        )
        notes += notes_on_printed(entries)
    return Comparison(
        metric=metric,
        entries=entries,
        differences=tuple(differences_of(scores, arms, families)),
        studies=len(aligned.studies),
        groups=scores.units.count,
        parts=tuple(sorted(set(scores.parts or ()))),
        resamples=plan.resamples,
        level=plan.level,
        at_least=plan.at_least,
        notes=tuple(notes),
        ledger=ledger_lines(aligned),
        on=aligned.arms[0].runs[0].test.part,
        told=" and ".join(
            dict.fromkeys(r.predictions.description for a in aligned.arms for r in a.runs)
        ),
        rarity=rare_findings(scores, paired) if isinstance(scores, Scores) else None,
        over_all=over_all(scores, paired) if isinstance(scores, Scores) else (),
    )


def _scores(
    groups: Mapping[str, Sequence[RunFolder]], on: str, metric: str, plan: Plan
) -> tuple[Scores | SummedScores, int]:
    """Scores of all systems on the same studies, and the number of unknown modalities."""
    if metric not in METRICS:
        return SummedScores(align(groups, on, sums_reader(metric)), metric, plan), 0
    aligned = align(groups, on)
    taken = modalities(aligned)
    parts = taken if all(taken) and len(set(taken)) > 1 else None
    return Scores(aligned, parts, metric, plan), taken.count("")


def runs_folder(folders: Sequence[RunFolder]) -> Path:
    """Common folder of all runs; an entry names its runs relative to it."""
    return Path(os.path.commonpath([folder.path.resolve().parent for folder in folders]))


def families_of(
    names: Sequence[str], pairs: Sequence[Pair] | None, primary: Sequence[Pair]
) -> dict[Family, list[Pair]]:
    """Families of pairs that are corrected together."""
    requested = [(names[0], other) for other in names[1:]] if pairs is None else list(pairs)
    for first, second in (*requested, *primary):
        for name in (first, second):
            if name not in names:
                raise InputError(f"there is no entry {name!r}", did_you_mean(name, names))
        if first == second:
            raise InputError(f"{first!r} cannot be compared with itself", "name two entries")
    named = {frozenset(pair) for pair in primary}
    rest = [pair for pair in requested if frozenset(pair) not in named]
    return {"primary": list(dict.fromkeys(primary)), "secondary": list(dict.fromkeys(rest))}


def _check_seeds(first: Arm, second: Arm) -> None:
    """Raise where seeds of a pair differ; one without seeds of its own is paired with every one."""
    if first.seeds == second.seeds:
        return
    if any(arm.ensemble or (len(arm.seeds) == 1 and not arm.trained) for arm in (first, second)):
        return
    listed = " and ".join(f"{a.name}: {', '.join(map(str, a.seeds))}" for a in (first, second))
    raise InputError(
        f"the seeds of a pair differ ({listed})",
        "run the missing seeds, or compare runs of the seeds that both have",
    )


def differences_of(
    scores: Scores | SummedScores,
    arms: Mapping[str, Arm],
    families: Mapping[Family, Sequence[Pair]],
) -> list[Difference]:
    """Macro differences of each family, then of each finding by pair, corrected by family."""
    level = scores.plan.level
    macros: list[Difference] = []
    findings: list[Difference] = []
    for family, pairs in families.items():
        by_pair = [scores.pair(arms[first], arms[second], family) for first, second in pairs]
        macros += corrected([each[0] for each in by_pair], level)
        for each in by_pair:
            findings += corrected(each[1:], level)
    return [*macros, *findings]


def _entry(scores: Scores | SummedScores, arm: Arm, settings: Mapping[str, str]) -> Entry:
    """One row of the table."""
    facts = _facts(scores.aligned, arm, settings)
    if isinstance(scores, SummedScores):
        return scores.entry(arm, facts)
    return ranked_entry(scores, arm, facts)


def ranked_entry(scores: Scores, arm: Arm, facts: Entry) -> Entry:
    """Entry of a system with the metrics of its findings."""
    found = {name: scores.intervals(arm, statistic) for name, statistic in METRICS.items()}
    main, labels = found[scores.metric], scores.labels_for(arm)
    ranking = {name: _measured(e.macro, len(e.averaged)) for name, e in found.items()}
    ranking |= {
        name + ALL: _measured(each.macro_all, len(each.measured))
        for name, each in found.items()
        if each.leaves_out
    }
    findings = tuple(
        row if row.too_few else _with_curves(row, scores, arm, column)
        for column, row in enumerate(_findings(scores.aligned, arm, main))
    )
    return replace(
        facts,
        metrics={**ranking, "brier_macro": scores.brier(arm, main.averaged)},
        by_seed=over_seeds(scores.by_seed(arm, labels, main.averaged)),
        findings=findings,
        parts=modality_scores(scores, arm),
        by_distance=_by_distance(findings, scores.plan),
    )


def _with_curves(row: FindingScore, scores: Scores, arm: Arm, column: int) -> FindingScore:
    """The row of a finding with its curves."""
    return replace(
        row, roc=scores.curve(arm, column, "roc"), precision=scores.curve(arm, column, "pr")
    )


def _facts(aligned: Aligned, arm: Arm, settings: Mapping[str, str]) -> Entry:
    """Entry of a system without metrics."""
    record, predictions = arm.runs[0].record, arm.runs[0].predictions
    base = runs_folder([run.folder for each in aligned.arms for run in each.runs])
    return Entry(
        name=arm.name,
        runs=tuple(run.folder.path.resolve().relative_to(base).as_posix() for run in arm.runs),
        seeds=arm.seeds,
        folds=arm.folds,
        system=record.system,
        dataset=predictions.dataset,
        labels=predictions.labels,
        label_source=predictions.label_source,
        inputs_at_test=predictions.inputs_at_test,
        text_policy=predictions.text_policy,
        leakage=predictions.leakage,
        split_kind=predictions.split_kind,
        manifests={str(run.fold): run.record.split_manifest for run in arm.runs},
        parameters=arm.parameters,
        seconds=sum(run.record.seconds for run in arm.runs),
        graphs=tuple(
            {
                run.record.graph.fingerprint: run.record.graph
                for run in arm.runs
                if run.record.graph
            }.values()
        ),
        commits=tuple(dict.fromkeys(run.record.commit or "unknown" for run in arm.runs)),
        settings=settings,
        metrics={},
        by_seed=Seeds(),
        findings=(),
    )


def _findings(aligned: Aligned, arm: Arm, intervals: Intervals) -> tuple[FindingScore, ...]:
    """One row per finding, with the positives among all predicted studies."""
    names = {key: name for run in arm.runs for key, name in run.predictions.names.items()}
    far = {key: cost for run in arm.runs for key, cost in run.predictions.distances.items()}
    scored = np.where(np.isnan(arm.scores).any(axis=0), np.nan, aligned.labels)
    return tuple(
        FindingScore(
            finding=finding,
            label=names.get(finding, finding),
            studies=int(np.sum(~np.isnan(scored[:, column]))),
            positives=int(np.nansum(scored[:, column])),
            too_few=column not in intervals.averaged,
            value=_measured(intervals.findings[column]),
            distance=far.get(finding),
        )
        for column, finding in enumerate(aligned.findings)
    )


def _by_distance(findings: Sequence[FindingScore], plan: Plan) -> Measured | None:
    """Rank correlation of the statistic with graph distance to the trained findings."""
    known = [
        (row.value.value, row.distance)
        for row in findings
        if row.value.value is not None and row.distance is not None and not row.too_few
    ]
    if not known:
        return None
    values, distances = zip(*known, strict=True)
    correlation = rank_correlation(values, distances, rng=np.random.default_rng(0), plan=plan)
    return _measured(correlation, len(known))


def _measured(estimate: Estimate, findings: int | None = None) -> Measured:
    return Measured.of(estimate.value, estimate.low, estimate.high, findings)
