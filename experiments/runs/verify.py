"""Verification of a finished run: hashes and metrics of its record, computed again; signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from encoders.contents import Contents
from experiments.config.hashing import config_hash
from experiments.config.load import resolve
from experiments.loading.data_source import image_hashes
from experiments.metrics.ranking import auroc
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import RunFolder
from experiments.records.predictions import TEST, ZERO_SHOT, read_predictions
from experiments.records.record import RunRecord
from experiments.records.studies import read_studies
from experiments.runs.build import fingerprint, labelled_studies, needs_of
from experiments.runs.restore import restore
from experiments.runs.signature import signature_check
from experiments.splits.manifest import Manifest
from kg.errors import InputError

__all__ = ["Verified", "verify_run"]

_PARTS = {"trained": TEST, "zero_shot": ZERO_SHOT}
"""Subset of the predictions of each basis."""


@dataclass(frozen=True)
class Verified:
    """Result of one check.

    Args:
        what: Subject of the check.
        holds: Whether it agrees with the record; None where it could not be checked.
        detail: Details of the result.
    """

    what: str
    holds: bool | None
    detail: str


def verify_run(
    folder: RunFolder, root: Path | None = None, key: Path | None = None
) -> list[Verified]:
    """Compute every hash of a run's record again, and its AUROCs from its predictions.

    Args:
        folder: The run's folder.
        root: Folder of data sets; without it the data are not checked.
        key: Public key of the one who signed the run; without it a signature is not checked.

    Raises:
        InputError: If there is no readable record, or the key cannot be used.
    """
    signature = None if key is None else signature_check(folder, key)
    record = folder.load_record()
    checks: dict[str, Callable[[], tuple[bool, str]]] = {
        "configuration": lambda: _equal(
            config_hash(resolve(str(folder.config))), record.config_hash
        ),
        "split": lambda: _equal(Manifest.load(folder.splits).sha256, record.split_manifest),
        "graph and weights": lambda: (
            True,
            restore(folder).preprocessor.structure.fingerprint[:12],
        ),
    }
    if folder.predictions.is_file() or "classification" in record.tasks:
        checks["predictions"] = lambda: _predictions(folder, record)
    if folder.studies.is_file():
        checks["studies"] = lambda: _studies(folder)
    if signature is not None:
        checks["signature"] = signature
    rows = [_checked(what, check) for what, check in checks.items()]
    if signature is None and folder.signature.exists():
        rows.append(Verified("signature", None, "not checked: no --key"))
    if root is None:
        return [*rows, Verified("data", None, "not checked: no --root")]
    return [*rows, _checked("data", lambda: _equal(_data(folder, root), record.data_fingerprint))]


def _checked(what: str, check: Callable[[], tuple[bool, str]]) -> Verified:
    try:
        return Verified(what, *check())
    except InputError as error:
        return Verified(what, False, error.message)


def _equal(now: str, recorded: str) -> tuple[bool, str]:
    if now == recorded:
        return True, now[:12]
    return False, f"the record says {recorded[:12]}, now it is {now[:12]}"


def _predictions(folder: RunFolder, record: RunRecord) -> tuple[bool, str]:
    """Whether every AUROC of the record follows from the stored predictions."""
    now = {
        (subset.part, finding): value
        for subset in read_predictions(folder.predictions)
        for finding, value in zip(
            subset.findings, auroc(subset.labels, subset.probabilities), strict=True
        )
    }
    if "classification" in record.tasks and not any(subset == TEST for subset, _ in now):
        return False, "they hold no test set"
    places = [(row, (_PARTS.get(row.basis, TEST), row.finding)) for row in record.findings]
    rows = [(row, now[place]) for row, place in places if row.part == TEST and place in now]
    other = [row.label for row, value in rows if not _same(row.metrics["auroc"].value, value)]
    if other:
        return False, f"they give another AUROC for {', '.join(other)}"
    return True, f"they give the AUROC of all {len(rows)} findings"


def _studies(folder: RunFolder) -> tuple[bool, str]:
    """Whether the table of studies has the same studies as the predictions."""
    known = read_studies(folder.studies)
    for subset in read_predictions(folder.predictions):
        rows = [(row.study, row.patient) for row in known if row.part == subset.part]
        if rows != list(zip(subset.studies, subset.patients, strict=True)):
            return False, f"they are not those of the predictions of {subset.part}"
    return True, f"they are those of all {len(known)} predictions"


def _same(recorded: float | None, now: float) -> bool:
    """Whether a recorded number equals the one computed now; None = not defined."""
    return not np.isfinite(now) if recorded is None else abs(recorded - now) < 1e-9


def _data(folder: RunFolder, root: Path) -> str:
    """Fingerprint of the studies of all subsets as read now."""
    experiment = resolve(str(folder.config))
    opened = open_dataset(
        experiment.data,
        root,
        folder.path.parent / "cache",
        boxes=needs_of(experiment).boxes,
    )
    manifest = Manifest.load(folder.splits)
    used = {"train", "validation", "test"}
    studies = labelled_studies(opened.studies, experiment.data)
    return opened.fingerprint or fingerprint(
        [study for study in studies if manifest.assignments.get(study.study) in used],
        opened.root,
        contents=Contents() if experiment.image.encoder is not None else None,
        known=image_hashes(opened, experiment.image),
    )
