"""scores.parquet: contributions of each study to metrics that are functions of sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.metrics.sums import StudySums
from experiments.records.atomic import atomic_path
from kg.errors import InputError

__all__ = ["ScoredStudies", "read_scores", "write_scores"]

_COLUMNS = ("study", "patient", "part", "task", "name", "value")


@dataclass(frozen=True)
class ScoredStudies:
    """Contributions of the studies of one subset to the metrics of one task.

    Args:
        part: Name of the subset: `test`, or the name of another data set.
        task: The task, with its direction or text where it has several.
        studies: Study identifiers, length `n`.
        patients: Group key of each.
        numbers: Contribution of each study, `[n, k]`.
    """

    part: str
    task: str
    studies: tuple[str, ...]
    patients: tuple[str, ...]
    numbers: StudySums


def write_scores(path: Path, rows: Sequence[ScoredStudies]) -> None:
    """Write scores atomically, replacing those of the same subset and task."""
    named = {(one.part, one.task) for one in rows}
    before = read_scores(path) if path.is_file() else []
    kept = [one for one in before if (one.part, one.task) not in named]
    table = pa.concat_tables([_table(one) for one in (*kept, *rows)])
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_scores(path: Path) -> list[ScoredStudies]:
    """Read the scores in the order of writing.

    Raises:
        InputError: If the file is missing or damaged.
    """
    hint = "run the experiment again"
    if not path.is_file():
        raise InputError(f"there is no {path}", hint)
    try:
        frame = pq.read_table(path, columns=list(_COLUMNS)).to_pandas()
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} cannot be read: {first}", hint) from None
    scores = []
    for (part, task), rows in frame.groupby(["part", "task"], sort=False):
        names = tuple(dict.fromkeys(rows["name"]))
        first = rows.iloc[:: len(names)]
        scores.append(
            ScoredStudies(
                part=str(part),
                task=str(task),
                studies=tuple(first["study"]),
                patients=tuple(first["patient"]),
                numbers=StudySums(names, rows["value"].to_numpy().reshape(-1, len(names))),
            )
        )
    return scores


def _table(scored: ScoredStudies) -> pa.Table:
    """Long table, study by study."""
    studies, names = len(scored.studies), scored.numbers.names
    return pa.table(
        {
            "study": np.repeat(np.asarray(scored.studies, dtype=object), len(names)),
            "patient": np.repeat(np.asarray(scored.patients, dtype=object), len(names)),
            "part": pa.array([scored.part] * (studies * len(names))),
            "task": pa.array([scored.task] * (studies * len(names))),
            "name": np.tile(np.asarray(names, dtype=object), studies),
            "value": scored.numbers.values.ravel(),
        }
    )
