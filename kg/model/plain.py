"""Records as plain dictionaries, without the copies that make `dataclasses.asdict` slow."""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any


def as_plain(record: Any) -> dict[str, Any]:
    """The record as `dataclasses.asdict` gives it; its tuples may hold texts or records."""
    return {name: _value(getattr(record, name)) for name in record.__dataclass_fields__}


def _value(value: Any) -> Any:
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(as_plain(item) for item in value)
    return value
