"""Catalog of objectives."""

from __future__ import annotations

from typing import Any

from kg.catalog import Catalog

__all__ = ["OBJECTIVES"]

OBJECTIVES: Catalog[Any] = Catalog("fusion.objectives", "objective", ("Options",))
