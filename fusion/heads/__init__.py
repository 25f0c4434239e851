"""Catalog of heads."""

from __future__ import annotations

from typing import Any

from kg.catalog import Catalog

__all__ = ["HEADS"]

HEADS: Catalog[Any] = Catalog("fusion.heads", "head", ("Options",))
