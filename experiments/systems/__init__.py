"""Catalog of systems: each a whole method from features to answers, in one file."""

from __future__ import annotations

from typing import Any

from kg.catalog import Catalog

__all__ = ["SYSTEMS"]

SYSTEMS: Catalog[Any] = Catalog(
    "experiments.systems", "system", ("Options", "losses", "predict", "basis")
)
