"""Hash of a configuration, which identifies finished runs.

It is computed in the form of format 1: with former key names, without keys that were added since
where they have their default, and without keys that change no result. So renamed or added keys keep
a hash, and only a different setting changes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from experiments.config.aliases import with_former_keys
from experiments.config.schema import Experiment

__all__ = ["ADDED", "UNCOUNTED", "config_hash"]

ADDED: Mapping[str, frozenset[str]] = {
    "DataSection": frozenset({"duplicates"}),
    "Experiment": frozenset({"also", "examples", "start", "tasks"}),
    "ImageSection": frozenset({"tiles"}),
    "Start": frozenset({"experiment"}),
    "GraphSection": frozenset({"allow_edited"}),
    "Stage": frozenset({"data", "optimiser", "rates", "sampler", "schedule", "steps"}),
}
"""Keys by section that format 1 did not have."""

UNCOUNTED: Mapping[str, frozenset[str]] = {"Experiment": frozenset({"track"})}
"""Keys by section that change no result, whatever their value."""


def config_hash(experiment: Experiment) -> str:
    """SHA-256 of the resolved experiment in canonical JSON."""
    values = with_former_keys(_without_added_defaults(experiment))
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_added_defaults(value: Any) -> Any:
    """Plain values of a section, without added keys that have their default."""
    if isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
        return [_without_added_defaults(item) for item in value]
    if not isinstance(value, BaseModel):
        return value
    added = ADDED.get(type(value).__name__, frozenset())
    uncounted = UNCOUNTED.get(type(value).__name__, frozenset())
    plain = value.model_dump(mode="json")
    return {
        key: _without_added_defaults(inner)
        if isinstance(inner := getattr(value, key), BaseModel | tuple) and _holds_sections(inner)
        else plain[key]
        for key, field in type(value).model_fields.items()
        if key not in uncounted
        and not (key in added and getattr(value, key) == field.get_default())
    }


def _holds_sections(value: Any) -> bool:
    """Whether a value is a section, or a list of them."""
    inside = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, BaseModel) for item in inside)
