"""YAML files as plain values with the line of each key; no tags, aliases or duplicate keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from kg.errors import InputError

__all__ = ["Document", "Dumper", "KeyPath", "read_document"]

KeyPath = tuple[str, ...]
"""Keys from the top of a document to a value; list items are counted from `0`."""

_LARGEST = 1_000_000
_DEEPEST = 20

# YAML 1.2 scalars: `no`, `010`, `1:30` and dates are strings, and `1e-4` is a number.
_SCALARS: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|", "~n\0"),
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
)


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}


class Dumper(yaml.SafeDumper):
    """Dumper whose output the loader reads as the same values."""

    def ignore_aliases(self, data: object) -> bool:
        """Write repeated values out, since aliases are refused in reading."""
        return True


for _name, _pattern, _first in _SCALARS:
    _tag, _whole = f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$")
    _Loader.add_implicit_resolver(_tag, _whole, [c if c != "\0" else "" for c in _first])
    Dumper.add_implicit_resolver(_tag, _whole, [c if c != "\0" else "" for c in _first])


@dataclass(frozen=True)
class Document:
    """Plain values of one file with their lines.

    Args:
        values: Mappings, lists and scalars.
        lines: Line of each key and list item, counted from 1.
        source: Name of the file, for messages.
    """

    values: dict[str, Any]
    lines: dict[KeyPath, int]
    source: str


def read_document(text: str, source: str) -> Document:
    """Read a YAML text.

    Raises:
        InputError: If it is not YAML, not a mapping, writes a key twice, or has tags, aliases,
            several documents, or more size or depth than any configuration.
    """
    if len(text) > _LARGEST:
        raise InputError(f"{source}: {len(text):,} characters long", "a configuration is short")
    try:
        _guard(text, source)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(
            f"{source}:{line}: not readable as YAML: {error.problem}", "check indents and quotes"
        ) from None
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{source}: not readable as YAML: {first}", "it must be UTF-8") from None
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{source}: it must hold keys and values", "write `key: value` lines")
    lines: dict[KeyPath, int] = {}
    values = _build(node, (), lines, source)
    return Document(values, lines, source)


def _guard(text: str, source: str) -> None:
    """Refuse YAML that could run code or grow without limit, before anything is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = f"{source}:{event.start_mark.line + 1}"  # type: ignore[union-attr]
        if isinstance(event, yaml.AliasEvent):
            raise InputError(f"{where}: the alias *{event.anchor}", "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(f"{where}: the tag {tag!r}", "leave the tag out: plain values")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > _DEEPEST:
            raise InputError(f"{where}: nested deeper than {_DEEPEST}", "use fewer levels")
        if documents > 1:
            raise InputError(f"{where}: a second document", "one file holds one configuration")


def _build(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int], source: str) -> Any:
    """Plain value of a node; records the lines below it."""
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, path, source)
    whole: dict[str, Any] = {}
    for key, child in _children(node, source):
        here = (*path, key.value)
        line = key.start_mark.line + 1
        if key.value in whole:
            name = ".".join(here)
            raise InputError(
                f"{source}:{line}: the key {name} is written twice",
                f"the first is on line {lines[here]}; keep one",
            )
        lines[here] = line
        whole[key.value] = _build(child, here, lines, source)
    return whole if isinstance(node, yaml.MappingNode) else list(whole.values())


def _children(node: yaml.Node, source: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """Keys and values of a mapping, or places and items of a list."""
    if isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield yaml.ScalarNode("", str(place), item.start_mark), item
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if not isinstance(key, yaml.ScalarNode):
            line = key.start_mark.line + 1
            raise InputError(f"{source}:{line}: a key must be one word", "quote it")
        yield key, value


def _scalar(node: yaml.ScalarNode, path: KeyPath, source: str) -> Any:
    """String, number, boolean or null."""
    kind = node.tag.rpartition(":")[2]
    if kind == "null":
        return None
    if kind == "bool":
        return node.value == "true"
    try:
        return {"int": int, "float": float}.get(kind, str)(node.value)
    except ValueError:
        where = f"{source}:{node.start_mark.line + 1}: {'.'.join(path)}"
        raise InputError(f"{where}: no number is that long", "write fewer digits") from None
