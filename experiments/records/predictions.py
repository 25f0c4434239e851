"""predictions.parquet: all predicted probabilities of a run, for comparisons without a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.records.atomic import atomic_path
from kg.errors import InputError

__all__ = [
    "TEST",
    "ZERO_SHOT",
    "ScoredSubset",
    "evaluation_subset",
    "predictions_table",
    "read_predictions",
    "write_predictions",
]

TEST = "test"
ZERO_SHOT = "test_zero_shot"
"""The test set with the findings held out of training."""

Matrix = np.ndarray[Any, np.dtype[np.float64]]
_COLUMNS = ("study", "patient", "part", "finding", "label", "probability")


@dataclass(frozen=True)
class ScoredSubset:
    """Probabilities and labels of one subset of the data.

    Args:
        part: Name of the subset: `validation`, `test`, or the name of another data set.
        studies: Study identifiers, length `B`.
        patients: Group key of each study, length `B`.
        findings: Concept ids, length `C`.
        labels: 1 present, 0 absent, NaN = not stated, `[B, C]`.
        probabilities: In [0, 1], NaN = not possible, `[B, C]`.
    """

    part: str
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    findings: tuple[str, ...]
    labels: Matrix
    probabilities: Matrix

    def __post_init__(self) -> None:
        shape = (len(self.studies), len(self.findings))
        if self.labels.shape != shape or self.probabilities.shape != shape:
            raise ValueError(f"{self.part}: labels and probabilities must be {shape}")
        if len(self.patients) != len(self.studies):
            raise ValueError(f"{self.part}: {len(self.patients)} patients for {shape[0]} studies")

    def at(self, rows: Sequence[int]) -> ScoredSubset:
        """The studies at these places, in this order."""
        chosen = list(rows)
        return replace(
            self,
            studies=tuple(self.studies[row] for row in chosen),
            patients=tuple(self.patients[row] for row in chosen),
            labels=self.labels[chosen],
            probabilities=self.probabilities[chosen],
        )


def evaluation_subset(
    dataset: str, labels: str, basis: str, *, locked: bool = False, without: Iterable[str] = ()
) -> str:
    """Name of the subset for an evaluation's predictions of one basis.

    Args:
        dataset: Data set.
        labels: Label set.
        basis: `trained` or `zero_shot`.
        locked: Whether it is the locked test set.
        without: Modalities that were left out.
    """
    missing = (f"without-{modality}" for modality in sorted(without))
    return "-".join((dataset, labels, basis, *(("locked",) if locked else ()), *missing))


def write_predictions(path: Path, subsets: Sequence[ScoredSubset]) -> None:
    """Write subsets as one table atomically, a row for each study and finding."""
    table = pa.concat_tables([_table(subset) for subset in subsets]).unify_dictionaries()
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_predictions(path: Path) -> list[ScoredSubset]:
    """Read the subsets in the order of writing.

    Raises:
        InputError: If the file is missing or damaged.
    """
    table = predictions_table(path)
    columns = {name: table[name].to_numpy(zero_copy_only=False) for name in _COLUMNS}
    names = dict.fromkeys(columns["part"].tolist())
    return [_subset(name, columns, path) for name in names]


def predictions_table(path: Path) -> pa.Table:
    """All subsets as one table, a row for each study and finding.

    Raises:
        InputError: If the file is missing or damaged.
    """
    hint = "run the experiment again, or `experiment evaluate` it"
    if not path.is_file():
        raise InputError(f"there is no {path}", hint)
    try:
        return pq.read_table(path, columns=list(_COLUMNS))
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read: {first}", hint) from None


def _table(subset: ScoredSubset) -> pa.Table:
    """Long table of one subset, study by study."""
    studies, findings = len(subset.studies), len(subset.findings)
    columns = {
        "study": _words(np.repeat(np.asarray(subset.studies, dtype=object), findings)),
        "patient": _words(np.repeat(np.asarray(subset.patients, dtype=object), findings)),
        "part": _words(np.full(studies * findings, subset.part, dtype=object)),
        "finding": _words(np.tile(np.asarray(subset.findings, dtype=object), studies)),
        "label": pa.array(subset.labels.ravel(), pa.float32(), from_pandas=True),
        "probability": pa.array(subset.probabilities.ravel(), pa.float64(), from_pandas=True),
    }
    return pa.table(columns)


def _words(values: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(values, pa.string()).dictionary_encode()


def _subset(name: str, columns: dict[str, np.ndarray[Any, Any]], path: Path) -> ScoredSubset:
    """One subset as matrices."""
    rows = columns["part"] == name
    finding = columns["finding"][rows]
    findings = tuple(dict.fromkeys(finding.tolist()))
    shape = (rows.sum() // len(findings), len(findings))
    if rows.sum() != shape[0] * shape[1] or tuple(finding[: shape[1]]) * shape[0] != tuple(finding):
        raise InputError(f"{path}: {name}: not every study has every finding", "run it again")
    return ScoredSubset(
        part=str(name),
        studies=tuple(columns["study"][rows][:: shape[1]].tolist()),
        patients=tuple(columns["patient"][rows][:: shape[1]].tolist()),
        findings=findings,
        labels=columns["label"][rows].astype(np.float64).reshape(shape),
        probabilities=columns["probability"][rows].astype(np.float64).reshape(shape),
    )
