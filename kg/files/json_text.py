"""JSON of files and texts from outside: nested without end, it is wrong like any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kg.files.regular import bytes_of

__all__ = ["json_in", "json_of"]


def json_of(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: If it is not JSON, is not UTF-8, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_in(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        OSError: If it is missing, is no regular file, or cannot be read.
        ValueError: As `json_of`.
    """
    return json_of(bytes_of(path))
