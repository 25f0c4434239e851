"""Building a graph: a recipe in YAML names the sources, which are read and merged in order."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.graph import KnowledgeGraph
from kg.merge import merge, shared_names
from kg.options import Options, parse_options
from kg.sources import SOURCES, Conflict, Facts
from kg.tables import read_yaml

log = logging.getLogger(__name__)


class Step(Options):
    """One source of a recipe: its name in the catalog and its options."""

    name: str
    options: Mapping[str, Any] = {}


class Recipe(Options):
    """How a graph is built.

    Args:
        name: What the graph is called.
        sources: Its sources, in order; of two that contradict each other the earlier is kept.
    """

    name: str
    sources: tuple[Step, ...]


@dataclass(frozen=True)
class BuildResult:
    """A built graph and everything that did not go together on the way."""

    graph: KnowledgeGraph
    conflicts: tuple[Conflict, ...]


def build(recipe_path: Path) -> BuildResult:
    """Build the graph a recipe describes.

    Args:
        recipe_path: YAML file; the files it names are relative to it.

    Raises:
        InputError: If the recipe or a source is malformed, or the facts make no graph (an edge
            to a concept that no source has).
    """
    content = read_yaml(recipe_path)
    if not isinstance(content, dict):
        raise InputError(f"{recipe_path.name}: is not a recipe", "give it a name and sources")
    recipe = parse_options(Recipe, content, where=recipe_path.name)
    facts = Facts()
    for place, step in enumerate(recipe.sources):
        kind = SOURCES.load(step.name)
        where = f"{recipe_path.name}: sources.{place}.options"
        part = kind(parse_options(kind.Options, step.options, where=where))
        facts = merge((facts, part.read(recipe_path.parent, facts)))
        log.info("%s: %d concepts, %d edges", step.name, len(facts.concepts), len(facts.edges))
    graph = KnowledgeGraph(
        tuple(facts.concepts), tuple(facts.edges), tuple(facts.label_sets), name=recipe.name
    )
    return BuildResult(graph, (*facts.conflicts, *shared_names(graph.concepts)))
