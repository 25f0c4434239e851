"""Catalog of sources that concepts, edges and label sets of a graph are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from kg.catalog import Catalog
from kg.model.concepts import Concept
from kg.model.edges import Edge
from kg.model.graph import LabelSet

__all__ = ["SOURCES", "Conflict", "Facts", "Source"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two facts that contradict each other, and the decision between them.

    Args:
        kind: Short name, for example `two_labels` or `shared_xref`.
        about: Id of the concept, edge or phrase.
        message: The contradiction, and the side that was kept.
    """

    kind: str
    about: str
    message: str


@dataclass(frozen=True)
class Facts:
    """Facts that one source contributes.

    Args:
        concepts: Concepts it describes.
        edges: Edges it states, each with its evidence.
        label_sets: Label sets it declares.
        conflicts: Contradictions within the source.
        dropped: Numbers of left-out items, by reason.
    """

    concepts: Sequence[Concept] = ()
    edges: Sequence[Edge] = ()
    label_sets: Sequence[LabelSet] = ()
    conflicts: Sequence[Conflict] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Source(Protocol):
    """A source of facts; built as `Part(options)`."""

    Options: Any

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the facts.

        Args:
            folder: Folder that the files named in the options are relative to.
            known: Facts of the recipe's earlier sources.

        Raises:
            InputError: If a file is missing or malformed; names file and line.
        """


SOURCES: Catalog[Any] = Catalog("kg.sources", "source", ("Options", "read"))
