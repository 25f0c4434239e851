"""Ledger of the locked test set: each use is logged before a score is computed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.records.surroundings import now
from kg.errors import InputError
from kg.files.json_text import json_of

__all__ = ["LEDGER", "note_use", "read_ledger"]

LEDGER = "locked_ledger.jsonl"
FIELDS = ("run", "config_hash", "dataset", "labels", "manifest", "why")


def note_use(runs: Path, use: Mapping[str, str]) -> dict[str, str]:
    """Log one use of a locked test set in the ledger of a folder of runs.

    Args:
        runs: The folder of runs.
        use: `run`, `config_hash`, `dataset`, `labels`, `manifest` and `why`.

    Returns:
        The line, with its date.

    Raises:
        InputError: If there is no reason, or no write access; then nothing may be scored.
    """
    if not use["why"].strip():
        raise InputError("a locked test set is not used without a reason", "give one: --why TEXT")
    line = {"date": now(), **{field: use[field] for field in FIELDS}}
    path = runs / LEDGER
    try:
        with path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            lines.flush()
            os.fsync(lines.fileno())
    except OSError as error:
        hint = "mend its rights: a use that cannot be logged is not allowed"
        raise InputError(f"{path} cannot be written: {error.strerror}", hint) from None
    return line


def read_ledger(runs: Path) -> list[dict[str, Any]]:
    """All uses of locked test sets in order; none without a ledger."""
    path = runs / LEDGER
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(json_of(line)) for line in lines if line.strip()]
