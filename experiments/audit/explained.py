"""Share of a system's AUROC explained by the best probe, for finished runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.audit.adjusted import adjusted_auroc
from experiments.audit.judging import enough_of_each
from experiments.audit.probes import BearsOn
from experiments.audit.record import ExplainedRun
from experiments.audit.subject import Subject
from experiments.audit.verdicts import explained_verdict
from experiments.compare.align import Aligned, align
from experiments.compare.gather import gather
from experiments.metrics.arrays import FloatArray, IntArray, Units, mean_of_defined
from experiments.metrics.bootstrap import Plan, averaged_findings, bootstrap, estimate, paired
from experiments.records.folder import RunFolder
from experiments.records.record import Measured, RunRecord
from kg.errors import InputError

__all__ = ["BaselineProbe", "explain"]


@dataclass(frozen=True)
class BaselineProbe:
    """Probe that a system is compared with.

    Args:
        name: Its name.
        bears_on: Input that a system must read for the probe to be a shortcut of it.
        scores: Its logits, `[n, C]`.
    """

    name: str
    bears_on: BearsOn
    scores: FloatArray

    def concerns(self, record: RunRecord) -> bool:
        """Whether the system of a run reads the input that the probe bears on."""
        text = record.text_policy != "none"
        images = bool({"image", "borders"} & set(record.inputs_at_test))
        return {"anything": True, "text": text, "images": images}[self.bears_on]


def explain(
    subject: Subject, probes: Sequence[BaselineProbe], runs: Sequence[RunFolder]
) -> tuple[ExplainedRun, ...]:
    """Compare each configuration among the runs with the best probe on its studies.

    The best probe is selected on the same studies it is compared on, which favours the probe.
    Probes of inputs that the system does not read are not compared with it.

    Args:
        subject: Audited studies and labels.
        probes: The probes.
        runs: Finished runs on the folds of the audit; all folds of each configuration.

    Raises:
        InputError: If a run is of other data, labels or folds, or lacks a fold.
    """
    results = []
    for name, folders in gather(runs).items():
        aligned = align({name: folders})
        _check(subject, aligned)
        results.append(_explained(name, _Paired.of(subject, probes, aligned), aligned))
    return tuple(results)


def _check(subject: Subject, aligned: Aligned) -> None:
    """Raise for runs that were not tested on the folds of the audit."""
    options = subject.options
    name, labels = subject.opened.name, subject.opened.choice.name
    (arm,) = aligned.arms
    for run in arm.runs:
        same = (name, labels) == (run.record.dataset, run.record.labels)
        folds = {manifest.sha256 for manifest in subject.manifests}
        if not same or run.record.split_manifest not in folds:
            raise InputError(
                f"{run.folder.run} was not tested on the folds of this audit ({name}, "
                f"{labels}, {options.folds} folds of seed {options.seed})",
                "name runs of split {kind: folds} with the same data set, labels, folds and seed",
            )
    if len(arm.folds) < options.folds:
        raise InputError(
            f"{arm.name}: {len(arm.folds)} of {options.folds} folds were run",
            "run the others, with --set split.fold=K",
        )


@dataclass(frozen=True)
class _Paired:
    """Labels, and scores of a system and of the probes, on the same rows.

    Args:
        labels: `[n, C]`.
        system: `[n, C]`.
        probes: By name, `[n, C]`.
        units: Patients, folds and modalities.
        plan: Number of resamples and fewest positives.
        seed: Seed of the resamples.
    """

    labels: FloatArray
    system: FloatArray
    probes: Mapping[str, FloatArray]
    units: Units
    plan: Plan
    seed: int

    @classmethod
    def of(cls, subject: Subject, probes: Sequence[BaselineProbe], aligned: Aligned) -> _Paired:
        place = {study.study: row for row, study in enumerate(subject.studies)}
        rows: IntArray = np.array([place[study] for study in aligned.studies], dtype=np.intp)
        both = [finding for finding in subject.findings if finding in aligned.findings]
        ours = np.array([subject.findings.index(finding) for finding in both], dtype=np.intp)
        theirs = [aligned.findings.index(finding) for finding in both]
        cells = np.ix_(rows, ours)
        modalities = [subject.modalities[row] for row in rows] if subject.strata else None
        record = aligned.arms[0].runs[0].record
        known = {one.name: one.scores[cells] for one in probes if one.concerns(record)}
        units = aligned.units(modalities)
        return cls(
            enough_of_each(subject.labels[cells], units, subject.options.at_least),
            aligned.arms[0].scores.mean(axis=0)[:, theirs],
            {name: scores for name, scores in known.items() if not np.isnan(scores).any()},
            units,
            Plan(resamples=subject.options.resamples, at_least=subject.options.at_least),
            subject.options.seed,
        )

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def macro(self, scores: FloatArray, plan: Plan) -> Measured:
        estimates = bootstrap(self.labels, scores, self.units, rng=self.rng(), plan=plan)
        macro = estimates.macro
        return Measured.of(macro.value, macro.low, macro.high, len(estimates.averaged))


def _explained(name: str, pair: _Paired, aligned: Aligned) -> ExplainedRun:
    """Comparison of one system with its best probe."""
    once = Plan(resamples=1, at_least=pair.plan.at_least)
    areas = {probe: pair.macro(scores, once).value or 0 for probe, scores in pair.probes.items()}
    if not areas:
        raise InputError(f"{name}: no probe gives a score for every study", "name other runs")
    best = max(areas, key=lambda probe: areas[probe])
    probe = pair.probes[best]
    gap = paired(
        pair.labels,
        (pair.system, probe),
        pair.units,
        rng=pair.rng(),
        plan=pair.plan,
    )
    within = adjusted_auroc(
        pair.labels, pair.system, probe, pair.units,
        resamples=pair.plan.resamples, rng=pair.rng(),
    )  # fmt: skip
    counted = averaged_findings(pair.labels, within.auroc.values, pair.plan.at_least)
    left = estimate(*within.auroc.mean(counted).alone, pair.plan)
    run = ExplainedRun(
        system=name,
        inputs=tuple(aligned.arms[0].runs[0].record.inputs_at_test),
        runs=tuple(one.folder.run for one in aligned.arms[0].runs),
        probe=best,
        run_auroc=pair.macro(pair.system, pair.plan),
        probe_auroc=pair.macro(probe, pair.plan),
        difference=Measured.of(gap.macro.delta, gap.macro.low, gap.macro.high, len(gap.averaged)),
        within=Measured.of(left.value, left.low, left.high, len(counted)),
        comparable=float(mean_of_defined(within.comparable[list(gap.averaged)])),
    )
    return replace(run, verdict=explained_verdict(run))
