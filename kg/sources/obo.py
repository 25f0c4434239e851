"""OBO ontologies: terms, exact synonyms, cross-references and relationships of an .obo file."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from kg.files.native import native
from kg.files.tables import opened
from kg.model.edges import IS_A, RELATIONS
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of, note_import

__all__ = ["OboOntology"]

_LOGICAL = ("IntersectionOfClause", "UnionOfClause", "EquivalentToClause")


class OboOntology:
    """Reads a file in OBO format 1.4. Imports are never fetched.

    Args:
        options: The file, and the selection of its terms.
    """

    class Options(TermOptions):
        """The file, relative to the recipe, and the selection of its terms.

        Args:
            file: The .obo file.
            imports: Treatment of imports of other files: refuse, or read without them.
        """

        file: str
        imports: Literal["refuse", "leave_out"] = "refuse"

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the ontology.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If the file is missing or malformed (names the line), or imports others.
        """
        dropped: Counter[str] = Counter()
        documents = list(_documents(folder / self.options.file, dropped))
        frames = [frame for document in documents for frame in document]
        for clause in documents[0].header:
            if _kind(clause) == "ImportClause":
                note_import(self.options.file, str(clause), self.options.imports, dropped)
        names = _relation_names(frames)
        terms, links = [], []
        for frame in frames:
            if _kind(frame) == "TermFrame":
                term, own = _read_term(frame, names, dropped)
                terms.append(term)
                links += own
        return facts_of(terms, links, self.options, known, dropped)


def _documents(path: Path, dropped: Counter[str]) -> Iterator[Any]:
    """The header, then each frame as a document of its own, so that an error has its line."""
    import fastobo

    for begins, lines in _frames(opened(path)):
        if lines[:1] == ["[Instance]"]:
            dropped["instance"] += 1
            continue
        with native(path.name, "OBO", begins=begins):
            document = fastobo.loads("\n".join(lines) + "\n", threads=1)
        yield document


def _frames(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The header and the frames of a file, each with the number of its first line.

    The parser takes no comment lines: they become empty ones.
    """
    begins, frame = 1, list[str]()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith("["):
            yield begins, frame
            begins, frame = number, []
        frame.append("" if text.startswith("!") else text)
    yield begins, frame


def _kind(item: Any) -> str:
    return type(item).__name__


def _relation_names(frames: Iterable[Any]) -> dict[str, str]:
    """CURIE, or name in the graph, of each short relation name of the file."""
    names = {}
    for frame in frames:
        if _kind(frame) == "TypedefFrame":
            short = str(frame.id)
            xrefs = [str(c.xref.id) for c in frame if _kind(c) == "XrefClause"]
            if ":" not in short and short not in RELATIONS:
                official = [xref for xref in xrefs if xref.startswith(("RO:", "BFO:"))]
                names[short] = official[0] if official else f"obo:{short}"
    return names


def _read_term(frame: Any, names: dict[str, str], dropped: Counter[str]) -> tuple[Term, list[Link]]:
    own = str(frame.id)
    found: dict[str, list[Any]] = defaultdict(list)
    for clause in frame:
        kind = _kind(clause)
        if kind in _LOGICAL:
            dropped["logical definition"] += 1
        elif kind != "SynonymClause" or clause.synonym.scope == "EXACT":
            found[kind].append(clause)
        else:
            dropped["synonym that is not exact"] += 1
    term = Term(
        id=own,
        label=next((str(clause.name) for clause in found["NameClause"]), ""),
        synonyms=tuple(str(clause.synonym.desc) for clause in found["SynonymClause"]),
        xrefs=tuple(str(clause.xref.id) for clause in found["XrefClause"]),
        definition=next((str(clause.definition) for clause in found["DefClause"]), ""),
        obsolete=any(clause.obsolete for clause in found["IsObsoleteClause"]),
    )
    links = [(own, IS_A, str(clause.term)) for clause in found["IsAClause"]]
    links += [(own, "disjoint_with", str(c.term)) for c in found["DisjointFromClause"]]
    for clause in found["RelationshipClause"]:
        short = str(clause.typedef)
        plain = ":" in short or short in RELATIONS
        links.append((own, short if plain else names.get(short, f"obo:{short}"), str(clause.term)))
    return term, links
