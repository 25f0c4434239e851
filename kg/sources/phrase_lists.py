"""Phrase lists: a folder of text files named after findings, one phrase on each line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kg.errors import InputError
from kg.files.tables import read_lines
from kg.model.concepts import Phrase
from kg.options import Options as BaseOptions
from kg.sources import Facts
from kg.sources._names import Names

__all__ = ["PhraseLists"]


class PhraseLists:
    """Adds phrases to known concepts, as the CheXpert labeler lists them.

    Args:
        options: The folder, and the concepts of its files.
    """

    class Options(BaseOptions):
        """The folder, relative to the recipe, and the concepts of its files.

        Args:
            folder: Folder of .txt files.
            source: Author of the statements.
            kind: Kind of the phrases, for example `mention_stem`.
            language: Language of the phrases.
            names: Concept of a file whose name (with spaces for `_`) is not the concept's.
        """

        folder: str
        source: str
        kind: str = "mention_stem"
        language: str = "en"
        names: Mapping[str, str] = {}

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the lists.

        Args:
            folder: Folder the lists' folder is relative to.
            known: Concepts of earlier sources.

        Raises:
            InputError: If the folder holds no lists.
        """
        chosen, place = self.options, folder / self.options.folder
        names, dropped = Names(known.concepts), Counter[str]()
        files = sorted(place.glob("*.txt"))
        if not files:
            raise InputError(f"{place}: holds no .txt files", "name a folder of phrase lists")
        concepts = []
        for file in files:
            found = names.find(chosen.names.get(file.stem, file.stem.replace("_", " ")))
            phrases = read_lines(file)
            if found is None:
                dropped["phrase of a finding that the graph does not know"] += len(phrases)
                continue
            concept = names.concepts[found]
            there = {phrase.text for phrase in concept.phrases}
            new = [text for text in dict.fromkeys(map(str.lower, phrases)) if text not in there]
            dropped["phrase that is known"] += len(phrases) - len(new)
            added = (Phrase(t, chosen.kind, chosen.source, chosen.language) for t in new)
            concepts.append(replace(concept, phrases=(*concept.phrases, *added)))
        return Facts(concepts, dropped=dropped)
