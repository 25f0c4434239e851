"""Stress suite for text: loss of AUROC when the text that finished runs read at test is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.evaluation.missing_modality import read_by
from experiments.evaluation.scope import EvaluationScope, choose, data_of
from experiments.evaluation.text_perturbation import PERTURBATIONS, Passages, Texts
from experiments.inference.answers import answer
from experiments.loading.cohort import Cohort
from experiments.metrics.bootstrap import USUAL, Plan, bootstrap, paired
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import RunFolder
from experiments.records.record import Measured
from experiments.runs.restore import Restored, restore
from kg.errors import InputError

__all__ = ["StressRow", "TextStress", "stress_text"]

AS_WRITTEN = "as written"


@dataclass(frozen=True)
class StressRow:
    """Macro AUROC of a run on one kind of changed text.

    Args:
        run: The run.
        inputs: What it reads at test.
        text_policy: Its text policy at test.
        perturbation: Name of the change, or `as written`.
        changed: Share of the studies with text whose text is another.
        auroc: Macro AUROC on the changed text.
        loss: AUROC as written minus AUROC on the changed text, on the same resamples of patients;
            None as written.
        p: Two-sided p-value of the loss, one of several; None as written.
    """

    run: str
    inputs: tuple[str, ...]
    text_policy: str
    perturbation: str
    changed: float
    auroc: Measured
    loss: Measured | None = None
    p: float | None = None


@dataclass(frozen=True)
class TextStress:
    """Rows of all runs.

    Args:
        dataset: Data set and labels of their test sets.
        seed: Seed of the changes and of the resamples.
        rows: For each run, its text as written and then each change.
    """

    dataset: str
    seed: int
    rows: tuple[StressRow, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def stress_text(
    folders: Sequence[RunFolder], root: Path, *, seed: int = 0, plan: Plan = USUAL
) -> TextStress:
    """Test finished runs on changed text of their own test sets; the runs stay as they are.

    The locked test set is never used.

    Args:
        folders: The runs, all of one data set and label set.
        root: Folder that holds data sets by name, or its own.
        seed: Seed of the changes and of the resamples.
        plan: Resamples of the intervals, and fewest positives of an averaged finding; of a fold,
            which is too small to tell which findings are too rare, all are averaged.

    Raises:
        InputError: If a run reads no text, or the runs are of several data sets.
    """
    restored = [restore(folder) for folder in folders]
    datasets = {f"{one.record.dataset} {one.record.labels}" for one in restored}
    if len(datasets) != 1:
        raise InputError(
            f"the runs are of several data sets: {', '.join(sorted(datasets))}",
            "name runs of one data set and label set",
        )
    for one in restored:
        if "text" not in read_by(one.experiment):
            raise InputError(
                f"{one.record.run} reads no text at test", "name runs whose text.test is not none"
            )
    rows = [row for one in restored for row in _rows(one, root, seed, plan)]
    return TextStress(datasets.pop(), seed, tuple(rows))


def _rows(restored: Restored, root: Path, seed: int, plan: Plan) -> Iterator[StressRow]:
    """Rows of one run."""
    cohort, scope = _tested(restored, root)
    plan = replace(plan, at_least=1 if scope.fold else scope.data.at_least)
    labels = cohort.targets.double().numpy()
    groups = np.array([restored.manifest.groups[study.study] for study in cohort.studies])
    whole = _probabilities(restored, cohort)
    reader = restored.preprocessor.text
    texts = Texts(
        tuple(reader.passages(one, restored.experiment.text.test) for one in cohort.studies),
        tuple(one.study for one in cohort.studies),
        tuple(one.patient for one in cohort.studies),
        restored.graph,
        reader.linker,
        seed,
    )
    row = StressRow(
        restored.record.run,
        tuple(restored.record.inputs_at_test),
        restored.experiment.text.test,
        AS_WRITTEN,
        0.0,
        _macro(labels, whole, groups, seed, plan),
    )
    yield row
    for name, perturb in PERTURBATIONS.items():
        passages = perturb(texts)
        text, evidence = reader.read(passages, cached=False), reader.read_evidence(passages)
        scores = _probabilities(restored, replace(cohort, text=text, evidence=evidence))
        rng = np.random.default_rng(seed)
        lost = paired(labels, (whole, scores), groups, rng=rng, plan=plan)
        loss = lost.macro
        yield replace(
            row,
            perturbation=name,
            changed=_share_changed(texts.passages, passages),
            auroc=_macro(labels, scores, groups, seed, plan),
            loss=Measured.of(loss.delta, loss.low, loss.high, len(lost.averaged)),
            p=loss.p,
        )


def _tested(restored: Restored, root: Path) -> tuple[Cohort, EvaluationScope]:
    """The run's own test set."""
    dataset = restored.record.dataset
    data = data_of(restored, dataset, None)
    cache = restored.folder.path.parent / "cache"
    opened = open_dataset(data, root, cache, boxes=restored.preprocessor.needs.boxes)
    opened.check_text()
    scope = EvaluationScope(restored, data, opened, locked=False, home=True)
    studies, _ = choose(scope)
    return restored.preprocessor.read(studies, opened.root), scope


def _probabilities(restored: Restored, cohort: Cohort) -> NDArray[np.float64]:
    """Probabilities of the findings trained on, `[n, C]`."""
    findings = restored.preprocessor.findings
    return answer(restored.system, cohort, findings, restored.calibration).probabilities


def _macro(
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    groups: NDArray[Any],
    seed: int,
    plan: Plan,
) -> Measured:
    """Macro AUROC with its interval."""
    found = bootstrap(labels, scores, groups, rng=np.random.default_rng(seed), plan=plan)
    return Measured.of(found.macro.value, found.macro.low, found.macro.high, len(found.averaged))


def _share_changed(before: Sequence[Passages], after: Sequence[Passages]) -> float:
    """Share of the studies with text whose text is another."""
    told = [
        one != other
        for one, other in zip(before, after, strict=True)
        if any(passage.text.strip() for passage in one)
    ]
    return sum(told) / max(len(told), 1)
