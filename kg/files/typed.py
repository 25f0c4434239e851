"""Types of the values in records of a graph file, which a hand may have written."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from kg.model.records import Malformed

__all__ = ["malformed"]

Found = tuple[str, object, str]
"""Path of a wrong value below another, the value, and what belongs there."""
Check = Callable[[Any], Found | None]

WORDS: Mapping[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number from 0",
    float: "a number from 0",
    NoneType: "null",
}


def malformed(kind: type, record: Mapping[str, Any], about: str) -> Malformed | None:
    """The first value that is not of its field's type, or None.

    Args:
        kind: Class of the record.
        record: Its fields; those that are missing are not told.
        about: Name of the record.
    """
    found = _check(kind)(record)
    if found is None:
        return None
    path, value, words = found
    return Malformed(about, f"{path[1:]}: {words} belongs here, it is {reprlib.repr(value)}")


@cache
def _check(kind: Any) -> Check:
    """A function that finds the first wrong value in a value of some type."""
    if is_dataclass(kind):
        return _of_record({name: _check(one) for name, one in get_type_hints(kind).items()})
    if get_origin(kind) is tuple:
        return _of_list(_check(get_args(kind)[0]))
    return _of_value(get_args(kind) if isinstance(kind, UnionType) else (kind,))


def _of_record(fields: Mapping[str, Check]) -> Check:
    def check(value: Any) -> Found | None:
        if not isinstance(value, Mapping):
            return "", value, "a record"
        for name, inner in value.items():
            if name in fields and (found := fields[name](inner)) is not None:
                return _below(name, found)
        return None

    return check


def _of_list(item: Check) -> Check:
    def check(value: Any) -> Found | None:
        if not isinstance(value, list | tuple):
            return "", value, "a list"
        for place, inner in enumerate(value):
            if (found := item(inner)) is not None:
                return _below(place, found)
        return None

    return check


def _of_value(choices: tuple[Any, ...]) -> Check:
    words = " or ".join(
        ", ".join(get_args(one)) if get_origin(one) is Literal else WORDS[one] for one in choices
    )

    def check(value: Any) -> Found | None:
        for one in choices:
            if _is(value, one):
                return None
        return "", value, words

    return check


def _below(place: object, found: Found) -> Found:
    return f".{place}{found[0]}", found[1], found[2]


def _is(value: Any, kind: Any) -> bool:
    """Whether a value is of a type; numbers of records are finite and not negative."""
    if kind is str or kind is NoneType or kind is bool:
        return isinstance(value, kind)
    if kind is int or kind is float:
        number = isinstance(value, int if kind is int else int | float)
        return number and not isinstance(value, bool) and 0 <= value < math.inf
    return isinstance(value, str) and value in get_args(kind)
