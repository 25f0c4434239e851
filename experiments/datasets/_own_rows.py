"""Rows of a user's table as studies: finding columns, images, texts and metadata."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from encoders.contents import members
from encoders.reading.dialogue import read_dialogue
from encoders.reading.plain import language_of, text_file
from encoders.reading.report import read_report
from encoders.study import MODALITIES, VIEWS, Modality, Passage, Stated, Study, StudyImage, View
from experiments.datasets._tables import Row
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import InputError, did_you_mean, together
from kg.files.store import load_shipped

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

__all__ = [
    "COLUMNS",
    "SECTION_COLUMNS",
    "Places",
    "concepts_of",
    "dialogue_of",
    "findings_of",
    "images_of",
    "patient_of",
    "report_of",
    "study_of",
]

IGNORED = "in a configuration: data.options.ignore"
Word = TypeVar("Word", bound=str)


def concepts_of(rows: Sequence[Row]) -> tuple[dict[str, str], dict[str, InputError]]:
    """Concept of each finding column, and the mistake of each column that is none.

    Args:
        rows: Rows of the table, at least one.
    """
    path = rows[0].file
    graph = load_shipped()
    concepts: dict[str, str] = {}
    mistakes: dict[str, InputError] = {}
    for column in (name for name in rows[0].cells if name not in COLUMNS):
        try:
            concept = graph.resolve(column).id
        except InputError as error:
            close = f"{error.hint} Or " if error.hint.startswith("did you mean") else ""
            hint = f"{close}leave it out with --ignore {shlex.quote(column)} ({IGNORED})"
            mistakes[column] = InputError(f"{path}: column {column!r}: {error.message}", hint)
            continue
        if concept in concepts.values():
            mistakes[column] = InputError(
                f"{path}: two columns are {concept}: {column!r}", "keep one, --ignore the other"
            )
            continue
        concepts[column] = concept
    return concepts, mistakes


def findings_of(rows: Sequence[Row]) -> dict[str, str]:
    """Concept of each finding column.

    Raises:
        InputError: With every column that names no concept, or the same as another.
    """
    concepts, mistakes = concepts_of(rows)
    if mistakes:
        raise together(list(mistakes.values()))
    return concepts


def patient_of(row: Row) -> str:
    """The patient named by the table, else the study."""
    return row.get("patient") or row["study"]


def study_of(places: Places, row: Row, concepts: Mapping[str, str]) -> Study:
    """The study of a row.

    Raises:
        InputError: If a cell is wrong, or a file it names is not there.
    """
    stated: dict[str, Stated] = {}
    for column, concept in concepts.items():
        value = row.label(column)
        if value is not None:
            stated[concept] = value
    images = images_of(places, row)
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
        patient=pseudonym("patient", patient_of(row)),
        images=images,
        report=tuple(report_of(places, row)),
        dialogue=tuple(dialogue_of(places, row)),
        stated=stated,
        dataset="table",
        metadata=metadata,
    )


def images_of(places: Places, row: Row) -> tuple[StudyImage, ...]:
    """Images of a row, their files located and not read."""
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
class Places:
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


def report_of(places: Places, row: Row) -> Iterator[Passage]:
    """Passages of the report of a row."""
    if row.get("report"):
        yield from read_report(_text(places, row, "report"))
    for name in SECTION_COLUMNS:
        if row.get(name):
            yield Passage(name, row[name], language_of(row[name]))


def dialogue_of(places: Places, row: Row) -> Iterator[Passage]:
    """Turns of the dialogue of a row."""
    if row.get("dialogue"):
        yield from read_dialogue(_text(places, row, "dialogue"))


def _text(places: Places, row: Row, column: str) -> bytes | str:
    """The text of a cell, or the bytes of the file it names."""
    cell = row[column]
    if not cell.lower().endswith(".txt") or "\n" in cell or " " in cell.strip():
        return cell
    return text_file(places.root / places.at(cell, _cell(row, column)))


def _values(cell: str) -> list[str]:
    return [value.strip() for value in cell.split(";") if value.strip()]
