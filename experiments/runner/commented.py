"""Commented YAML of a configuration: chosen keys as they are, all others behind `#` with defaults.

Meanings, types and defaults are those of the classes that check a configuration. Where the `#` of
every key is taken away, the configuration stays valid and means the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import yaml
from pydantic import BaseModel

from experiments.config.document import Dumper
from experiments.config.json_schema import SCHEMA_FILE
from experiments.config.mistakes import section_in
from experiments.config.parts import catalog_at
from experiments.config.schema import Experiment
from kg.catalog import Catalog
from kg.described import described
from kg.options import Part

__all__ = ["Chosen", "commented_yaml"]

LEFT_OUT = ("published", "hold_out", "also", "start", "metadata")
"""Keys of other purposes than a first run; `kgdx schema` has them."""
_WIDTH = 100


@dataclass(frozen=True)
class Chosen:
    """A chosen value.

    Args:
        value: The value; of a section its chosen keys, of a list of sections those of each.
        why: Why it was chosen, in a sentence; empty = no need to say.
    """

    value: Any
    why: str = ""


@dataclass(frozen=True)
class _Line:
    """One line.

    Args:
        indent: Its indent.
        text: The key with its value, or the comment.
        comment: Whether it is a comment.
        off: Indent of the outermost key that is behind `#`; None = the line counts.
    """

    indent: int
    text: str
    comment: bool = False
    off: int | None = None

    def __str__(self) -> str:
        start = self.indent if self.off is None else self.off
        if self.comment:
            return f"{' ' * start}# {self.text}" if self.text else ""
        if self.off is None:
            return f"{' ' * start}{self.text}"
        return f"{' ' * start}#{' ' * (self.indent - start)}{self.text}"


def commented_yaml(chosen: Mapping[str, Chosen], about: str) -> str:
    """A configuration as commented YAML.

    Args:
        chosen: Chosen keys.
        about: What it was made from.
    """
    use = (
        "A key behind # has the value it has without being written: take the # away to change it. "
        f"In an editor: kgdx schema -o {SCHEMA_FILE}"
    )
    modeline = _Line(0, f"yaml-language-server: $schema={SCHEMA_FILE}", comment=True)
    lines = [modeline, *_comment(about, 0), *_comment(use, 0), *_keys(Experiment, chosen, 0)]
    return "".join(f"{line}\n" for line in lines)


def _keys(kind: type[BaseModel], chosen: Mapping[str, Chosen], indent: int) -> Iterator[_Line]:
    """Every key of a section."""
    for option in described(kind):
        one = chosen.get(option.name)
        if kind is Experiment and option.name in LEFT_OUT and one is None:
            continue
        if not indent:
            yield _Line(0, "", comment=True)
        catalog, section = catalog_at(kind, option.name), _section(kind, option.name)
        known = " | ".join(catalog.names()) if catalog is not None else option.kind
        values = "" if option.kind in ("keys", "list of keys") else f" [{known}]"
        yield from _comment(f"{option.meaning}{values}", indent)
        if one is not None and one.why:
            yield from _comment(f"Chosen: {one.why}", indent)
        value = option.default if one is None else one.value
        if catalog is not None and value is not None:
            lines = list(_part(option.name, catalog, value, indent))
        elif section is not None and (one is not None or not indent):
            lines = list(_sections(option.name, section, value, indent, written=one is not None))
        else:
            lines = [_Line(indent, f"{option.name}: {_flow(value)}")]
        yield from lines if one is not None else _off(lines, indent)


def _sections(
    name: str, kind: type[BaseModel], value: Any, indent: int, *, written: bool
) -> Iterator[_Line]:
    """A section, or a list of sections."""
    if isinstance(value, Sequence):
        yield _Line(indent, f"{name}:" if value else f"{name}: []")
        for item in value:
            yield _Line(indent + 2, "-")
            yield from _keys(kind, item, indent + 4)
        return
    yield _Line(indent, f"{name}:")
    yield from _keys(kind, value if written else {}, indent + 2)


def _part(name: str, catalog: Catalog[Any], value: Any, indent: int) -> Iterator[_Line]:
    """A part by name, and each of its options with its default."""
    chosen = value["name"].value if isinstance(value["name"], Chosen) else value["name"]
    yield _Line(indent, f"{name}:")
    yield _Line(indent + 2, f"name: {chosen}")
    options = list(_keys(catalog.load(chosen).Options, {}, indent + 4))
    if options:
        yield from _off([_Line(indent + 2, "options:"), *options], indent + 2)


def _off(lines: Iterable[_Line], indent: int) -> Iterator[_Line]:
    """Lines behind a `#` at an indent."""
    return (replace(line, off=indent) for line in lines)


def _section(kind: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Class of the section that a key holds, or of each in its list; None for values and parts."""
    found = section_in(kind.model_fields[name].annotation)
    return None if found is Part else found


def _comment(text: str, indent: int) -> list[_Line]:
    lines = textwrap.wrap(text, _WIDTH - 2 - indent, break_on_hyphens=False)
    return [_Line(indent, line, comment=True) for line in lines]


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, width=10_000, sort_keys=False
    )
    return text.removesuffix("...\n").strip()
