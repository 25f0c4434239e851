"""Loading of a configuration: shipped name or file, its base, then `--set`, all checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments.config.aliases import renamed_path, with_todays_keys
from experiments.config.document import Document, Dumper, KeyPath, read_document
from experiments.config.mistakes import Places, point_at, read_values
from experiments.config.schema import Experiment
from kg.errors import InputError, did_you_mean, together
from kg.files.regular import bytes_of

__all__ = [
    "Config",
    "as_overrides",
    "dump",
    "find_file",
    "on_base",
    "read_config",
    "read_file",
    "resolve",
    "shipped_configs",
    "try_config",
]

SHIPPED = Path(__file__).parent.parent / "configs"
FOLDERS = ("", "paper/")
"""Folders of shipped configurations, by what their names begin with; `bases/` holds only bases."""
_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Config:
    """A checked experiment with the place of each key.

    Args:
        experiment: The experiment.
        places: Place of each key, `file:line` or `--set key`.
    """

    experiment: Experiment
    places: Places


def resolve(name_or_path: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a shipped name or a path.

    Args:
        name_or_path: `demo` for a shipped configuration, or a path to a YAML file.
        overrides: `key.path=value`, applied in order; values are read as YAML.

    Raises:
        InputError: With file, line, key and the closest right one.
    """
    return read_config(name_or_path, overrides).experiment


def read_config(config: str | Mapping[str, Any], overrides: Sequence[str] = ()) -> Config:
    """As `resolve`, also of plain values, with the place of each key."""
    read, mistakes = try_config(config, overrides)
    if read is None or mistakes:
        raise together(mistakes)
    return read


def try_config(
    config: str | Mapping[str, Any], overrides: Sequence[str] = ()
) -> tuple[Config | None, list[InputError]]:
    """As `read_config`, with the mistakes in keys and values returned; see `read_values`."""
    values, places = _written(config)
    for override in overrides:
        key, value = _parse_override(override)
        key = _counted(values, key)
        nested: Any = value
        for step in reversed(key):
            nested = {step: nested}
        nested = with_todays_keys(nested)
        _check_reach(values, key, override)
        values = _merge(values, nested)
        above = {key[:length]: f"--set {override}" for length in range(1, len(key))}
        written = {renamed_path(path): f"--set {override}" for path in _paths(value, key)}
        places = {**above, **places, **written}
    mistakes = list(_not_finite(values, (), places))
    if mistakes:
        return None, mistakes
    experiment, mistakes = read_values(Experiment, values, places=places)
    return None if experiment is None else Config(experiment, places), mistakes


def _written(config: str | Mapping[str, Any]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Values of a configuration before overrides, with their places."""
    if isinstance(config, Mapping):
        return with_todays_keys(dict(config)), {(): "configuration"}
    known = shipped_configs()
    return on_base(find_file(config, known, "configuration"), known, _read_todays)


def as_overrides(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Values by dotted key in the form of `--set`."""
    return tuple(f"{key}={json.dumps(value, default=str)}" for key, value in values.items())


def shipped_configs() -> dict[str, Path]:
    """Shipped configurations by name, sorted; those at a paper's own scale last, `paper/NAME`."""
    return {
        f"{folder}{path.stem}": path
        for folder in FOLDERS
        for path in sorted((SHIPPED / folder).glob("*.yaml"))
    }


def dump(experiment: Experiment) -> str:
    """The resolved experiment as YAML, which runs again unchanged."""
    values = experiment.model_dump(mode="json")
    return yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def find_file(name_or_path: str, known: Mapping[str, Path], noun: str) -> Path:
    """The file of a shipped name or a path.

    Args:
        name_or_path: Name or path from the user.
        known: Shipped files by name.
        noun: Kind of file, for the message.

    Raises:
        InputError: If there is none, with the closest right name.
    """
    path = Path(name_or_path)
    if name_or_path in known:
        return known[name_or_path]
    if path.suffix in _ENDINGS or (
        "/" in name_or_path and not name_or_path.startswith(FOLDERS[1:])
    ):
        if not path.is_file():
            raise InputError(f"there is no file {name_or_path}", "give a YAML file, or a name")
        return path
    hint = did_you_mean(name_or_path, known)
    raise InputError(f"no {noun} is called {name_or_path!r}", hint)


def read_file(path: Path) -> Document:
    """Values of a YAML file with their lines.

    Raises:
        InputError: If it cannot be read, or is not UTF-8.
    """
    try:
        text = bytes_of(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start})", "save it as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "check the path and its rights") from None
    return read_document(text, str(path))


def _read_todays(path: Path) -> Document:
    """A configuration file with former keys replaced by present ones.

    Raises:
        InputError: If it cannot be read, or has a key under its former and its present name.
    """
    document = read_file(path)
    lines: dict[KeyPath, int] = {}
    for key, line in document.lines.items():
        today = renamed_path(key)
        if today != key and today in document.lines:
            raise InputError(
                f"{document.source}:{line}: {'.'.join(key)} is the former name of a key that is "
                f"written on line {document.lines[today]}",
                f"keep {'.'.join(today)}",
            )
        lines[today] = line
    return Document(with_todays_keys(document.values), lines, document.source)


