r"""Your own studies: one csv, a folder of images, reports as text or files.

Columns of the csv (comma-separated, UTF-8), one row for each study, in any order:

    study       an id, unique                                        required
    patient     group key; all studies of one patient share it       default: the study
    image       image path under the csv's folder, with / or \; several with ;
    report      the report's text, or the path of a .txt file
    dialogue    the dialogue's text, or the path of a .txt file
    indication, comparison, findings, impression, note, comment      sections, instead of report
    modality    cxr, ct or ultrasound; one, or one an image with ;  default: cxr
    view        frontal (PA, AP), lateral (LL), axial, convex, linear, unknown; default: unknown
    sex, age    metadata, for subgroups and probes
    source      hospital or collection the study is from, which can be left out and tested

Every other column is a finding, named as a concept of the graph (id, label or synonym), with the
values 1 present, 0 absent, -1 uncertain, empty not stated.

Files outside the csv's folder (absolute paths, `..`, links) are refused unless the option `outside`
allows them (`--outside`).

Where the environment has `KGDX_PSEUDONYM_KEY`, studies, patients and sources are named by a keyed
hash of their ids in everything that is written, and so is a sex or age that is not written as one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, TypeVar, get_args

import numpy as np

import kg.options
from encoders.contents import members
from encoders.reading.dialogue import read_dialogue
from encoders.reading.plain import language_of, text_file
from encoders.reading.report import read_report
from encoders.study import MODALITIES, VIEWS, Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets import LabelChoice, NeededFile
from experiments.datasets._layout import Layout, Reading
from experiments.datasets._patients import warnings_on
from experiments.datasets._pictures import draw
from experiments.datasets._tables import Row, read_header, read_table, unique
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import InputError, did_you_mean
from kg.files.store import load_shipped
from kg.model.graph import LabelSet

__all__ = ["Table"]

SECTION_COLUMNS = ("indication", "comparison", "findings", "impression", "note", "comment")
METADATA_COLUMNS = {
    "sex": re.compile(r"f|m|o|u|w|x|(fe)?male|other|unknown", re.IGNORECASE),
    "age": re.compile(r"\d{1,3}(\.\d+)?\s*(y|m|w|d)?\+?", re.IGNORECASE),
}
"""Columns of metadata, and how their values are written; others could name somebody."""
COLUMNS = (
    "study",
    "patient",
    "image",
    "report",
    "dialogue",
    "modality",
    "view",
    *SECTION_COLUMNS,
    *METADATA_COLUMNS,
    "source",
)
KNOWN_MODALITIES: dict[str, Modality] = {one: one for one in MODALITIES}
KNOWN_VIEWS: dict[str, View] = {
    **{one: one for one in VIEWS},
    **dict.fromkeys(("pa", "ap", "ap supine", "ap erect", "ap semi erect"), "frontal"),
    **dict.fromkeys(("ap lld", "ap rld", "pa lld", "pa rld", "ap axial"), "frontal"),
    **dict.fromkeys(("l", "ll", "rl", "lat", "left lateral", "right lateral"), "lateral"),
    "xtable lateral": "lateral",
}
"""Views by the words of this project, and by the projections that DICOM headers state."""

Word = TypeVar("Word", bound=str)


class Table(Layout):
    """A user's csv, with the columns above."""

    class Options(kg.options.Options):
        """Options of a user's table.

        Args:
            file: The csv under the root; empty = the only one that holds studies.
            label_source: Origin of the labels, which decides the leakage of a text policy.
            outside: Whether files may lie outside the root, behind links as well.
        """

        file: str = ""
        outside: bool = False
        label_source: tuple[str, ...] = ("findings", "impression")

    licence = "your own"
    citation = "your own"
    homepage = ""
    modalities: ClassVar[tuple[Modality, ...]] = get_args(Modality)
    label_choices = (LabelChoice("own", ("findings", "impression"), "ignore"),)
    files = (
        NeededFile(
            "*.csv",
            "one row for each study",
            "you; experiments/datasets/table.py says which columns",
        ),
    )

    def __init__(self, options: kg.options.Options | None = None) -> None:
        super().__init__(options)
        source = getattr(self.options, "label_source", ())
        self.label_choices = (LabelChoice("own", tuple(source), "ignore"),)

    def read(self, root: Path, *, labels: str) -> Reading:
        """The studies of the csv; a malformed row is an error, never left out."""
        self.choice(labels)
        path = self._file(root)
        rows = unique(read_table(path, ("study",)), "study")
        concepts, places = _findings(path, rows), self._places(root)
        return Reading(
            tuple(_study(places, row, concepts) for row in rows.values()),
            warnings=warnings_on(map(_patient, rows.values())),
        )

    def label_set(self, root: Path, labels: str) -> LabelSet:
        """The csv's finding columns as a label set."""
        self.choice(labels)
        path = self._file(root)
        concepts = _findings(path, unique(read_table(path, ("study",)), "study"))
        normal = "ckg:no_finding"
        return LabelSet(
            name=labels,
            concept="",
            findings=tuple(concepts.values()),
            columns=tuple(concepts),
            no_finding=normal if normal in concepts.values() else None,
        )

    def tiny(self, folder: Path) -> None:
        """Write 16 made-up studies of 12 patients, some with a report in its own file."""
        rng = np.random.default_rng(3)
        (folder / "reports").mkdir(parents=True, exist_ok=True)
        with (folder / "studies.csv").open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines)
            writer.writerow(
                ("study", "patient", "image", "report", "modality", "view", "sex")
                + ("Cardiomegaly", "Pleural Effusion")
            )
            for number in range(16):
                image, ill = f"pictures/{number}.png", number % 3 == 0
                draw(folder / image, rng, bright=ill)
                report = f"Findings: {'Enlarged heart.' if ill else 'Clear lungs.'}"
                if number % 2:
                    (folder / "reports" / f"{number}.txt").write_text(report, encoding="utf-8")
                    report = f"reports/{number}.txt"
                state = ("-1", "", "1", "0")[number % 4]
                writer.writerow(
                    (f"s{number}", f"p{number % 12}", image, report, "cxr", "frontal", "F")
                    + (int(ill), state)
                )

    def _places(self, root: Path) -> _Places:
        return _Places(root, getattr(self.options, "outside", False))

    def _file(self, root: Path) -> Path:
        """The csv under the root.

        Raises:
            InputError: If there is none, or more than one and none is named.
        """
        named = getattr(self.options, "file", "")
        if named:
            return root / self._places(root).at(named, f"{root}: the option `file`")
        if root.is_file():
            raise InputError(f"{root}: is a file", "name the folder it is in")
        found = sorted(root.glob("*.csv"))
        if len(found) > 1:
            found = [path for path in found if _holds_studies(path)]
        if len(found) != 1:
            listed = ", ".join(path.name for path in found) or "none"
            raise InputError(
                f"{root}: there must be one csv of studies, found: {listed}",
                "keep one, or name it with `--set data.options.file=NAME`",
            )
        return found[0]


