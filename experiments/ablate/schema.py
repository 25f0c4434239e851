"""Ablation file: base configuration, named arms, and the differences that are primary endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.load import find_file, read_file
from experiments.config.mistakes import check_values
from kg.bounds import Number, Seed
from kg.errors import InputError, did_you_mean
from kg.options import Options

__all__ = ["Ablation", "AblationFile", "Overrides", "read_ablation", "shipped_ablations"]

SHIPPED = Path(__file__).parent / "shipped"
SHARED = "arms_"
"""Prefix of files with arms only, which ablations share."""

Overrides = Mapping[str, Any]
"""Values by dotted key, as for `--set`."""


class Ablation(Options):
    """A base configuration and its arms.

    Args:
        name: Name of the ablation.
        about: One line: what it asks.
        base: Configuration every arm is made of: a shipped name, or a path seen from this file.
        arms_from: File of arms that are named here without values, seen from this file.
        set: Values laid over the base for every arm, by dotted key.
        arms: What each arm changes, by dotted key; empty = as that file has it.
        reference: Arm that all others are compared with.
        primary: Arms whose difference from the reference is a primary endpoint.
        seeds: Seeds of every arm.
        folds: Folds of the split; empty = the base's own fold only.
        rotations: Rotations of the held-out findings; empty = the base's own only. The findings
            of all rotations are compared together.
        on: Compared predictions: `test`, `zero_shot`, or other data the runs were tested on.
        settings: Further values applied to every arm, by name: the arms are compared under each
            separately; empty = once, unchanged.
    """

    name: str
    about: str = ""
    base: str
    arms_from: str = ""
    set: Mapping[str, Any] = {}
    arms: Mapping[str, Mapping[str, Any] | None]
    reference: str
    primary: tuple[str, ...] = ()
    seeds: tuple[Seed, ...] = (0,)
    folds: tuple[Number, ...] = ()
    rotations: tuple[Number, ...] = ()
    on: str = "test"
    settings: Mapping[str, Mapping[str, Any]] = {}


@dataclass(frozen=True)
class AblationFile:
    """A checked ablation.

    Args:
        ablation: As written.
        base: Name or path of the base configuration.
        arms: Changes of each arm, with values from `arms_from` filled in.
    """

    ablation: Ablation
    base: str
    arms: Mapping[str, Overrides]


def read_ablation(name_or_path: str) -> AblationFile:
    """Read the ablation of a shipped name or a path.

    Raises:
        InputError: If the file is invalid, with file, line, key and the closest valid one.
    """
    path = find_file(name_or_path, shipped_ablations(), "ablation")
    document = read_file(path)
    places = {key: f"{path}:{line}" for key, line in document.lines.items()}
    ablation = check_values(Ablation, document.values, places={(): str(path), **places})
    shared = _shared_arms(path, ablation)
    arms: dict[str, Overrides] = {}
    for arm, values in ablation.arms.items():
        if values is None and arm not in shared:
            where = places.get(("arms", arm), str(path))
            raise InputError(
                f"{where}: arm {arm!r} has no values",
                did_you_mean(arm, shared) if shared else "write its changes, or {} for none",
            )
        arms[arm] = shared[arm] if values is None else values
    for key, named in (("reference", (ablation.reference,)), ("primary", ablation.primary)):
        for arm in named:
            if arm not in arms:
                where = places.get((key,), str(path))
                raise InputError(
                    f"{where}: {key}: no arm is called {arm!r}", did_you_mean(arm, arms)
                )
    if not ablation.seeds:
        raise InputError(f"{path}: seeds: there are none", "name at least one: seeds: [0]")

    local = path.parent / ablation.base
    return AblationFile(ablation, str(local) if local.is_file() else ablation.base, arms)


def shipped_ablations() -> dict[str, Path]:
    """Shipped ablations by name, sorted."""
    files = sorted(SHIPPED.glob("*.yaml"))
    return {path.stem: path for path in files if not path.stem.startswith(SHARED)}


def _shared_arms(path: Path, ablation: Ablation) -> dict[str, Overrides]:
    """Arms of the file that an ablation shares with others."""
    if not ablation.arms_from:
        return {}
    document = read_file(path.parent / ablation.arms_from)
    for arm, values in document.values.items():
        if not isinstance(values, dict):
            raise InputError(
                f"{document.source}:{document.lines[arm,]}: {arm}: keys with values belong here",
                "write {} for an arm that changes nothing",
            )
    return dict(document.values)
