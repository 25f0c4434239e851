"""Facts of studies as numbers, for probes: categories one-hot, quantities scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from encoders.study import Study
from kg.errors import InputError, did_you_mean

__all__ = ["MetadataEncoder"]


class MetadataEncoder:
    """Encodes some facts: a column for each value seen in training, or one for a quantity.

    A fact whose training values all read as numbers is a quantity, scaled to zero mean and unit
    deviation; a missing quantity is the mean and a column says so. An unseen value is all zeros.

    Args:
        names: Facts to encode.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.columns: dict[str, Any] = {}

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(2 if "mean" in c else len(c["values"]) for c in self.columns.values())

    def fit(self, studies: Sequence[Study]) -> None:
        """Learn values and scales from training studies.

        Raises:
            InputError: If no training study has one of the facts.
        """
        for name in self.names:
            seen = [study.metadata[name] for study in studies if study.metadata.get(name)]
            if not seen:
                known = {fact for study in studies for fact in study.metadata}
                raise InputError(f"facts: no study has {name!r}", did_you_mean(name, known))
            numbers = [value for value in map(_number, seen) if value is not None]
            if len(numbers) == len(seen):
                scale = torch.tensor(numbers, dtype=torch.float64)
                spread = float(scale.std(correction=0)) or 1.0
                self.columns[name] = {"mean": float(scale.mean()), "deviation": spread}
            else:
                self.columns[name] = {"values": sorted(set(seen))}

    def read(self, studies: Sequence[Study]) -> Tensor:
        """Encoded facts `[n, F]`."""
        return torch.tensor([self._row(study) for study in studies], dtype=torch.float32)

    def state(self) -> dict[str, Any]:
        """What was learnt, ready for JSON."""
        return self.columns

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.columns = dict(state)

    def _row(self, study: Study) -> list[float]:
        row: list[float] = []
        for name, column in self.columns.items():
            value = study.metadata.get(name, "")
            if "mean" in column:
                number = _number(value)
                missing = number is None
                centred = 0.0 if number is None else number - column["mean"]
                row += [centred / column["deviation"], float(missing)]
            else:
                row += [float(value == known) for known in column["values"]]
        return row


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