def _holds_studies(path: Path) -> bool:
    """True if a csv holds studies with images or text, unlike a table of predictions."""
    header = set(read_header(path))
    return "study" in header and bool(header & {"image", "report", "dialogue", *SECTION_COLUMNS})


def _findings(path: Path, rows: dict[str, Row]) -> dict[str, str]:
    """Concept of each finding column.

    Raises:
        InputError: If there are no rows, a column names no concept, or two name the same.
    """
    if not rows:
        raise InputError(f"{path}: has no rows", "write one row for each study")
    columns = [name for name in next(iter(rows.values())).cells if name not in COLUMNS]
    graph = load_shipped()
    concepts: dict[str, str] = {}
    for column in columns:
        try:
            concept = graph.resolve(column).id
        except InputError as error:
            hint = f"{error.hint}; other columns are: {', '.join(COLUMNS)}"
            raise InputError(f"{path}: column {column!r}: {error.message}", hint) from None
        if concept in concepts.values():
            raise InputError(f"{path}: two columns are {concept}: {column!r}", "keep one")
        concepts[column] = concept
    return concepts


def _patient(row: Row) -> str:
    """The patient named by the csv, else the study."""
    return row.get("patient") or row["study"]


def _study(places: _Places, row: Row, concepts: dict[str, str]) -> Study:
    stated: dict[str, Stated] = {}
    for column, concept in concepts.items():
        value = row.label(column)
        if value is not None:
            stated[concept] = value
    images = _images(places, row)
    metadata = {
        name: cell if known.fullmatch(cell) else pseudonym(name, cell)
        for name, known in METADATA_COLUMNS.items()
        if (cell := row.get(name))
    }
    if row.get("source"):
        metadata["document"] = pseudonym("source", row["source"])
    if images:
        metadata["modality"] = "+".join(sorted({image.modality for image in images}))
        metadata["view"] = "+".join(sorted({image.view for image in images}))
    return Study(
        study=pseudonym("study", row["study"]),
        patient=pseudonym("patient", _patient(row)),
        images=images,
        report=tuple(_report(places, row)),
        dialogue=read_dialogue(_text(places, row, "dialogue")) if row.get("dialogue") else (),
        stated=stated,
        dataset="table",
        metadata=metadata,
    )


