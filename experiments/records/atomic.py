"""Atomic writing of text and JSON, and removal of what a killed process left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kg.files.atomic import LEFTOVER, atomic_path, remove

__all__ = ["atomic_path", "remove_leftovers", "write_json", "write_text"]


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write UTF-8 text, whole or in parts, to `path` atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as lines:
        lines.writelines([text] if isinstance(text, str) else text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` to `path` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def remove_leftovers(folder: Path) -> list[str]:
    """Remove temporary files that a killed process left in `folder`; returns their names."""
    left = sorted(folder.glob(f"**/{LEFTOVER}*"))
    for path in left:
        remove(path)
    return [path.name for path in left]
