"""Texts to label: a text file, a folder of them, or a csv with one row per report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from encoders.reading.dialogue import read_dialogue_with_flags
from encoders.reading.plain import clean_text, language_of, text_file
from encoders.reading.report import read_report_with_flags
from encoders.study import SECTIONS, Passage
from experiments.datasets._tables import each_once, read_header, stream_table
from experiments.privacy.free_text import TextChoice, kept_passages
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import InputError, did_you_mean
from kg.mentions.sections import labelled_passages

__all__ = ["Columns", "LabelText", "RawText", "Reading", "raw_texts", "read_text", "whole"]

Kind = Literal["report", "dialogue"]

ID_COLUMNS = ("id", "study", "study_id", "report_id", "uid", "dicom_id", "filename", "accession")
TEXT_COLUMNS = ("report", "text", "report_text", "reports", "dialogue", "note")

NO_TEXT = frozenset(
    {
        *(".tsv", ".xlsx", ".xls", ".ods", ".parquet", ".json", ".jsonl", ".xml", ".html", ".htm"),
        *(".pdf", ".doc", ".docx", ".rtf", ".zip", ".tgz", ".dcm", ".png", ".jpg", ".jpeg"),
    }
)
"""File endings of other formats than plain text."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a csv to read; empty = recognised by their names.

    Args:
        id: Column of the ids.
        text: Single text column, instead of sections.
    """

    id: str = ""
    text: str = ""


class RawText(NamedTuple):
    """A report or dialogue before its sections or turns are read.

    Args:
        id: Id from the csv, or the file's path in the folder without its ending.
        cells: Its text under the name "", or the text of each section by its column.
    """

    id: str
    cells: tuple[tuple[str, bytes | str], ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """How texts are read.

    Args:
        kind: As reports or as dialogues.
        sections: Sections that labels are read from, as `labelled_passages` has them.
        free_text: Text that may be written: with `deidentified`, statements are read from text
            without names; with `none`, rows of statements do not quote it.
    """

    kind: Kind = "report"
    sections: str = "all"
    free_text: TextChoice = "all"


@dataclass(frozen=True, slots=True)
class LabelText:
    """A report or dialogue.

    Args:
        id: Id of the text, under a key its pseudonym.
        passages: Sections or turns that count; empty for an empty text.
        flags: Flags of the reading (`cut_at_limit`, `no_headers`, ...), sorted.
    """

    id: str
    passages: tuple[Passage, ...]
    flags: tuple[str, ...]


def raw_texts(path: Path, columns: Columns = Columns()) -> Iterator[RawText]:
    """The texts of a file, folder or csv, in order, one at a time.

    Raises:
        InputError: If there are none, a csv lacks the columns, or an id is empty or repeated.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.txt"))
        if not files:
            raise InputError(f"{path}: no text file in it", "name a folder of .txt files, or a csv")
        for file in files:
            yield whole(file.relative_to(path).with_suffix("").as_posix(), text_file(file))
    elif not path.exists():
        raise InputError(f"{path}: not found", "name a text file, a folder of them, or a csv")
    elif path.suffix.lower() in (".csv", ".gz"):
        yield from _rows(path, columns)
    elif path.suffix.lower() in NO_TEXT:
        raise InputError(f"{path}: not plain text", "save it as .txt, or a table as .csv")
    else:
        yield whole(path.stem, text_file(path))


def whole(name: str, text: bytes | str) -> RawText:
    """A text in one cell."""
    return RawText(name, (("", text),))


def read_text(raw: RawText, reading: Reading = Reading()) -> LabelText:
    """Read a text's sections or turns, and keep those that labels are read from."""
    if raw.cells[0][0]:
        passages, flags = _sectioned(raw.cells)
    else:
        read = read_dialogue_with_flags if reading.kind == "dialogue" else read_report_with_flags
        passages, flags = read(raw.cells[0][1])
    if reading.free_text == "deidentified":
        passages = kept_passages(passages, reading.free_text)
    passages = labelled_passages(passages, reading.sections)
    return LabelText(pseudonym("study", raw.id), passages, flags)


def _rows(path: Path, columns: Columns) -> Iterator[RawText]:
    header = read_header(path)
    key = _column(path, header, columns.id, ID_COLUMNS, "--id")
    sections = [name for name in header if name.lower() in SECTIONS and name != key]
    one = columns.text
    if one or not sections:
        one = _column(path, header, one, TEXT_COLUMNS, "--text")
    for row in each_once(stream_table(path, (key, *([one] if one else sections))), key):
        if one:
            yield whole(row[key], row[one])
        else:
            yield RawText(row[key], tuple((name.lower(), row[name]) for name in sections))


def _sectioned(
    cells: Iterable[tuple[str, bytes | str]],
) -> tuple[tuple[Passage, ...], tuple[str, ...]]:
    """Passages and flags of a report with one cell per section, in the order of the columns."""
    passages: list[Passage] = []
    flags: set[str] = set()
    for section, written in cells:
        clean = clean_text(written)
        if clean.text:
            passages.append(Passage(section, clean.text, language_of(clean.text)))
            flags |= set(clean.flags)
    return tuple(passages), tuple(sorted(flags if passages else {"empty"}))


def _column(
    path: Path, header: Sequence[str], requested: str, usual: Iterable[str], option: str
) -> str:
    """The requested column, or one with a usual name.

    Raises:
        InputError: If there is none.
    """
    if requested:
        if requested not in header:
            raise InputError(f"{path}: no column {requested!r}", did_you_mean(requested, header))
        return requested
    by_name = {name.lower(): name for name in header}
    for name in usual:
        if name in by_name:
            return by_name[name]
    raise InputError(
        f"{path}: no column is called {', '.join(usual)}",
        f"name one with {option}; columns are: {', '.join(header)}",
    )
