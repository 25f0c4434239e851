"""Validation of a graph or a graph file: integrity rules, shapes, label tables and vocabularies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kg.check.faults import SEVERITIES, Fault, fault
from kg.check.file_faults import file_faults, usable
from kg.check.integrity import CHECKS
from kg.files.store import read_records
from kg.model.graph import KnowledgeGraph

__all__ = ["Fault", "Validation", "validate", "validate_file"]


LARGEST_SHAPED = 100_000
"""Largest number of edges at which the project's shapes are checked by default."""


@dataclass(frozen=True)
class Validation:
    """Checks beside the rules of integrity.

    Args:
        shapes: True if the SHACL shapes of the project are checked.
        own_shapes: Files of further SHACL shapes.
        label_tables: YAML files that describe label tables to compare `is_a` with.
        vocabularies: Ontologies or graph files to compare labels of identifiers with.
    """

    shapes: bool = False
    own_shapes: tuple[Path, ...] = ()
    label_tables: tuple[Path, ...] = ()
    vocabularies: tuple[Path, ...] = ()


def validate(graph: KnowledgeGraph, also: Validation | None = None) -> list[Fault]:
    """Every fault of a graph, worst first, in a fixed order.

    Faults that a `KnowledgeGraph` refuses when it is made (dangling ends, unknown relations, edges
    without evidence or written twice) cannot occur here; `validate_file` finds them.

    Raises:
        InputError: If a file to compare with is missing or malformed.
    """
    found = [one for check in CHECKS for one in check(graph)]
    return _sorted([*found, *_compared(graph, also or Validation())])


def validate_file(path: Path, also: Validation | None = None) -> list[Fault]:
    """Every fault of a graph file, worst first, in a fixed order.

    Raises:
        InputError: If the file is missing or is no file of records.
    """
    records = read_records(path)
    return _sorted([*file_faults(records), *validate(usable(records), also)])


def _compared(graph: KnowledgeGraph, also: Validation) -> list[Fault]:
    """Faults by checks that need other files or libraries, which are loaded only for them."""
    found: list[Fault] = []
    small = len(graph.edges) <= LARGEST_SHAPED
    if also.shapes and not small:
        message = f"has {len(graph.edges)} edges; pyshacl would take minutes"
        found.append(fault("shapes_not_checked", graph.name, message))
    if (also.shapes and small) or also.own_shapes:
        from kg.shapes import SHIPPED_SHAPES, shape_faults

        files = (*((SHIPPED_SHAPES,) if also.shapes and small else ()), *also.own_shapes)
        found += shape_faults(graph, files)
    if also.label_tables or also.vocabularies:
        from kg.check.comparison import against_labels, against_vocabulary

        for table in also.label_tables:
            found += against_labels(graph, table)
        for vocabulary in also.vocabularies:
            found += against_vocabulary(graph, vocabulary)
    return found


def _sorted(faults: Sequence[Fault]) -> list[Fault]:
    return sorted(
        faults, key=lambda one: (SEVERITIES.index(one.severity), one.rule, one.about, one.message)
    )
