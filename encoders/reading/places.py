"""Choice of the slices of a volume and frames of a clip for an image encoder.

The rule: a stack of `n` slices or frames, of which `k` are chosen, is cut into `k` equal segments
and the middle of each is taken (of one, the middle of the stack). Several files of a study share
what may be shown: each gets one image, and what is left goes to the stacks in equal shares.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def spread_out(count: int, most: int) -> tuple[int, ...]:
    """At most `most` of `count` places, each the middle of an equal part, ascending."""
    parts = min(count, most)
    return tuple((2 * part + 1) * count // (2 * parts) for part in range(parts))


def share(counts: Sequence[int], limit: int) -> list[tuple[int, ...]]:
    """Places shown of each file of a study, at most `limit` together.

    Args:
        counts: Slices or frames each file holds; 1 for a still image.
        limit: Most images of the study; where there are more files, evenly spaced ones are
            shown, the first and the last among them.

    Returns:
        For each file its places, empty where it is not shown.
    """
    shown = range(len(counts))
    if len(counts) > limit:
        shown = np.linspace(0, len(counts) - 1, limit).round().astype(int).tolist()
    grants = dict.fromkeys(shown, 1)
    left = limit - len(grants)
    while left > 0 and (hungry := [at for at in grants if grants[at] < counts[at]]):
        for at in hungry[:left]:
            grants[at] += 1
        left -= len(hungry)
    return [spread_out(count, grants.get(at, 0)) for at, count in enumerate(counts)]