def on_base(
    path: Path,
    known: Mapping[str, Path],
    read: Callable[[Path], Document] = read_file,
    above: tuple[Path, ...] = (),
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Values of a file, merged over those of its `base`, which may have a base itself.

    Args:
        path: The file.
        known: Shipped files by name, which a base may be.
        read: Reader of the files.
        above: Files that it is the base of.

    Raises:
        InputError: If a file cannot be read, or is based on itself.
    """
    document = read(path)
    if "base" not in document.values:
        return document.values, _places(document)
    own = dict(document.values)
    where = f"{document.source}:{document.lines['base',]}: base"
    below = _base(own.pop("base"), path.parent, known, where)
    above = (*above, path.resolve())
    if below.resolve() in above:
        raise InputError(f"{where}: {below} is based on this file itself", "name another base")
    values, places = on_base(below, known, read, above)
    return _merge(values, own), {**places, **_places(document)}


def _places(document: Document) -> dict[KeyPath, str]:
    places = {path: f"{document.source}:{line}" for path, line in document.lines.items()}
    return {(): document.source, **places}


def _base(name: object, folder: Path, known: Mapping[str, Path], where: str) -> Path:
    """File of a base: one of the folder, or a shipped one by name."""
    path = folder / str(name)
    if path.is_file():
        return path
    if str(name) not in known:
        raise InputError(f"{where}: there is no file {path}", did_you_mean(str(name), known))
    return known[str(name)]


def _merge(below: Any, above: Any) -> Any:
    """`above` merged over `below`, key by key, and list items by place.

    Where another part is named, the options of the former part are dropped.
    """
    if isinstance(below, list) and isinstance(above, dict) and above:
        items = {str(place): item for place, item in enumerate(below)}
        if set(above) <= set(items):
            return list(_merge(items, above).values())
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    kept = dict(below)
    if "name" in above and above["name"] != below.get("name"):
        kept.pop("options", None)
    for key, value in above.items():
        kept[key] = _merge(kept[key], value) if key in kept else value
    return kept


def _parse_override(override: str) -> tuple[KeyPath, Any]:
    """Key path and value of `key.path=value`."""
    key, equals, text = override.partition("=")
    path = tuple(key.strip().split("."))
    if not equals or not all(path) or path == ("base",):
        raise InputError(f"--set {override}: not a key and a value", "write --set key.path=value")
    values = read_document(f"value: {text.strip()}\n", f"--set {override}").values
    if set(values) != {"value"}:
        raise InputError(f"--set {override}: more than one value", "use --set once for each key")
    return renamed_path(path), values["value"]


def _counted(values: Any, key: KeyPath) -> KeyPath:
    """The key path with places from the end of a list (`-1` = the last item) as plain ones."""
    path: list[str] = []
    for step in key:
        if isinstance(values, list) and step in map(str, range(-len(values), 0)):
            step = str(len(values) + int(step))
        path.append(step)
        values = {str(key): below for key, below in _inside(values)}.get(step)
    return tuple(path)


def _check_reach(values: Any, key: KeyPath, override: str) -> None:
    """Refuse a path below a plain value or past the end of a list."""
    here = values
    for place, step in enumerate(key):
        above = ".".join(key[:place])
        if isinstance(here, list):
            if not step.isdigit() or int(step) >= len(here):
                last = len(here) - 1
                hint = f"it has the items 0 to {last}; -1 is the last" if here else "it is empty"
                raise InputError(f"--set {override}: {above} is a list without {step!r}", hint)
            here = here[int(step)]
        elif isinstance(here, dict):
            here = here.get(step)
        elif here is not None:
            raise InputError(f"--set {override}: {above} is a value", f"it is {here!r}")


def _paths(value: Any, path: KeyPath) -> Iterable[KeyPath]:
    """Paths of a value and of everything below it."""
    yield path
    for key, below in _inside(value):
        yield from _paths(below, (*path, str(key)))


def _inside(value: Any) -> Iterable[tuple[Any, Any]]:
    """Keys and values of a mapping, or places and items of a list."""
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _not_finite(value: Any, path: KeyPath, places: Places) -> Iterator[InputError]:
    """Mistakes of numbers that are not finite (`nan`, `inf`, `1e999`)."""
    if isinstance(value, float) and not math.isfinite(value):
        yield InputError(f"{point_at(path, places)}: {value} is not finite", "write a number")
    if isinstance(value, str) and value.strip().lstrip("+-.").lower() in ("nan", "inf", "infinity"):
        yield InputError(f"{point_at(path, places)}: {value!r} is no number", "write a number")
    for key, below in _inside(value):
        yield from _not_finite(below, (*path, str(key)), places)
