"""How much of a system's score the probes explain: finished runs beside the best probe."""

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

__all__ = ["Rival", "explain"]


@dataclass(frozen=True)
class Rival:
    """A probe that a system is set beside.

    Args:
        name: Its name.
        bears_on: What a system must read for it to be a shortcut of that system.
        scores: Its logits, `[n, C]`.
    """

    name: str
    bears_on: BearsOn
    scores: FloatArray

    def is_open_to(self, record: RunRecord) -> bool:
        """Whether the system of a run reads what the probe bears on."""
        text = record.text_policy != "none"
        pictures = bool({"image", "borders"} & set(record.inputs_at_test))
        return {"anything": True, "text": text, "pictures": pictures}[self.bears_on]


def explain(
    subject: Subject, probes: Sequence[Rival], runs: Sequence[RunFolder]
) -> tuple[ExplainedRun, ...]:
    """Each configuration among the runs beside the probe that does best on its studies.

    The best probe is chosen on the very studies it is compared on, which favours the probe; probes
    of what the system does not read are no rivals of it.

    Args:
        subject: What was audited.
        probes: The probes.
        runs: Finished runs on the folds of the audit; all folds of each configuration.

    Raises:
        InputError: If a run is of other data, labels or folds, or lacks a fold.
    """
    found = []
    for name, folders in gather(runs).items():
        aligned = align({name: folders})
        _check(subject, aligned)
        found.append(_explained(name, _Beside.of(subject, probes, aligned), aligned))
    return tuple(found)


def _check(subject: Subject, aligned: Aligned) -> None:
    """Refuse runs that were tested on anything but the folds of the audit."""
    asked = subject.asked
    name, labels = subject.opened.name, subject.opened.choice.name
    (arm,) = aligned.arms
    for run in arm.runs:
        same = (name, labels) == (run.record.dataset, run.record.labels)
        folds = {manifest.sha256 for manifest in subject.manifests}
        if not same or run.record.split_manifest not in folds:
            raise InputError(
                f"{run.folder.run} was not tested on the folds of this audit ({name}, "
                f"{labels}, {asked.folds} folds of seed {asked.seed})",
                "name runs of split {kind: folds} with the same data set, labels, folds and seed",
            )
    if len(arm.folds) < asked.folds:
        raise InputError(
            f"{arm.name}: {len(arm.folds)} of {asked.folds} folds were run",
            "run the others, with --set split.fold=K",
        )


@dataclass(frozen=True)
class _Beside:
    """Labels, scores of the system and of the probes on the same rows.

    Args:
        labels: `[n, C]`.
        system: `[n, C]`.
        probes: By name, `[n, C]`.
        units: Patients, folds and modalities.
        plan: How intervals are made.
        seed: Seed of the resamples.
    """

    labels: FloatArray
    system: FloatArray
    probes: Mapping[str, FloatArray]
    units: Units
    plan: Plan
    seed: int

    @classmethod
    def of(cls, subject: Subject, probes: Sequence[Rival], aligned: Aligned) -> _Beside:
        place = {study.study: row for row, study in enumerate(subject.studies)}
        rows: IntArray = np.array([place[study] for study in aligned.studies], dtype=np.intp)
        both = [finding for finding in subject.findings if finding in aligned.findings]
        ours = np.array([subject.findings.index(finding) for finding in both], dtype=np.intp)
        theirs = [aligned.findings.index(finding) for finding in both]
        cells = np.ix_(rows, ours)
        parts = [subject.modalities[row] for row in rows] if subject.parts else None
        record = aligned.arms[0].runs[0].record
        given = {one.name: one.scores[cells] for one in probes if one.is_open_to(record)}
        units = aligned.units(parts)
        return cls(
            enough_of_each(subject.labels[cells], units, subject.asked.at_least),
            aligned.arms[0].scores.mean(axis=0)[:, theirs],
            {name: scores for name, scores in given.items() if not np.isnan(scores).any()},
            units,
            Plan(resamples=subject.asked.resamples, at_least=subject.asked.at_least),
            subject.asked.seed,
        )

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def macro(self, scores: FloatArray, plan: Plan) -> Measured:
        found = bootstrap(self.labels, scores, self.units, rng=self.rng(), plan=plan)
        macro = found.macro
        return Measured.of(macro.value, macro.low, macro.high, len(found.averaged))


def _explained(name: str, beside: _Beside, aligned: Aligned) -> ExplainedRun:
    """One system beside its best probe."""
    once = Plan(resamples=1, at_least=beside.plan.at_least)
    areas = {
        probe: beside.macro(scores, once).value or 0 for probe, scores in beside.probes.items()
    }
    if not areas:
        raise InputError(f"{name}: no probe gives a score for every study", "name other runs")
    best = max(areas, key=lambda probe: areas[probe])
    probe = beside.probes[best]
    gap = paired(
        beside.labels, (beside.system, probe), beside.units, rng=beside.rng(), plan=beside.plan
    )
    within = adjusted_auroc(
        beside.labels, beside.system, probe, beside.units,
        resamples=beside.plan.resamples, rng=beside.rng(),
    )  # fmt: skip
    counted = averaged_findings(beside.labels, within.auroc.values, beside.plan.at_least)
    left = estimate(*within.auroc.mean(counted).alone, beside.plan)
    run = ExplainedRun(
        system=name,
        inputs=tuple(aligned.arms[0].runs[0].record.inputs_at_test),
        runs=tuple(one.folder.run for one in aligned.arms[0].runs),
        probe=best,
        run_auroc=beside.macro(beside.system, beside.plan),
        probe_auroc=beside.macro(probe, beside.plan),
        difference=Measured.of(gap.macro.delta, gap.macro.low, gap.macro.high, len(gap.averaged)),
        within=Measured.of(left.value, left.low, left.high, len(counted)),
        comparable=float(mean_of_defined(within.comparable[list(gap.averaged)])),
    )
    return replace(run, verdict=explained_verdict(run))
