"""Metadata of studies as numbers, for probes: categories one-hot, quantities scaled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from encoders.study import Study
from kg.errors import InputError, did_you_mean

__all__ = ["MetadataEncoder"]


class MetadataEncoder:
    """Encodes metadata: one column for each value in training, or one for a quantity.

    A field whose training values are all numbers is a quantity, scaled to zero mean and unit
    deviation; a missing quantity is the mean, with a missing indicator. An unseen value is zeros.

    Args:
        names: Fields to encode.
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
            InputError: If no training study has one of the fields.
        """
        for name in self.names:
            values = [study.metadata[name] for study in studies if study.metadata.get(name)]
            if not values:
                known = {field for study in studies for field in study.metadata}
                raise InputError(f"metadata: no study has {name!r}", did_you_mean(name, known))
            numbers = [value for value in map(_number, values) if value is not None]
            if len(numbers) == len(values):
                scale = torch.tensor(numbers, dtype=torch.float64)
                spread = float(scale.std(correction=0)) or 1.0
                self.columns[name] = {"mean": float(scale.mean()), "deviation": spread}
            else:
                self.columns[name] = {"values": sorted(set(values))}

    def read(self, studies: Sequence[Study]) -> Tensor:
        """Encoded metadata `[n, F]`."""
        return torch.tensor([self._row(study) for study in studies], dtype=torch.float32)

    def state(self) -> dict[str, Any]:
        """Fitted state, ready for JSON."""
        return self.columns

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore the fitted state."""
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
