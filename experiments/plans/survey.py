"""Survey rows: which file implements each, how near to its paper, how it is run, what it scored."""

from __future__ import annotations

import re
from typing import Any

from kg.catalog import Catalog

__all__ = ["fidelity"]

SYSTEMS: Catalog[Any] = Catalog("experiments.systems", "system")
"""Named by its package, since importing it imports torch."""

STATED = re.compile(r"\bFidelity:\s+(paper|reconstruction|interpretation)\b")


def fidelity(*systems: str) -> str:
    """How near to its paper the first of the systems is whose docstring says so; else `own`.

    Args:
        systems: A system of the catalog, then those that it starts from.
    """
    found = (STATED.search(SYSTEMS.docstring(name)) for name in systems if ":" not in name)
    return next((match[1] for match in found if match), "own")
