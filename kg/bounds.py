"""Numbers in options, with the smallest and the largest value that makes sense.

Options are declared with these instead of `int` and `float`, so that a number no run can use is
refused when a configuration is read.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = [
    "Count",
    "Few",
    "FewOrNone",
    "Multiple",
    "NotNegative",
    "Number",
    "Positive",
    "Seed",
    "Share",
    "ShareBelow1",
    "Side",
    "Width",
]

Seed = Annotated[int, Field(ge=0, lt=2**32)]
"""A seed that every random generator takes."""
Number = Annotated[int, Field(ge=0, le=1_000_000)]
"""A number of things, or none."""
Count = Annotated[int, Field(ge=1, le=1_000_000)]
"""A number of things, at least one."""
Few = Annotated[int, Field(ge=1, le=256)]
"""A number of layers, attention heads, devices and the like."""
FewOrNone = Annotated[int, Field(ge=0, le=256)]
"""As `Few`, where 0 has a meaning."""
Width = Annotated[int, Field(ge=1, le=16_384)]
"""A width of vectors, or a length of token sequences."""
Side = Annotated[int, Field(ge=8, le=4096)]
"""A side of square images in pixels."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A share, 0 and 1 included."""
ShareBelow1 = Annotated[float, Field(ge=0, lt=1)]
"""A share of which something is left: dropout, decay of a running mean."""
Multiple = Annotated[float, Field(gt=0, le=1000)]
"""A factor on a number of things."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""A finite number above 0."""
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A finite number, 0 included."""
