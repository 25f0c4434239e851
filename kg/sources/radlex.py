"""RadLex-style tables: name, identifier and parent identifier of each term, in a .csv."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from kg.errors import InputError
from kg.files.tables import cells_of, opened
from kg.model.edges import IS_A
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of

__all__ = ["RadLexTable"]


class RadLexTable:
    """Reads a table of a tree of terms; ids without a prefix get one.

    Args:
        options: The file, and the selection of its terms.
    """

    class Options(TermOptions):
        """The file, relative to the recipe, and the selection of its terms.

        Args:
            file: The .csv file: name, id, parent id; a header is recognised by its words.
            prefix: Prefix of ids that have none.
        """

        file: str
        prefix: str = "RADLEX"

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the table.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If the file is missing, or a row has not three cells; names the line.
        """
        path = folder / self.options.file
        terms: dict[str, Term] = {}
        links: list[Link] = []
        dropped: Counter[str] = Counter()
        with opened(path) as handle:
            for line, cells in cells_of(handle, path.name):
                if len(cells) != 3:
                    raise InputError(
                        f"{path.name}, line {line}: {len(cells)} cells",
                        "each row is a name, an id and the id of its parent",
                    )
                name, own, parent = (cell.strip() for cell in cells)
                if line == 1 and own.casefold() in ("id", "rid"):
                    continue
                own, parent = self._id(own), self._id(parent)
                if own in terms:
                    dropped["row that repeats an id"] += 1
                terms.setdefault(own, Term(own, name))
                if parent:
                    links.append((own, IS_A, parent))
        return facts_of(terms.values(), links, self.options, known, dropped)

    def _id(self, text: str) -> str:
        return text if not text or ":" in text else f"{self.options.prefix}:{text}"
