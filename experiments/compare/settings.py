"""Settings of experiments as flat key-value pairs, and their differences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.config.load import resolve
from experiments.config.mistakes import check_values
from experiments.config.schema import Experiment
from experiments.records.folder import RunFolder

__all__ = ["differing", "experiment_of", "flat", "same_but_for_the_draw"]

_NAMED = ("name", "about", "published")
_DRAWN = ("seed", "split.fold", "hold_out.rotation", "graph.seed")


def experiment_of(folder: RunFolder) -> Experiment:
    """Configuration of a run, from its record where there is one, since YAML is slow to read.

    Raises:
        InputError: If it cannot be read, or this version does not know one of its keys.
    """
    if not folder.record.is_file():
        return resolve(str(folder.config))
    values = folder.load_record().experiment
    return check_values(Experiment, values, places={(): str(folder.record)})


def flat(experiment: Experiment) -> dict[str, str]:
    """Settings by key path as written, without names, seeds, folds and rotations."""
    pairs = _leaves(experiment.model_dump(mode="json"), "")
    return {key: text for key, text in pairs if key not in _DRAWN and _top(key) not in _NAMED}


def same_but_for_the_draw(experiment: Experiment) -> str:
    """Key shared by all runs of one configuration, whatever their seed, fold and rotation."""
    return json.dumps([experiment.name, flat(experiment)], sort_keys=True, ensure_ascii=False)


def differing(settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Keys with different values, in order of appearance."""
    keys = dict.fromkeys(key for each in settings for key in each)
    return [key for key in keys if len({each.get(key) for each in settings}) > 1]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Key paths and texts of plain values; sections in a list are numbered."""
    sections: Mapping[str, Any] = {}
    if isinstance(value, Mapping):
        sections = value
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        sections = {str(place): item for place, item in enumerate(value)}
    for key, inner in sections.items():
        yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    if not sections:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _top(key: str) -> str:
    return key.partition(".")[0]
