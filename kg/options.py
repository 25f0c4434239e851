"""Base class of the options of every part: frozen, typed, unknown keys refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kg.errors import InputError, did_you_mean


class Options(BaseModel):
    """Base of the options of a part and of every section of a configuration.

    Fields are declared as in a dataclass; instances are frozen, and a key that is not a
    field is refused with the closest field as a hint.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Part(Options):
    """A part of a catalog and its options.

    Args:
        name: Name of the part.
        options: Its options; checked against the part's own when it is built.
    """

    name: str
    options: Mapping[str, Any] = {}


OptionsType = TypeVar("OptionsType", bound=BaseModel)


def parse_options(kind: type[OptionsType], values: Mapping[str, Any], *, where: str) -> OptionsType:
    """Check `values` against the fields of `kind`.

    Args:
        kind: The options class.
        values: Keys and values as written by the user.
        where: Place of the values, named in the error (for example `joins.gated`).

    Raises:
        InputError: On an unknown key (with the closest one) or a value of the wrong type.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{where}: has no keys", "write `key: value` lines")
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        # A misspelt key also leaves the right one unset: the misspelling is reported.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        path = ".".join(str(step) for step in (where, *first["loc"]))
        if first["type"] == "extra_forbidden":
            known = _fields_at(kind, first["loc"][:-1])
            raise InputError(
                f"{path}: there is no such key", did_you_mean(str(first["loc"][-1]), known)
            ) from None
        if first["type"] in ("tuple_type", "list_type"):
            hint = f"write [first, second, ...]; it is {first['input']!r}"
            raise InputError(f"{path}: is no list", hint) from None
        raise InputError(f"{path}: {first['msg'].lower()}", f"it is {first['input']!r}") from None


def _fields_at(kind: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the (nested) options class that `path` leads to."""
    here = kind
    for step in path:
        field = here.model_fields.get(str(step))
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        here = inner
    return list(here.model_fields)
