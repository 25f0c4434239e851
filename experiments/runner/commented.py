"""Commented YAML of a configuration: chosen keys as they are, all others behind `#` with defaults.

Meanings, types and defaults are those of the classes that check a configuration. Where the `#` of
every key is taken away, the configuration stays valid and means the same.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from experiments.config.document import Dumper
from experiments.config.json_schema import SCHEMA_FILE
from experiments.config.mistakes import section_in
from experiments.config.parts import catalog_at
from experiments.config.schema import Experiment
from kg.described import Described, described

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


def commented_yaml(chosen: Mapping[str, Chosen], about: str) -> str:
    """A configuration as commented YAML.

    Args:
        chosen: Chosen keys.
        about: What it was made from.
    """
    head = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        *_comment(about, ""),
        *_comment(
            "A key behind # has the value it has without being written: take the # away to change "
            f"it. In an editor: kgdx schema -o {SCHEMA_FILE}",
            "",
        ),
    ]
    return "\n".join([*head, *_keys(Experiment, chosen, "")]) + "\n"


def _keys(kind: type[BaseModel], chosen: Mapping[str, Chosen], pad: str) -> Iterator[str]:
    """Every key of a section."""
    for option in described(kind):
        inner = _section(kind, option.name)
        if kind is Experiment and option.name in LEFT_OUT:
            continue
        if pad == "":
            yield ""
        yield from _comment(f"{option.meaning} [{option.kind}]", pad)
        one = chosen.get(option.name)
        if one is not None and one.why:
            yield from _comment(f"Chosen: {one.why}", pad)
        if catalog_at(kind, option.name) is not None:
            yield from _part(kind, option, one, pad)
        elif inner is not None and (one is not None or pad == ""):
            yield from _nested(option.name, inner, one, pad)
        else:
            value = option.default if one is None else one.value
            mark = "#" if one is None else ""
            yield f"{pad}{mark}{option.name}: {_flow(value)}"


def _nested(name: str, kind: type[BaseModel], one: Chosen | None, pad: str) -> Iterator[str]:
    """A section, or a list of sections."""
    value = {} if one is None else one.value
    if isinstance(value, Sequence):
        yield f"{pad}{name}:{'' if value else ' []'}"
        for item in value:
            lines = list(_keys(kind, item, f"{pad}    "))
            yield f"{pad}  -"
            yield from lines
        return
    yield f"{pad}{name}:" if value else f"{pad}#{name}:"
    for line in _keys(kind, value, f"{pad}  "):
        yield line if value else _disabled(line, pad)


def _part(kind: type[BaseModel], option: Described, one: Chosen | None, pad: str) -> Iterator[str]:
    """A part: its name, and each of its options with its default."""
    catalog = catalog_at(kind, option.name)
    value = option.default if one is None else one.value
    if value is None:
        yield f"{pad}{option.name}: null"
        return
    name = value["name"].value if isinstance(value["name"], Chosen) else value["name"]
    lines = [f"{pad}{option.name}:", f"{pad}  name: {name}"]
    assert catalog is not None
    options = list(_keys(catalog.load(name).Options, {}, f"{pad}    "))
    if options:
        lines += [_disabled(f"{pad}  options:", f"{pad}  ")]
        lines += [_disabled(line, f"{pad}  ") for line in options]
    yield from lines if one is not None else (_disabled(line, pad) for line in lines)


def _section(kind: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Class of the section that a key holds, or of each in its list."""
    return section_in(kind.model_fields[name].annotation)


def _disabled(line: str, pad: str) -> str:
    """A line behind `#` at the indent of its section; comments stay comments."""
    rest = line.removeprefix(pad)
    if rest.lstrip().startswith("#"):
        inner = rest.lstrip().removeprefix("#")
        indent = rest[: len(rest) - len(rest.lstrip())]
        return f"{pad}# {inner.strip()}" if inner.startswith(" ") else f"{pad}#{indent}{inner}"
    return f"{pad}#{rest}"


def _comment(text: str, pad: str) -> list[str]:
    start = f"{pad}# "
    return textwrap.wrap(
        text, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
    )


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, width=10_000, sort_keys=False
    )
    return text.removesuffix("...\n").strip()
