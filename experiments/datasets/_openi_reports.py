"""Open-i reports in each published format: tables, XML files, or an archive of these."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from encoders.study import Passage
from experiments.datasets._tables import Row, read_table, unique
from experiments.datasets._torchxrayvision import table_of
from kg.errors import InputError

SECTIONS = ("indication", "comparison", "findings", "impression")
ARCHIVE = "NLMCXR_reports.tgz"
LARGEST = 1_000_000
"""Largest size of a report in the archive, in bytes; published ones have some thousands."""
_MEMBER = re.compile(r"(?:\./)?ecgen-radiology/(\d+)\.xml")


@dataclass(frozen=True, slots=True)
class Report:
    """One report as published: number, sections, MeSH paths, names of its images."""

    uid: str
    file: str
    row: int
    passages: tuple[Passage, ...]
    headings: tuple[str, ...]
    pictures: tuple[str, ...] = ()


def read_reports(root: Path) -> dict[str, Report]:
    """Reports by number, from the first format found, else from torchxrayvision's archive."""
    if (root / "openi_reports.csv").is_file():
        columns = ("uid", *SECTIONS, "mesh_major", "images")
        rows = unique(read_table(root / "openi_reports.csv", columns), "uid").values()
        found = [_from_row(row, "mesh_major", _names(row["images"])) for row in rows]
    elif (root / "indiana_reports.csv").is_file():
        rows = unique(
            read_table(root / "indiana_reports.csv", ("uid", *SECTIONS, "MeSH")), "uid"
        ).values()
        found = [_from_row(row, "MeSH", ()) for row in rows]
    elif (root / "ecgen-radiology").is_dir():
        found = [
            _from_xml(path.stem, path.relative_to(root).as_posix(), path.read_bytes())
            for path in sorted((root / "ecgen-radiology").glob("*.xml"))
        ]
    else:
        found = list(_from_archive(table_of(root, ARCHIVE, ARCHIVE)))
    return {report.uid: report for report in sorted(found, key=lambda report: int(report.uid))}


def _from_archive(path: Path) -> Iterator[Report]:
    """Reports of the archive, read in place; nothing is unpacked."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                match = _MEMBER.fullmatch(member.name)
                if match is None or not member.isfile() or member.size > LARGEST:
                    continue
                content = archive.extractfile(member)
                if content is not None:
                    yield _from_xml(match[1], f"{path.name}:{member.name}", content.read())
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"{path}: not readable: {error}", "get the archive again") from None


def _from_row(row: Row, headings: str, pictures: tuple[str, ...]) -> Report:
    uid = row["uid"].removeprefix("CXR")
    if not uid.isdigit():
        raise InputError(f"{row.file}: row {row.number}: uid {row['uid']!r}", "write a number")
    passages = tuple(Passage(name, row[name]) for name in SECTIONS if row[name])
    return Report(uid, row.file.name, row.number, passages, _names(row[headings]), pictures)


def _from_xml(uid: str, file: str, content: bytes) -> Report:
    try:
        tree = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise InputError(f"{file}: not readable XML: {error}", "unpack the reports again") from None
    texts = {
        (node.get("Label") or "").lower(): " ".join("".join(node.itertext()).split())
        for node in tree.iter("AbstractText")
    }
    return Report(
        uid=uid,
        file=file,
        row=0,
        passages=tuple(Passage(name, texts[name]) for name in SECTIONS if texts.get(name)),
        headings=tuple((node.text or "").strip() for node in tree.iterfind("MeSH/major")),
        pictures=tuple(node.get("id") or "" for node in tree.iter("parentImage")),
    )


def _names(cell: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in cell.split(";") if name.strip())
