"""Building a graph: a recipe in YAML names the sources, which are read and merged in order."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.build.align import Aligned, By, align
from kg.build.merge import merge, shared_names
from kg.errors import InputError
from kg.files.tables import read_yaml
from kg.model.graph import KnowledgeGraph
from kg.options import Options, parse_options
from kg.sources import SOURCES, Conflict, Facts

log = logging.getLogger(__name__)


class Step(Options):
    """One source of a recipe: its name in the catalog and its options."""

    name: str
    options: Mapping[str, Any] = {}


class Recipe(Options):
    """Recipe of a graph: its sources in order.

    Args:
        name: Name of the graph.
        sources: Its sources, in order; of two that contradict each other the earlier is kept.
        join_by: Properties besides the id that make concepts of two sources one.
    """

    name: str
    sources: tuple[Step, ...]
    join_by: tuple[By, ...] = ("xref", "label")


@dataclass(frozen=True)
class Taken:
    """Counts of what the graph took from one source.

    Args:
        source: Its name in the catalog, and the file it was read from.
        concepts: Concepts it has.
        joined: Of these, how many the graph knew under another id.
        new_concepts: How many the graph did not know.
        edges: Edges it states.
        new_edges: How many the graph did not have; the others add evidence.
        dropped: Numbers of left-out items, by reason.
    """

    source: str
    concepts: int
    joined: int
    new_concepts: int
    edges: int
    new_edges: int
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class BuildResult:
    """A built graph, with the conflicts of its sources and their counts."""

    graph: KnowledgeGraph
    conflicts: tuple[Conflict, ...]
    taken: tuple[Taken, ...]


def build(recipe_path: Path) -> BuildResult:
    """Build the graph a recipe describes.

    Args:
        recipe_path: YAML file; the files it names are relative to it.

    Raises:
        InputError: If the recipe or a source is malformed, or the facts make no graph (an edge
            to a concept that no source has).
    """
    recipe = read_recipe(recipe_path)
    facts, taken = Facts(), []
    for place, step in enumerate(recipe.sources):
        kind = SOURCES.load(step.name)
        where = f"{recipe_path.name}: sources.{place}.options"
        source = kind(parse_options(kind.Options, step.options, where=where))
        new = align(facts, source.read(recipe_path.parent, facts), recipe.join_by)
        before, facts = facts, merge((facts, new.facts))
        taken.append(_counted(_named(step), before, new, facts))
        log.debug("%s: %d concepts, %d edges", step.name, len(facts.concepts), len(facts.edges))
    graph = KnowledgeGraph(
        tuple(facts.concepts), tuple(facts.edges), tuple(facts.label_sets), name=recipe.name
    )
    conflicts = (*facts.conflicts, *shared_names(graph.concepts))
    return BuildResult(graph, conflicts, tuple(taken))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises:
        InputError: If it is malformed or has an unknown key.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path.name}: is not a recipe", "give it a name and sources")
    return parse_options(Recipe, content, where=path.name)


def _named(step: Step) -> str:
    files = (step.options.get(key) for key in ("file", "table", "folder", "concepts"))
    named = next((str(file) for file in files if file), "")
    return f"{step.name} {Path(named).name}".rstrip()


def _counted(name: str, before: Facts, new: Aligned, after: Facts) -> Taken:
    return Taken(
        source=name,
        concepts=len(new.facts.concepts),
        joined=new.joined,
        new_concepts=len(after.concepts) - len(before.concepts),
        edges=len(new.facts.edges),
        new_edges=len(after.edges) - len(before.edges),
        dropped=dict(new.facts.dropped),
    )
