"""Messages for mistakes in a configuration: file and line, key, and the closest valid one."""

from __future__ import annotations

import copy
import reprlib
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from experiments.config.document import KeyPath
from kg.errors import InputError, did_you_mean, together

__all__ = ["Places", "check_values", "point_at", "read_values", "section_in"]

Places = Mapping[KeyPath, str]
"""Place of each key: `file:line`, or `--set key`."""

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "model_type": "keys with values belong here",
    "dict_type": "keys with values belong here",
    "tuple_type": "a list belongs here",
    "int_type": "a whole number belongs here",
    "int_parsing": "a whole number belongs here",
    "int_from_float": "a whole number belongs here",
    "float_type": "a number belongs here",
    "float_parsing": "a number belongs here",
    "bool_type": "true or false belongs here",
    "bool_parsing": "true or false belongs here",
    "string_type": "a word belongs here (a number in quotes)",
}


def check_values(
    kind: type[Model], values: Mapping[str, Any], *, places: Places, prefix: KeyPath = ()
) -> Model:
    """Validate values of a configuration as a `kind`.

    Args:
        kind: Class of the section or of a part's options.
        values: Keys and values.
        places: Place of each key.
        prefix: Keys above `values`.

    Raises:
        InputError: On unknown or missing keys and wrong values, all of them in order of writing.
    """
    model, mistakes = read_values(kind, values, places=places, prefix=prefix)
    if model is None or mistakes:
        raise together(mistakes)
    return model


def read_values(
    kind: type[Model], values: Mapping[str, Any], *, places: Places, prefix: KeyPath = ()
) -> tuple[Model | None, list[InputError]]:
    """As `check_values`, with the mistakes returned.

    The model is then that of the other values, so that what hangs on them can be checked as well;
    None where there is none without the wrong ones.
    """
    try:
        return kind.model_validate(dict(values)), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    misspelt = {each["loc"][:-1] for each in errors if each["type"] == "extra_forbidden"}
    found = [
        _mistake(kind, values, each)
        for each in errors
        # a misspelt key also leaves the right one unset
        if each["type"] != "missing" or each["loc"][:-1] not in misspelt
    ]
    order = {key: place for place, key in enumerate(places)}
    found.sort(key=lambda one: order.get((*prefix, *one[0]), len(order)))
    mistakes = [
        InputError(f"{point_at((*prefix, *path), places)}: {message}", hint)
        for path, message, hint in found
    ]
    try:
        return kind.model_validate(_without(values, [path for path, _, _ in found])), mistakes
    except (ValidationError, LookupError):
        return None, mistakes


def _without(values: Mapping[str, Any], paths: list[KeyPath]) -> dict[str, Any]:
    """Values without the keys at some paths.

    Raises:
        LookupError: If a path leads to an item of a list, or to nothing.
    """
    kept = copy.deepcopy(dict(values))
    for *above, key in dict.fromkeys(paths):
        here: Any = kept
        for step in above:
            here = here[int(step)] if isinstance(here, list) else here[step]
        if not isinstance(here, dict):
            raise LookupError(key)
        del here[key]
    return kept


def point_at(path: KeyPath, places: Places) -> str:
    """`file:line: key`, of the nearest key above where this one has no place."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return f"{places[path[:length]]}: {'.'.join(path)}"
    return ".".join(path)


def _mistake(
    kind: type[BaseModel], values: Mapping[str, Any], error: Any
) -> tuple[KeyPath, str, str]:
    """Key path, message and hint of one error of pydantic."""
    missing = error["type"] == "missing"
    path = _as_written(error["loc"], values, missing=missing)
    if error["type"] == "extra_forbidden":
        parent = _model_at(kind, path[:-1])
        known = list(parent.model_fields) if parent else []
        return path, "there is no such key", did_you_mean(path[-1], known)
    if missing:
        return path, "this key is missing", f"add `{path[-1]}:` with its value"
    allowed = _choices(_annotation_at(kind, path))
    if allowed and error["type"] == "literal_error":
        value = str(error["input"])
        return path, f"{value!r} is none of its values", _choose(value, allowed)
    message = _EXPECTED.get(error["type"], error["msg"].lower())
    return path, message, f"it is {reprlib.repr(error['input'])}"


def _choose(value: str, allowed: list[str]) -> str:
    """Closest of the allowed values, and all of them where they are few."""
    close = did_you_mean(value, allowed)
    return close if close.startswith("there are") else f"{close} (of: {', '.join(allowed)})"


def _as_written(
    steps: tuple[int | str, ...], values: Mapping[str, Any], *, missing: bool
) -> KeyPath:
    """Key path as written, without the names pydantic gives to alternatives."""
    path: list[str] = []
    here: Any = values
    for place, step in enumerate(steps):
        in_list = isinstance(here, list | tuple) and isinstance(step, int) and step < len(here)
        if in_list or (isinstance(here, Mapping) and step in here):
            here = here[step]
        elif not (missing and place == len(steps) - 1):
            continue
        path.append(str(step))
    return tuple(path)


def _annotation_at(kind: type[BaseModel], path: KeyPath) -> Any:
    """Declared type of the key at `path`, or None."""
    here: Any = kind
    for step in path:
        model = section_in(here)
        if step.isdigit() and model is None:
            here = (get_args(here) or (None,))[0]
        elif model is not None and step in model.model_fields:
            here = model.model_fields[step].annotation
        elif not step.isdigit():
            return None
    return here


def _model_at(kind: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Class of the section at `path`."""
    return section_in(_annotation_at(kind, path))


def section_in(annotation: Any) -> type[BaseModel] | None:
    """The section class inside `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        if (model := section_in(inner)) is not None:
            return model
    return None


def _choices(annotation: Any) -> list[str]:
    """Values of a `Literal`, also inside a union."""

    def walk(part: Any) -> Iterator[str]:
        if get_origin(part) is Literal:
            yield from (str(value) for value in get_args(part))
        elif get_origin(part) in (Union, UnionType):
            for inner in get_args(part):
                yield from walk(inner)
        elif part is NoneType:
            yield "null"

    return list(walk(annotation))