def _images(places: _Places, row: Row) -> tuple[StudyImage, ...]:
    paths = [places.at(path, _cell(row, "image")) for path in _values(row.get("image"))]
    modalities = _each(row, "modality", "cxr", KNOWN_MODALITIES, len(paths))
    views = _each(row, "view", "unknown", KNOWN_VIEWS, len(paths))
    return tuple(
        StudyImage(path, modality, view)
        for path, modality, view in zip(paths, modalities, views, strict=True)
    )


def _cell(row: Row, column: str) -> str:
    return f"{row.file}: row {row.number}, column {column!r}"


@dataclass(frozen=True)
class _Places:
    """Files that a table names.

    Args:
        root: Folder their paths start at.
        outside: Whether they may lie outside it.
    """

    root: Path
    outside: bool

    def at(self, path: str, where: str) -> str:
        r"""A path from the root; where no file is called so, `\` in it is read as `/`.

        Args:
            path: The path as written.
            where: Where it is written, for errors.

        Raises:
            InputError: If there is no such file, or it is outside the root and may not be.
        """
        found = path if (self.root / path).exists() else path.replace("\\", "/")
        there = self.root / found
        if not there.exists():
            raise InputError(
                f"{where}: no file {path!r}",
                f"paths start at {self.root}; write a text itself where there is no file",
            )
        files = (there, *members(there))  # a folder is a series of slices
        inside = self._real_root
        if not (self.outside or all(file.resolve().is_relative_to(inside) for file in files)):
            raise InputError(
                f"{where}: {path!r} is outside {self.root}",
                "copy its files into that folder, or allow others with --outside "
                "(data.options.outside=true)",
            )
        return found

    @cached_property
    def _real_root(self) -> Path:
        return self.root.resolve()


def _each(
    row: Row, column: str, default: Word, known: Mapping[str, Word], count: int
) -> list[Word]:
    """Values of a cell, one for each image or one for all."""
    words: list[str] = _values(row.get(column)) or [default]
    if len(words) not in (1, count) and count:
        raise InputError(
            f"{row.file}: row {row.number}: {count} images but {len(words)} in {column!r}",
            "write one for all, or one for each image, separated by ;",
        )
    found = []
    for word in words:
        match = known.get(re.sub(r"[\s_-]+", " ", word.lower()))
        if match is None:
            choices = dict.fromkeys(known.values())
            raise InputError(
                f"{row.file}: row {row.number}: {column} {word!r}", did_you_mean(word, choices)
            )
        found.append(match)
    return found * count if len(found) == 1 else found[:count]


def _report(places: _Places, row: Row) -> Iterator[Passage]:
    if row.get("report"):
        yield from read_report(_text(places, row, "report"))
    for name in SECTION_COLUMNS:
        if row.get(name):
            yield Passage(name, row[name], language_of(row[name]))


def _text(places: _Places, row: Row, column: str) -> bytes | str:
    """The text of a cell, or the bytes of the file it names."""
    cell = row[column]
    if not cell.lower().endswith(".txt") or "\n" in cell or " " in cell.strip():
        return cell
    return text_file(places.root / places.at(cell, _cell(row, column)))


def _values(cell: str) -> list[str]:
    return [value.strip() for value in cell.split(";") if value.strip()]
