"""Evaluation scope: selects data set, findings and studies for evaluating a finished run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from encoders.contents import Contents
from encoders.study import Study
from experiments.config.schema import DataSection
from experiments.evaluation.missing_modality import InputModality, read_by, without_modalities
from experiments.loading.targets import choose_findings
from experiments.preparation.open_dataset import OpenDataset, build_dataset
from experiments.runs.build import labelled_studies
from experiments.runs.exposure import Exposure
from experiments.runs.restore import Restored
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["EvaluationScope", "choose", "data_of", "findings_of"]


@dataclass(frozen=True)
class EvaluationScope:
    """Run, data and inputs of an evaluation.

    Args:
        restored: The run.
        data: Data set, label set and label policy.
        opened: The data set.
        locked: Whether the locked test set alone is scored.
        home: Whether these are the data the run was split on.
        without: Modalities that are left out.
    """

    restored: Restored
    data: DataSection
    opened: OpenDataset
    locked: bool
    home: bool
    without: tuple[InputModality, ...] = ()

    @property
    def fold(self) -> bool:
        """Whether this is one fold of several, so that numbers can be averaged over them."""
        return self.home and not self.locked and self.restored.experiment.split.one_of_several


_REQUIRES: Mapping[str, InputModality] = {
    "image": "image",
    "frontal": "image",
    "report": "text",
    "dialogue": "text",
}
"""Modality of a study that each requirement is about."""


def data_of(
    restored: Restored, dataset: str, labels: str | None, without: Collection[InputModality] = ()
) -> DataSection:
    """The data section of the evaluation, under one stated label policy.

    A run keeps its label policy on its own labels; on others blank labels mean what their
    publication says. On other data only the modalities that are read are required: a run that reads
    images alone, or is evaluated without text, is evaluated on studies without reports too.
    """
    own = restored.experiment.data
    options = own.options if dataset == own.name else {}
    choices = {one.name: one for one in build_dataset(dataset, options).label_choices}
    name = labels or (own.labels if dataset == own.name else next(iter(choices)))
    data = own.model_copy(update={"name": dataset, "labels": name, "options": options})
    if dataset != own.name:
        left = without_modalities(restored.experiment, without)
        # metadata describe the images
        reads = read_by(left) | ({"image"} if left.metadata else set())
        require = tuple(one for one in own.require if _REQUIRES[one] in reads)
        data = data.model_copy(update={"require": require, "duplicates": "join"})
    if (dataset, name) != (own.name, own.labels) and name in choices:
        data = data.model_copy(update={"blank": choices[name].blank})
    return data


def findings_of(scope: EvaluationScope, label_set: LabelSet) -> tuple[str, ...]:
    """Findings to evaluate: all of the label set, or on the run's own labels those it tested.

    Redacted text loses the clauses of every requested finding, so requesting more than the run
    did would give other numbers. A fold is too small to tell which findings are too rare: there,
    as in training, those with enough positives among all development studies are evaluated.
    """
    restored = scope.restored
    if scope.home and scope.data.labels == restored.experiment.data.labels:
        return (*restored.preprocessor.findings, *restored.preprocessor.held.findings)
    if not scope.fold:
        return label_set.findings
    studies = labelled_studies(scope.opened.development, scope.data)
    return choose_findings(label_set, studies, scope.data.at_least)


def choose(scope: EvaluationScope) -> tuple[list[Study], dict[str, int]]:
    """Studies that may be scored, and numbers of those left out, by reason.

    Raises:
        InputError: If none is left.
    """
    skipped: Counter[str] = Counter()
    kept = []
    for study in scope.opened.studies:
        reason = _not_allowed(scope, study.study)
        skipped[reason] += 1
        if not reason:
            kept.append(study)
    if kept and not scope.home:
        exposure = Exposure.of(scope.restored.folder, scope.restored.manifest)
        contents = scope.restored.preprocessor.contents or Contents()
        kept, refused = exposure.refuse(scope.data.name, kept, scope.opened.root, contents)
        skipped.update({f"seen in training ({reason})": n for reason, n in refused.items()})
    del skipped[""]
    if not kept:
        counts = ", ".join(f"{n} {reason}" for reason, n in skipped.items()) or "no study"
        raise InputError(
            f"{scope.data.name}: no study is left to evaluate: {counts}",
            "choose other data; the locked test set is used with --locked --why TEXT",
        )
    labelled = labelled_studies(kept, scope.data)
    if len(labelled) < len(kept):
        skipped["without label or required input"] = len(kept) - len(labelled)
    return list(labelled), dict(skipped)


def _not_allowed(scope: EvaluationScope, study: str) -> str:
    """Reason for not scoring a study; empty where it may be scored."""
    if scope.locked != (study in scope.opened.locked):
        return "not in the locked part" if scope.locked else "locked"
    if not scope.home:
        return ""
    place = scope.restored.manifest.assignments.get(study, "")
    if place in ("train", "validation"):
        return f"seen in training ({place})"
    return "" if place in ("test", "locked") else "not in the run's split"
