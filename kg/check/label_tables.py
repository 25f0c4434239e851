"""Label tables: the findings of each study, for the patients that may be counted."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kg.errors import InputError, did_you_mean
from kg.files.tables import cells_of, opened, read_json, read_lines
from kg.model.graph import LabelSet
from kg.options import Options as BaseOptions
from kg.sources._names import Names

EVERYONE = "all"

_NAN = re.compile(r"(?<=[\[,\s])nan(?=[\],\s])")
_PRESENT = frozenset({"1", "1.0", "yes", "true", "present"})
_ABSENT = frozenset({"0", "0.0", "no", "false", "absent"})
_UNCERTAIN = frozenset({"-1", "-1.0", "uncertain"})
_BLANK = frozenset({"", "nan", "none", "na"})


class TableOptions(BaseOptions):
    """A table of labels and its format.

    Args:
        table: `.csv` (comma) or `.tsv` (tab), also as `.gz`.
        patients: Patients that may be counted: a text file of training patients, one a line; a
            split manifest, of which the training subset is taken; or the word `all`.
        patient: Column of the patient.
        study: Column of the study; rows of one study are one study. Each row is one where empty.
        labels: Column that lists a row's labels; else there is a column for each label.
        separator: Separator of listed labels, or `list` for `['a', 'b']`.
        columns: Concept of a label, by id or name.
        label_set: Label set whose columns name the concepts.
        uncertain: Meaning of -1.
        most_specific: True if a row names the narrowest finding only, as in PadChest; a wider
            finding that it does not name is then not stated rather than absent.
    """

    table: str
    patients: str
    patient: str
    study: str = ""
    labels: str = ""
    separator: str = "|"
    columns: Mapping[str, str] = {}
    label_set: str = ""
    uncertain: Literal["ignore", "present", "absent"] = "ignore"
    most_specific: bool = False


@dataclass(slots=True)
class Labelled:
    """Labels of one study: concepts stated present and concepts stated absent."""

    present: set[str]
    absent: set[str]


def read_labels(
    folder: Path,
    options: TableOptions,
    names: Names,
    label_sets: Mapping[str, LabelSet],
    dropped: Counter[str],
) -> list[Labelled]:
    """The studies of the patients that may be counted.

    Args:
        folder: Folder the files are relative to.
        options: Format of the table.
        names: Known concepts.
        label_sets: Known label sets.
        dropped: Counter of left-out rows and labels, by reason.

    Raises:
        InputError: If a column is missing, or a value is no label; names the line.
    """
    concepts = _concepts(options, names, label_sets)
    allowed = training_patients(folder, options.patients)
    studies: dict[str, Labelled] = {}
    for where, row in _rows(folder / options.table):
        for column in filter(None, (options.patient, options.study, options.labels)):
            if column not in row:
                raise InputError(f"{where}: no column {column!r}", did_you_mean(column, row))
        if allowed is not None and row[options.patient].strip() not in allowed:
            dropped["row of a patient that may not be counted"] += 1
            continue
        study = row[options.study] if options.study else where
        found = studies.setdefault(study, Labelled(set(), set()))
        if options.labels:
            labels = listed_labels(row[options.labels], options.separator, where)
            _listed(labels, concepts, names, found, dropped)
        else:
            _stated(row, where, options, concepts, found)
    for found in studies.values():
        found.absent -= found.present
    return list(studies.values())


def training_patients(folder: Path, patients: str) -> frozenset[str] | None:
    """The patients that may be counted, or None for all.

    Raises:
        InputError: If the file is missing, or a manifest has no training subset.
    """
    if patients == EVERYONE:
        return None
    path = folder / patients
    if path.suffix != ".json":
        return frozenset(read_lines(path))
    manifest = read_json(path)
    try:
        subsets, groups = manifest["assignments"], manifest["groups"]
        chosen = frozenset(str(groups[study]) for study, name in subsets.items() if name == "train")
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path.name}: is no split manifest ({error})", "see data prepare"
        ) from None
    if not chosen:
        raise InputError(f"{path.name}: has no training subset", "name a manifest with one")
    return chosen


def _concepts(
    options: TableOptions, names: Names, label_sets: Mapping[str, LabelSet]
) -> dict[str, str]:
    """Concept id of each label."""
    found: dict[str, str] = {}
    if options.label_set:
        if options.label_set not in label_sets:
            hint = did_you_mean(options.label_set, label_sets)
            raise InputError(f"{options.table}: no label set {options.label_set!r}", hint)
        chosen = label_sets[options.label_set]
        found.update(zip(chosen.columns, chosen.findings, strict=True))
    for label, name in options.columns.items():
        found[label] = names.need(name, f"{options.table}: columns.{label}")
    if not found:
        raise InputError(f"{options.table}: no labels are named", "give columns or label_set")
    return found


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    with opened(path) as handle:
        delimiter = "\t" if ".tsv" in path.suffixes else ","
        rows = cells_of(handle, path.name, delimiter=delimiter)
        header = [cell.strip() for cell in next(rows, (1, []))[1]]
        twice = [column for column, n in Counter(header).items() if n > 1 and column]
        if twice:
            raise InputError(f"{path.name}, line 1: two columns {twice[0]!r}", "rename one")
        for line, cells in rows:
            where = f"{path.name}, line {line}"
            if len(cells) != len(header):
                raise InputError(
                    f"{where}: {len(cells)} cells under {len(header)} columns",
                    "quote cells that hold the separator",
                )
            yield where, dict(zip(header, cells, strict=True))


def _listed(
    labels: list[str], concepts: dict[str, str], names: Names, found: Labelled,
    dropped: Counter[str],
) -> None:  # fmt: skip
    """Count listed labels; one that is no column is looked up among the names of the concepts.

    Published tables rarely spell a label as its label set does.
    """
    labelled = set(concepts.values())
    for label in labels:
        if label not in concepts:
            named = names.find(label)
            concepts[label] = named if named in labelled else ""
        if not concepts[label]:
            dropped[f"label without a concept: {label}"] += 1
    present = {concepts[label] for label in labels} - {""}
    found.present |= present
    found.absent |= labelled - present - {""}


def listed_labels(cell: str, separator: str, where: str) -> list[str]:
    """The labels in a cell.

    Raises:
        InputError: If the cell should hold a list and does not.
    """
    if separator != "list":
        return [label.strip() for label in cell.split(separator) if label.strip()]
    return [str(label).strip() for label in written_list(cell, where) if str(label).strip()]


def written_list(cell: str, where: str) -> list[Any]:
    """The list in a cell, as Python writes it; `nan` stands for no value.

    Raises:
        InputError: If it holds none.
    """
    if cell.strip() in ("", "nan"):
        return []
    try:
        value = ast.literal_eval(_NAN.sub("None", cell.strip()))
        return [item for item in value if item is not None]
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise InputError(f"{where}: {cell[:60]!r} is no list", "write ['a', 'b']") from None


def _stated(
    row: Mapping[str, str], where: str, options: TableOptions, concepts: Mapping[str, str],
    found: Labelled,
) -> None:  # fmt: skip
    for label, concept in concepts.items():
        if label not in row:
            raise InputError(f"{where}: no column {label!r}", did_you_mean(label, row))
        value = row[label].strip().casefold()
        if value in _UNCERTAIN:
            value = {"ignore": "", "present": "1", "absent": "0"}[options.uncertain]
        if value in _PRESENT:
            found.present.add(concept)
        elif value in _ABSENT:
            found.absent.add(concept)
        elif value not in _BLANK:
            raise InputError(
                f"{where}: {label} is {row[label]!r}", "labels are 1, 0, -1 (uncertain) or empty"
            )
