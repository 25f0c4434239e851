"""Definitions: texts that explain known concepts, from a JSON object of names and texts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from kg.errors import InputError
from kg.files.tables import read_json
from kg.options import Options as BaseOptions
from kg.sources import Conflict, Facts
from kg.sources._names import Names

__all__ = ["Definitions"]


class Definitions:
    """Gives known concepts a definition; a concept that has one keeps it.

    Args:
        options: The file, and the author of the definitions.
    """

    class Options(BaseOptions):
        """The file, relative to the recipe, and the author of the definitions.

        Args:
            file: JSON object whose keys are names of concepts and whose values are texts.
            source: Author of the statements.
        """

        file: str
        source: str

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the definitions.

        Args:
            folder: Folder the file is relative to.
            known: Concepts of earlier sources.

        Raises:
            InputError: If the file is missing or is no object of texts.
        """
        path = folder / self.options.file
        content = read_json(path)
        if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
            raise InputError(f"{path.name}: is no object of names and texts", '{"name": "text"}')
        names, dropped = Names(known.concepts), Counter[str]()
        concepts, conflicts = {}, []
        for name, text in content.items():
            found = names.find(name)
            plain = " ".join(text.split())
            if found is None:
                dropped["name that the graph does not know"] += 1
            elif found in concepts:
                conflicts.append(Conflict("two_definitions", found, f"{name} is not taken in"))
            else:
                concept = names.concepts[found]
                source = " || ".join(one for one in (concept.source, self.options.source) if one)
                concepts[found] = replace(concept, definition=plain, source=source)
        return Facts(list(concepts.values()), (), (), conflicts, dropped)
