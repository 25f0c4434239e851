"""Reports of faults as a table, as JSON, or as one self-contained page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields
from html import escape
from pathlib import Path

from kg.check.faults import SEVERITIES, Fault
from kg.errors import InputError, did_you_mean
from kg.files.atomic import write_whole

ENDINGS = (".tsv", ".json", ".html")

_COLUMNS = tuple(field.name for field in fields(Fault))
_STYLE = (
    "body{font:14px/1.4 system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left;vertical-align:top}"
    ".error{background:#fdd}.warning{background:#ffd}"
)


def check_report_ending(path: Path) -> str:
    """The ending of a report.

    Raises:
        InputError: If reports are not written in that format.
    """
    if path.suffix not in ENDINGS:
        hint = did_you_mean(path.suffix, ENDINGS)
        raise InputError(f"{path}: a report is not written as {path.suffix or 'that'}", hint)
    return path.suffix


def write_report(path: Path, about: str, faults: Sequence[Fault]) -> None:
    """Write a report; the ending chooses the form.

    Args:
        path: `.tsv`, `.json` or `.html`.
        about: Name of the validated graph or file.
        faults: Its faults.

    Raises:
        InputError: On another ending, or if the folder cannot be written to.
    """
    forms = {".tsv": _tsv, ".json": _json, ".html": _html}
    write_whole(path, forms[check_report_ending(path)](about, faults).encode())


def counted(faults: Sequence[Fault]) -> dict[str, int]:
    """Number of faults of each severity, worst first."""
    found = Counter(fault.severity for fault in faults)
    return {severity: found[severity] for severity in SEVERITIES}


def _tsv(about: str, faults: Sequence[Fault]) -> str:
    rows = [_COLUMNS, *(astuple(fault) for fault in faults)]
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


def _json(about: str, faults: Sequence[Fault]) -> str:
    content = {
        "graph": about,
        "counts": counted(faults),
        "faults": [asdict(fault) for fault in faults],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _html(about: str, faults: Sequence[Fault]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in _COLUMNS)
    rows = "".join(
        f'<tr class="{escape(fault.severity)}">'
        + "".join(f"<td>{escape(cell)}</td>" for cell in astuple(fault))
        + "</tr>\n"
        for fault in faults
    )
    said = ", ".join(f"{count} {severity}" for severity, count in counted(faults).items())
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(about)}'
        f"</title><style>{_STYLE}</style></head><body><h1>{escape(about)}</h1>"
        f"<p>{escape(said)}</p>\n<table><tr>{head}</tr>\n{rows}</table></body></html>\n"
    )
