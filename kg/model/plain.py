"""Records as plain dictionaries, and the check that their fields hold what they are declared to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def as_plain(record: Any) -> dict[str, Any]:
    """The record as `dataclasses.asdict` gives it; its tuples may hold texts or records.

    Without the copies that make `asdict` slow.
    """
    return {name: _value(getattr(record, name)) for name in record.__dataclass_fields__}


def check_kinds(record: Any) -> None:
    """Refuse a record with a value that its field is not declared to hold, or that is no number.

    Raises:
        ValueError: Naming the field.
    """
    for name, fits, needed in _declared(record.__class__):
        value = getattr(record, name)
        if not fits(value):
            raise ValueError(f"{name} is {str(value)[:60]!r}, not {needed}")
        if value and needed == _RECORDS:
            for item in value:
                check_kinds(item)


def _value(value: Any) -> Any:
    if isinstance(value, tuple) and value and is_dataclass(value[0]):
        return tuple(as_plain(item) for item in value)
    return value


@cache
def _declared(kind: type) -> tuple[tuple[str, Callable[[Any], bool], str], ...]:
    """Name of each field, whether a value fits it, and what it needs in words."""
    return tuple((field.name, *_KINDS.get(str(field.type), _OTHER)) for field in fields(kind))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_STATUSES = ("asserted", "derived", "mined")
_RECORDS = "a list of records"
_OTHER = (lambda value: isinstance(value, tuple) and all(map(is_dataclass, value)), _RECORDS)
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_is_text, "a text"),
    "str | None": (lambda value: value is None or _is_text(value), "a text"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "float | None": (lambda value: value is None or _is_number(value), "a number"),
    "int | None": (lambda value: value is None or type(value) is int, "a whole number"),
    "tuple[str, ...]": (
        lambda value: isinstance(value, tuple) and all(map(_is_text, value)),
        "a list of texts",
    ),
    "Status": (lambda value: value in _STATUSES, "asserted, derived or mined"),
}
"""Whether a value fits a field, by the field's declaration, and what it needs in words."""
