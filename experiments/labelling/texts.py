"""Texts to label: a text file, a folder of them, or a csv with one row per report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from encoders.reading.dialogue import read_dialogue_with_flags
from encoders.reading.plain import clean_text, language_of, text_file
from encoders.reading.report import read_report_with_flags
from encoders.study import SECTIONS, Passage
from experiments.datasets._tables import Row, read_header, read_table, unique
from experiments.privacy.pseudonyms import pseudonym
from kg.errors import InputError, did_you_mean
from kg.mentions.sections import labelled_passages

__all__ = ["Columns", "LabelText", "counted", "read_text", "read_texts"]

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


@dataclass(frozen=True, slots=True)
class LabelText:
    """A report or dialogue.

    Args:
        id: Id from the csv, or the file's path in the folder without its ending.
        passages: Sections or turns; empty for an empty text.
        flags: Flags of the reading (`cut_at_limit`, `no_headers`, ...), sorted.
    """

    id: str
    passages: tuple[Passage, ...]
    flags: tuple[str, ...]


def read_texts(path: Path, kind: Kind = "report", columns: Columns = Columns()) -> list[LabelText]:
    """Read the texts of a file, folder or csv, in order; under a key their ids are pseudonyms.

    Raises:
        InputError: If there are none, a csv lacks the columns, or an id is empty or repeated.
    """
    texts = _texts(path, kind, columns)
    return [replace(text, id=pseudonym("study", text.id)) for text in texts]


def _texts(path: Path, kind: Kind, columns: Columns) -> list[LabelText]:
    if path.is_dir():
        files = sorted(path.rglob("*.txt"))
        if not files:
            raise InputError(f"{path}: no text file in it", "name a folder of .txt files, or a csv")
        names = [file.relative_to(path).with_suffix("").as_posix() for file in files]
        return [
            read_text(name, text_file(file), kind) for name, file in zip(names, files, strict=True)
        ]
    if not path.exists():
        raise InputError(f"{path}: not found", "name a text file, a folder of them, or a csv")
    if path.suffix.lower() in (".csv", ".gz"):
        return list(_rows(path, kind, columns))
    if path.suffix.lower() in NO_TEXT:
        raise InputError(f"{path}: not plain text", "save it as .txt, or a table as .csv")
    return [read_text(path.stem, text_file(path), kind)]


def counted(texts: Iterable[LabelText], sections: str) -> list[LabelText]:
    """Texts reduced to the passages that labels are read from."""
    return [replace(text, passages=labelled_passages(text.passages, sections)) for text in texts]


def read_text(name: str, raw: bytes | str, kind: Kind = "report") -> LabelText:
    """Read one text with its sections or turns."""
    read = read_dialogue_with_flags if kind == "dialogue" else read_report_with_flags
    text = read(raw)
    return LabelText(name, text.passages, text.flags)


def _rows(path: Path, kind: Kind, columns: Columns) -> Iterator[LabelText]:
    header = read_header(path)
    key = _column(path, header, columns.id, ID_COLUMNS, "--id")
    sections = [name for name in header if name.lower() in SECTIONS and name != key]
    one = columns.text
    if one or not sections:
        one = _column(path, header, one, TEXT_COLUMNS, "--text")
    rows = unique(read_table(path, (key, *([one] if one else sections))), key)
    for name, row in rows.items():
        yield read_text(name, row[one], kind) if one else _sectioned(name, row, sections)


def _sectioned(name: str, row: Row, sections: Sequence[str]) -> LabelText:
    """Report with one column per section, in the order of the columns."""
    passages: list[Passage] = []
    flags: set[str] = set()
    for column in sections:
        clean = clean_text(row[column])
        if clean.text:
            passages.append(Passage(column.lower(), clean.text, language_of(clean.text)))
            flags |= set(clean.flags)
    return LabelText(name, tuple(passages), tuple(sorted(flags if passages else {"empty"})))


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
