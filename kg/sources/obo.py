"""OBO ontologies: terms, exact synonyms, cross-references and relationships of an .obo file."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Literal

from kg.errors import InputError
from kg.model.edges import IS_A, RELATIONS
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of, note_import

__all__ = ["OboOntology"]

_LOGICAL = ("IntersectionOfClause", "UnionOfClause", "EquivalentToClause")


class OboOntology:
    """Reads a file in OBO format 1.4. Nothing that it imports is fetched.

    Args:
        options: Which file, and what is taken of it.
    """

    class Options(TermOptions):
        """The file, relative to the recipe, and what is taken of it.

        Args:
            file: The .obo file.
            imports: What to do where it imports other files: refuse, or read it without them.
        """

        file: str
        imports: Literal["refuse", "leave_out"] = "refuse"

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the ontology.

        Args:
            folder: Folder the file is relative to.
            known: What earlier sources gave.

        Raises:
            InputError: If the file is missing or malformed (names the line), or imports others.
        """
        document = _parsed(folder / self.options.file)
        dropped: Counter[str] = Counter()
        for clause in document.header:
            if _kind(clause) == "ImportClause":
                note_import(self.options.file, str(clause), self.options.imports, dropped)
        names = _relation_names(document)
        terms, links = [], []
        for frame in document:
            if _kind(frame) == "TermFrame":
                term, own = _read_term(frame, names, dropped)
                terms.append(term)
                links += own
        return facts_of(terms, links, self.options, known, dropped)


def _parsed(path: Path) -> Any:
    import fastobo

    try:
        return fastobo.load(str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "check the path") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder", "name an .obo file") from None
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise InputError(f"{path.name}{line}: is not OBO ({error.msg})", "mend it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read ({error})", "is it UTF-8 text?") from None


def _kind(part: Any) -> str:
    return type(part).__name__


def _relation_names(document: Any) -> dict[str, str]:
    """The CURIE or name of the graph for each of the file's own short relation names."""
    names = {}
    for frame in document:
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
