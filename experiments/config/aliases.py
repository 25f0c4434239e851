"""Aliases of configuration keys: former names that are still read, and that hashes use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.config.document import KeyPath

__all__ = ["CHANNELS", "RENAMED", "VALUES", "renamed_path", "with_former_keys", "with_todays_keys"]

RENAMED: Mapping[str, str] = {
    "facts": "metadata",
    "stages.*.look_every": "stages.*.validate_every_n_epochs",
    "stages.*.keep": "stages.*.checkpoint",
    "system.options.memory": "system.options.neighbourhood",
    "system.options.spread": "system.options.propagation_steps",
    "system.options.spread_as": "system.options.propagation",
}
"""Former and present key path; `*` stands for the place in a list."""

VALUES: Mapping[str, Mapping[str, str]] = {
    "system.name": {"logistic_facts": "logistic_metadata"},
}
"""Former and present values by key path."""


CHANNELS: Mapping[str, str] = {"memory": "neighbourhood"}
"""Channel of the graph in a saved ablation, as it was called once, and as it is called today."""


def renamed_path(path: KeyPath) -> KeyPath:
    """A key path with former keys replaced by present ones.

    `("stages", "0", "keep")` gives `("stages", "0", "checkpoint")`.
    """
    today: list[str] = []
    for length in range(1, len(path) + 1):
        name = RENAMED.get(_general(path[:length]))
        today.append(name.rpartition(".")[2] if name else path[length - 1])
    return tuple(today)


def with_todays_keys(values: Any) -> Any:
    """Plain values of a configuration with present keys and values."""
    return _replace(values, (), RENAMED, VALUES)


def with_former_keys(values: Any) -> Any:
    """Plain values of a configuration with former keys and values.

    Hashes use these, so that finished runs keep the hash of their configuration.
    """
    keys = {today: former for former, today in RENAMED.items()}
    names = {
        path: {today: former for former, today in pairs.items()} for path, pairs in VALUES.items()
    }
    return _replace(values, (), keys, names)


def _replace(
    value: Any, path: KeyPath, keys: Mapping[str, str], names: Mapping[str, Mapping[str, str]]
) -> Any:
    if isinstance(value, Mapping):
        replaced = {}
        for key, inner in value.items():
            here = (*path, str(key))
            name = keys.get(_general(here))
            replaced[name.rpartition(".")[2] if name else key] = _replace(inner, here, keys, names)
        return replaced
    if isinstance(value, list | tuple):
        return [
            _replace(item, (*path, str(place)), keys, names) for place, item in enumerate(value)
        ]
    return names.get(_general(path), {}).get(value, value) if isinstance(value, str) else value


def _general(path: KeyPath) -> str:
    """A key path with `*` for places in lists."""
    return ".".join("*" if step.isdigit() else step for step in path)
