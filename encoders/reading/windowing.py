"""Windows: which span of values an image shows, from black to white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from encoders.reading.limits import Grey
from kg.errors import InputError, did_you_mean

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of values, as DICOM defines it.

    Args:
        centre: Value in the middle (HU for CT).
        width: Values from black to white, above 0.
        function: How values in between are spread; `LINEAR` counts whole steps, so that it spans
            `width - 1` around `centre - 0.5`.
    """

    centre: float
    width: float
    function: Function = "LINEAR_EXACT"

    def apply(self, values: Grey) -> Grey:
        """Values as grey in [0, 1]."""
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                soft: Grey = 1 / (1 + np.exp(-4 * (values - self.centre) / self.width))
            return soft.astype(np.float32)
        centre, width = self.centre, self.width
        if self.function == "LINEAR":
            centre, width = centre - 0.5, max(width - 1, 1e-3)
        return spread(values, centre - width / 2, centre + width / 2)


WINDOWS: dict[str, Window] = {
    "lung": Window(-600, 1500),
    "mediastinum": Window(50, 350),
    "bone": Window(400, 1800),
}
"""Windows of chest CT by name, in HU."""


def window_named(name: str) -> Window:
    """A window of chest CT.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in WINDOWS:
        raise InputError(f"no CT window {name!r}", did_you_mean(name, WINDOWS))
    return WINDOWS[name]


def spread(values: Grey, low: float, high: float) -> Grey:
    """Values from `low` to `high` as grey in [0, 1]."""
    grey: Grey = np.subtract(values, np.float32(low), dtype=np.float32)
    grey *= np.float32(1 / max(high - low, 1e-6))
    return np.clip(grey, 0, 1, out=grey)
