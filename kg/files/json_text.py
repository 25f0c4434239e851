"""JSON of files and texts from outside: nested without end, it is wrong like any other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from kg.files.regular import bytes_of

__all__ = ["json_in", "json_of"]

_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
"""What may be one half of a character without the other."""


def json_of(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: If it is not JSON, is not UTF-8, holds half a character, or is nested
            too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text))
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if _HALF.search(text) and not _is_whole(value):
        raise ValueError("a text in it holds half a character")
    return value


def _is_whole(value: Any) -> bool:
    """Whether every text can be written as UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def json_in(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        OSError: If it is missing, is no regular file, or cannot be read.
        ValueError: As `json_of`.
    """
    return json_of(bytes_of(path))
