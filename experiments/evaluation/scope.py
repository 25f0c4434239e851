"""What a test of a finished run is of: data and labels, the findings, the studies allowed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from encoders.contents import Contents
from encoders.study import Study
from experiments.config.schema import DataSection
from experiments.evaluation.missing_modality import Source, given, read_by
from experiments.loading.targets import choose_findings
from experiments.preparation.open_dataset import OpenDataset, build_dataset
from experiments.runs.build import wanted_studies
from experiments.runs.exposure import Exposure
from experiments.runs.restore import Restored
from kg.errors import InputError
from kg.model.graph import LabelSet

__all__ = ["Wanted", "choose", "data_of", "findings_of"]


@dataclass(frozen=True)
class Wanted:
    """What is to be tested.

    Args:
        restored: The run.
        data: Data set, label set and label policy.
        opened: The data set.
        locked: Whether the locked part is tested, and nothing else.
        home: Whether it is the very data the run was split on.
        without: Sources that are withheld.
    """

    restored: Restored
    data: DataSection
    opened: OpenDataset
    locked: bool
    home: bool
    without: tuple[Source, ...] = ()

    @property
    def fold(self) -> bool:
        """Whether it is one fold of several, so that numbers can be averaged over them."""
        return self.home and not self.locked and self.restored.experiment.split.one_of_several


_REQUIRES: Mapping[str, Source] = {
    "image": "image",
    "frontal": "image",
    "report": "text",
    "dialogue": "text",
}
"""The source of a study that each requirement is about."""


def data_of(
    restored: Restored, dataset: str, labels: str | None, without: Collection[Source] = ()
) -> DataSection:
    """The data section of the test, under one stated label policy.

    On its own labels a run is tested as it was; on others blank labels mean what their
    publication says. Of other data only what is read is required: a run that reads pictures alone,
    or whose text is withheld, is tested where there are no reports too.
    """
    own = restored.experiment.data
    options = own.options if dataset == own.name else {}
    choices = {one.name: one for one in build_dataset(dataset, options).label_choices}
    name = labels or (own.labels if dataset == own.name else next(iter(choices)))
    data = own.model_copy(update={"name": dataset, "labels": name, "options": options})
    if dataset != own.name:
        left = given(restored.experiment, without)
        # facts are of the pictures
        reads = read_by(left) | ({"image"} if left.metadata else set())
        require = tuple(one for one in own.require if _REQUIRES[one] in reads)
        data = data.model_copy(update={"require": require})
    if (dataset, name) != (own.name, own.labels) and name in choices:
        data = data.model_copy(update={"blank": choices[name].blank})
    return data


def findings_of(wanted: Wanted, label_set: LabelSet) -> tuple[str, ...]:
    """The findings to test: all of the label set, or on the run's own labels what it tested.

    Redacted text loses the clauses of every finding asked for, so asking for more than the run
    did would give other numbers. A fold is too small to judge which findings are too rare: there,
    as in training, those with enough positives in the whole development part are tested.
    """
    restored = wanted.restored
    if wanted.home and wanted.data.labels == restored.experiment.data.labels:
        return (*restored.preprocessor.findings, *restored.preprocessor.held.findings)
    if not wanted.fold:
        return label_set.findings
    studies = wanted_studies(wanted.opened.development, wanted.data)
    return choose_findings(label_set, studies, wanted.data.at_least)


def choose(wanted: Wanted) -> tuple[list[Study], dict[str, int]]:
    """The studies that may be scored, and how many may not, by reason.

    Raises:
        InputError: If none is left.
    """
    skipped: Counter[str] = Counter()
    kept = []
    for study in wanted.opened.studies:
        reason = _not_allowed(wanted, study.study)
        skipped[reason] += 1
        if not reason:
            kept.append(study)
    if kept and not wanted.home:
        seen = Exposure.of(wanted.restored.folder, wanted.restored.manifest)
        contents = wanted.restored.preprocessor.contents or Contents()
        kept, refused = seen.refuse(wanted.data.name, kept, wanted.opened.root, contents)
        skipped.update({f"seen in training ({reason})": n for reason, n in refused.items()})
    del skipped[""]
    if not kept:
        said = ", ".join(f"{n} {reason}" for reason, n in skipped.items()) or "no study"
        raise InputError(
            f"{wanted.data.name}: nothing is left to test: {said}",
            "test other studies; the locked part is opened with --locked --why TEXT",
        )
    left = wanted_studies(kept, wanted.data)
    if len(left) < len(kept):
        skipped["without label or required input"] = len(kept) - len(left)
    return list(left), dict(skipped)


def _not_allowed(wanted: Wanted, study: str) -> str:
    """Why a study may not be scored; empty where it may."""
    if wanted.locked != (study in wanted.opened.locked):
        return "not in the locked part" if wanted.locked else "locked"
    if not wanted.home:
        return ""
    place = wanted.restored.manifest.assignments.get(study, "")
    if place in ("train", "validation"):
        return f"seen in training ({place})"
    return "" if place in ("test", "locked") else "not in the run's split"
