"""Comparison of tables of predictions, made by any program, against a table of labels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from experiments.compare.align import Aligned, Arm
from experiments.compare.compare import Pair, differences_of, families_of, ranked_entry
from experiments.compare.notes import notes_on_counts
from experiments.compare.paired import Scores, over_all
from experiments.compare.records import Comparison, Entry, Seeds
from experiments.datasets._tables import Row, read_table, separator_of
from experiments.metrics.bootstrap import USUAL, Plan
from kg.errors import InputError, did_you_mean

__all__ = ["TABLES", "compare_tables", "names_of"]

TABLES = "tables"
"""Kind of split of predictions that come as tables."""
NOT_STATED = "not stated"
NO_SCORE = ("", "nan", "not possible")


def compare_tables(
    paths: Sequence[Path],
    labels: Path,
    *,
    study: str = "study",
    patient: str = "",
    pairs: Sequence[Pair] | None = None,
    metric: str = "auroc_macro",
    plan: Plan = USUAL,
) -> Comparison:
    """Compare tables of predictions on the studies and findings that all of them have.

    A table has one row per study and a column of scores per finding, or one row per study and
    finding with the columns `finding` and `probability`. Names of findings are compared without
    case, `_` and `-`.

    Args:
        paths: The tables, the first of them compared with every other.
        labels: Table of labels: 1 present, 0 absent, -1 uncertain or empty, which do not count.
        study: Column of the study's id in every table.
        patient: Column of the patient in the table of labels; empty = each study is of its own.
        pairs: Pairs to compare, by the names of `names_of`; None = the first with every other.
        metric: Compared metric, a macro mean.
        plan: Resamples of the intervals, and fewest positives of an averaged finding.

    Raises:
        InputError: If a table cannot be read, or they share no study or no finding.
    """
    gold = _Table.read(labels, study)
    tables = [_Table.read(path, study) for path in paths]
    names = names_of(paths)
    findings = [one for one in gold.columns if all(one in table.columns for table in tables)]
    findings = [one for one in findings if gold.columns[one] != patient]
    if not findings:
        raise InputError(
            f"{labels}: no column is a finding of every table",
            f"name the findings alike; its columns are: {', '.join(gold.columns.values())}",
        )
    studies = sorted(set(gold.rows).intersection(*(table.rows for table in tables)))
    if not studies:
        raise InputError(
            f"no study is in {labels.name} and every table",
            f"write the ids in column {study!r} alike, or name another column with --study",
        )
    aligned = Aligned(
        studies=tuple(studies),
        groups=tuple(gold.patients(studies, patient)),
        folds=np.zeros(len(studies), dtype=int),
        findings=tuple(gold.columns[one] for one in findings),
        labels=np.array([[gold.label(one, name) for name in findings] for one in studies]),
        arms=tuple(
            Arm(name, (), np.array([[[table.score(s, f) for f in findings] for s in studies]]))
            for name, table in zip(names, tables, strict=True)
        ),
    )
    scores = Scores(aligned, None, metric, plan)
    arms = {arm.name: arm for arm in aligned.arms}
    families = families_of(names, pairs, ())
    paired = [(arms[one], arms[other]) for each in families.values() for one, other in each]
    entries = tuple(
        _entry(scores, arm, table, gold) for arm, table in zip(aligned.arms, tables, strict=True)
    )
    known = _Known(gold, tables, studies, findings, patient)
    return Comparison(
        metric=metric,
        entries=entries,
        differences=tuple(differences_of(scores, arms, families)),
        studies=len(studies),
        groups=scores.units.count,
        parts=(),
        resamples=plan.resamples,
        level=plan.level,
        at_least=plan.at_least,
        notes=(*known.notes(), *notes_on_counts(aligned, entries, plan.at_least)),
        told=f"tables {', '.join(path.name for path in paths)} against {labels.name}",
        over_all=over_all(scores, paired),
    )


def names_of(paths: Sequence[Path]) -> list[str]:
    """Name of each table in a comparison: its file without the ending, else its path."""
    stems = [path.name.partition(".")[0] for path in paths]
    return [
        stem if stems.count(stem) == 1 else str(path)
        for stem, path in zip(stems, paths, strict=True)
    ]


@dataclass(frozen=True)
class _Table:
    """A table of scores or labels.

    Args:
        path: The file.
        columns: Names of its columns beside the study, by their plain form.
        rows: Row of each study, in a long table of each study and finding by its plain form.
        long: Whether it has one row per study and finding.
    """

    path: Path
    columns: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Row]]
    long: bool

    @classmethod
    def read(cls, path: Path, study: str) -> _Table:
        """Read a table.

        Raises:
            InputError: If it is missing or damaged, lacks the column, or has a study twice.
        """
        if not path.is_file():
            hint = "name tables (.csv); runs are compared by `kgdx experiment compare`"
            raise InputError(f"{path}: not found", hint)
        rows = read_table(path, separator=separator_of(path))
        if not rows or study not in rows[0].cells:
            listed = ", ".join(rows[0].cells) if rows else "none"
            raise InputError(
                f"{path}: has no column {study!r} with rows",
                f"name the column of the study's id with --study; columns are: {listed}",
            )
        long = {"finding", "probability"} <= set(rows[0].cells)
        named = [_finding(row) for row in rows] if long else [*rows[0].cells]
        columns: dict[str, str] = {}
        for name in dict.fromkeys(named):
            if name in ("", study) or columns.setdefault(_plain(name), name) == name:
                continue
            raise InputError(
                f"{path}: {name!r} and {columns[_plain(name)]!r} are one finding", "keep one"
            )
        found: dict[str, dict[str, Row]] = {}
        for row in rows:
            key = _plain(_finding(row)) if long else ""
            if key in found.setdefault(row[study], {}):
                raise InputError(
                    f"{path}: row {row.number}: study {row[study]!r} is there twice",
                    "keep one row of each study",
                )
            found[row[study]][key] = row
        return cls(path, columns, found, long)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def score(self, study: str, finding: str) -> float:
        """Score of a study; NaN = none."""
        if self.long:
            row, column = self.rows[study].get(finding), "probability"
        else:
            row, column = self.rows[study][""], self.columns[finding]
        if row is None or row[column].lower() in NO_SCORE:
            return math.nan
        try:
            value = float(row[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(
                f"{self.path}: row {row.number}, column {column!r}: {row[column]!r} is no number",
                "write a score, or leave it empty",
            )
        return value

    def label(self, study: str, finding: str) -> float:
        """Label of a study: 1, 0, or NaN = uncertain or not stated."""
        stated = self.rows[study][""].label(self.columns[finding])
        return {"present": 1.0, "absent": 0.0}.get(stated or "", math.nan)

    def uncertain(self, study: str, finding: str) -> bool:
        """Whether a label is uncertain."""
        return self.rows[study][""].label(self.columns[finding]) == "uncertain"

    def patients(self, studies: Sequence[str], column: str) -> Iterator[str]:
        """Patient of each study; the study itself where no column is named."""
        for study in studies:
            row = self.rows[study][""]
            if column and column not in row.cells:
                hint = did_you_mean(column, row.cells)
                raise InputError(f"{self.path}: has no column {column!r}", hint)
            if column and not row[column]:
                raise InputError(
                    f"{self.path}: row {row.number}: {column!r} is empty", "name the patient"
                )
            yield row[column] if column else study


@dataclass(frozen=True)
class _Known:
    """What a reader must know of the tables.

    Args:
        gold: Table of labels.
        tables: Tables of scores.
        studies: Compared studies.
        findings: Compared findings.
        patient: Column of the patient, or empty.
    """

    gold: _Table
    tables: Sequence[_Table]
    studies: Sequence[str]
    findings: Sequence[str]
    patient: str

    def notes(self) -> Iterator[str]:
        """Notes, the most severe first."""
        yield "what these predictions were made from is not known: leakage cannot be ruled out"
        if not self.patient:
            yield (
                "no column of patients is named (--patient): each study counts as its own, and "
                "intervals are too narrow where patients have several"
            )
        for table in (self.gold, *self.tables):
            if others := len(table.rows) - len(self.studies):
                yield f"{table.path.name}: {others} studies that are not in every table, left out"
        kept = {*self.findings, _plain(self.patient)}
        apart = [name for one, name in self.gold.columns.items() if one not in kept]
        if apart:
            yield f"columns of {self.gold.path.name} not in every table: {', '.join(apart)}"
        unsure = sum(
            self.gold.uncertain(one, name) for one in self.studies for name in self.findings
        )
        if unsure:
            yield f"{unsure} uncertain labels do not count"


def _entry(scores: Scores, arm: Arm, table: _Table, gold: _Table) -> Entry:
    """Entry of a table; no Brier score where its scores are no probabilities."""
    facts = Entry(
        name=arm.name,
        runs=(),
        seeds=(),
        folds=(0,),
        system="",
        dataset=gold.path.name,
        labels=gold.path.name,
        label_source=(),
        inputs_at_test=(NOT_STATED,),
        text_policy=NOT_STATED,
        leakage=NOT_STATED,
        split_kind=TABLES,
        manifests={one.path.name: one.digest for one in (table, gold)},
        parameters=0,
        seconds=0.0,
        graphs=(),
        commits=(),
        settings={},
        metrics={},
        by_seed=Seeds(),
        findings=(),
    )
    entry = ranked_entry(scores, arm, facts)
    known = arm.scores[~np.isnan(arm.scores)]
    if known.size and (known.min() < 0 or known.max() > 1):
        rest = {name: one for name, one in entry.metrics.items() if name != "brier_macro"}
        entry = replace(entry, metrics=rest)
    return replace(entry, by_seed=Seeds())


def _finding(row: Row) -> str:
    """Name of the finding of a long table's row."""
    return row.get("label") or row["finding"]


def _plain(name: str) -> str:
    """A name without case, `_` and `-`."""
    return re.sub(r"[\s_-]+", " ", name.removeprefix("ckg:").casefold()).strip()
