"""studies.parquet: attributes of every scored study, for subgroups without the data set.

Only attributes of subgroups are stored: age as a band, and no date, name or place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from encoders.study import Study
from experiments.records.atomic import atomic_path
from kg.errors import InputError

__all__ = ["AGE_BANDS", "ScoredStudy", "age_band", "read_studies", "scored_study", "write_studies"]

AGE_BANDS = ("0-17", "18-39", "40-64", "65-79", "80+")
_STARTS = (0, 18, 40, 65, 80, 121)
_AGE = re.compile(r"0*(\d{1,3})(?:\.\d+)?\s*(?:([ymwd])\w*)?\+?", re.IGNORECASE)
_SEXES = {"f": "F", "female": "F", "w": "F", "m": "M", "male": "M"}
_SILENT = {"", "unknown", "none", "nan"}


@dataclass(frozen=True)
class ScoredStudy:
    """Attributes of one scored study; an empty text = not known.

    Args:
        study: Study identifier.
        patient: Group key.
        part: Subset of the predictions it was scored in: `validation`, `test`, ...
        modality: Modality of its images; several joined with `+`, sorted.
        view: Their projections or probes as in the data set, joined likewise.
        sex: `F` or `M`.
        age_band: One of `AGE_BANDS`.
        source: Web site, paper or hospital within the data set, for probes of shortcuts.
    """

    study: str
    patient: str
    part: str
    modality: str = ""
    view: str = ""
    sex: str = ""
    age_band: str = ""
    source: str = ""


_COLUMNS = tuple(field.name for field in fields(ScoredStudy))


def scored_study(study: Study, part: str) -> ScoredStudy:
    """Stored attributes of a study that was scored in a subset."""
    views = study.metadata.get("view", "").split("+")
    return ScoredStudy(
        study=study.study,
        patient=study.patient,
        part=part,
        modality=_joined(image.modality for image in study.images),
        view=_joined(views) or _joined(image.view for image in study.images),
        sex=_SEXES.get(study.metadata.get("sex", "").strip().lower(), ""),
        age_band=age_band(study.metadata.get("age", "")),
        source=study.metadata.get("document", ""),
    )


def age_band(age: str) -> str:
    """Age band of an age as data sets write it: `45`, `45.0`, `060Y`, `011M`, `90+`.

    An age above 120 years, or one that is no number, is not known.
    """
    match = _AGE.fullmatch(age.strip())
    if match is None:
        return ""
    years = int(match[1]) if (match[2] or "y").lower() == "y" else 0
    for band, (start, end) in zip(AGE_BANDS, pairwise(_STARTS), strict=True):
        if start <= years < end:
            return band
    return ""


def write_studies(path: Path, rows: Iterable[ScoredStudy]) -> None:
    """Write one row for each scored study and subset, atomically."""
    schema = pa.schema([(name, pa.string()) for name in _COLUMNS])
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema)
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_studies(path: Path) -> tuple[ScoredStudy, ...]:
    """Read the rows in the order of writing; none where a run has no such file.

    Raises:
        InputError: If the file is damaged.
    """
    if not path.is_file():
        return ()
    try:
        table = pq.read_table(path, columns=list(_COLUMNS))
        return tuple(ScoredStudy(**row) for row in table.to_pylist())
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        hint = "run the experiment again, or remove the file: pages then have no subgroups"
        raise InputError(f"{path} cannot be read: {first}", hint) from None


def _joined(values: Iterable[str]) -> str:
    return "+".join(sorted({value.strip() for value in values if value.lower() not in _SILENT}))
