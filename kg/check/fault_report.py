"""Reports of faults as a table or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, astuple, fields

from kg.check.faults import SEVERITIES, Fault

__all__ = ["counted", "faults_as_json", "faults_as_tsv"]

_COLUMNS = tuple(field.name for field in fields(Fault))


def counted(faults: Sequence[Fault]) -> dict[str, int]:
    """Number of faults of each severity, worst first."""
    found = Counter(fault.severity for fault in faults)
    return {severity: found[severity] for severity in SEVERITIES}


def faults_as_tsv(about: str, faults: Sequence[Fault]) -> str:
    """One line per fault below the names of the columns."""
    rows = [_COLUMNS, *(astuple(fault) for fault in faults)]
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


def faults_as_json(about: str, faults: Sequence[Fault]) -> str:
    """Name of the validated graph, number of faults of each severity, and the faults."""
    content = {
        "graph": about,
        "counts": counted(faults),
        "faults": [asdict(fault) for fault in faults],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
