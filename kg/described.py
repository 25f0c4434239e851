"""Described options: the type, default and meaning of each field of an options class, in words.

The meaning is that of the class's docstring (`Args:`), the type and the bounds those that are
checked. Listings, the schema for editors and drafted configurations all read them here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

__all__ = ["Described", "described", "meanings"]

Schema = Mapping[str, Any]
_ENTRY = re.compile(r"(\w+): (.*)")
_KINDS = {"integer": "whole number", "number": "number", "string": "text", "null": "null"}
_HUGE = 1_000_000
"""Upper bound that only refuses nonsense, and is not worth a word."""


@dataclass(frozen=True)
class Described:
    """One option.

    Args:
        name: Name of the option.
        kind: Type in words, with bounds or allowed values.
        required: Whether it has no default.
        default: Default as a plain value; None where it is required.
        meaning: Meaning, from the docstring of its class.
    """

    name: str
    kind: str
    required: bool
    default: Any
    meaning: str


def described(kind: type[BaseModel]) -> tuple[Described, ...]:
    """Every option of an options class, in the order of declaration."""
    schema, about = kind.model_json_schema(), meanings(kind)
    sections = schema.get("$defs", {})
    required = schema.get("required", ())
    return tuple(
        Described(
            name=name,
            kind=_words(field, sections),
            required=name in required,
            default=field.get("default"),
            meaning=about.get(name, ""),
        )
        for name, field in schema.get("properties", {}).items()
    )


def meanings(kind: type[BaseModel]) -> dict[str, str]:
    """Meaning of each option by name, from the docstrings of the class and its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            found.update(_entries(inspect.cleandoc(base.__dict__.get("__doc__") or "")))
    return found


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    """Names and texts below `Args:`; a text may go over several lines."""
    name, lines = "", list[str]()
    for line in docstring.partition("Args:\n")[2].splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent == 0:
            break
        entry = _ENTRY.fullmatch(line.strip())
        if entry and indent == 4:
            if name:
                yield name, " ".join(lines)
            name, lines = entry[1], [entry[2]]
        else:
            lines.append(line.strip())
    if name:
        yield name, " ".join(lines).strip()


def _words(field: Schema, sections: Mapping[str, Schema]) -> str:
    """Type of a JSON schema in words."""
    if "$ref" in field:
        inner = sections[field["$ref"].rpartition("/")[2]].get("properties", {})
        return "a name with its options" if set(inner) == {"name", "options"} else "keys"
    for key in ("anyOf", "oneOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_words(each, sections) for each in field[key]))
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        return " | ".join(str(value) or "''" for value in field["enum"])
    kind = field.get("type")
    if kind == "boolean":
        return "true | false"
    if kind == "array":
        if "prefixItems" in field:
            return f"[{', '.join(_words(each, sections) for each in field['prefixItems'])}]"
        return f"list of {_words(field.get('items', {}), sections)}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"{_words(values, sections)} by name" if isinstance(values, Mapping) else "keys"
    return _KINDS.get(str(kind), "any value") + _bounds(field)


def _bounds(field: Schema) -> str:
    """Bounds of a number: `, 1 to 256`, `, above 0`."""
    least, most = field.get("minimum"), field.get("maximum")
    above, below = field.get("exclusiveMinimum"), field.get("exclusiveMaximum")
    known = [
        ""
        if least is None
        else f"{least:g} to {most:g}"
        if _small(most)
        else f"at least {least:g}",
        "" if above is None else f"above {above:g}",
        f"at most {most:g}" if least is None and _small(most) else "",
        f"below {below:g}" if _small(below) else "",
    ]
    text = ", ".join(filter(None, known))
    return f", {text}" if text else ""


def _small(bound: float | None) -> bool:
    return bound is not None and bound < _HUGE
