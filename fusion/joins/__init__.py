"""Catalog of joins."""

from __future__ import annotations

from typing import Any

from kg.catalog import Catalog

__all__ = ["JOINS"]

JOINS: Catalog[Any] = Catalog("fusion.joins", "join", ("Options",))
