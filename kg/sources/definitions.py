"""Definitions: texts that explain known concepts, with their sources, from a table or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kg.errors import InputError
from kg.files.tables import read_json, read_rows
from kg.model.concepts import DEFINED_BY
from kg.options import Options as BaseOptions
from kg.sources import Conflict, Facts
from kg.sources._names import Names

__all__ = ["Definitions"]


class Definitions:
    """Gives known concepts a definition; a concept that has one keeps it.

    Args:
        options: The file, and the source of definitions that state none.
    """

    class Options(BaseOptions):
        """The file, relative to the recipe, and the source of definitions that state none.

        Args:
            file: `.tsv` with the columns concept, definition and source, or a JSON object whose
                keys are names of concepts and whose values are texts.
            source: Source of definitions that state none.
        """

        file: str
        source: str = ""

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the definitions.

        Args:
            folder: Folder the file is relative to.
            known: Concepts of earlier sources.

        Raises:
            InputError: If the file is missing or malformed, or a definition has no source.
        """
        names, dropped = Names(known.concepts), Counter[str]()
        concepts, conflicts = {}, []
        for name, text, stated in self._stated(folder / self.options.file):
            source = stated or self.options.source
            if not source:
                raise InputError(f"{self.options.file}: {name} has no source", "name it")
            found = names.find(name)
            if found is None:
                dropped["name that the graph does not know"] += 1
            elif found in concepts:
                conflicts.append(Conflict("two_definitions", found, f"{name} is not taken in"))
            else:
                concept = names.concepts[found]
                sources = (concept.source, f"{DEFINED_BY}{source}")
                concepts[found] = replace(
                    concept,
                    definition=" ".join(text.split()),
                    source=" || ".join(one for one in sources if one),
                )
        return Facts(list(concepts.values()), (), (), conflicts, dropped)

    def _stated(self, path: Path) -> Iterator[tuple[str, str, str]]:
        """Name, text and source of each definition."""
        if path.suffix == ".tsv":
            for row in read_rows(path, ("concept", "definition", "source")):
                yield row["concept"], row["definition"], row["source"]
            return
        content = read_json(path)
        if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
            raise InputError(f"{path.name}: is no object of names and texts", '{"name": "text"}')
        for name, text in content.items():
            yield name, text, ""
