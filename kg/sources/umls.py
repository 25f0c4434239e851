"""UMLS Metathesaurus: concepts, names and relations of the user's own licensed RRF files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

from kg.errors import InputError
from kg.files.regular import open_regular
from kg.model.concepts import Concept
from kg.model.edges import IS_A
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of

__all__ = ["Umls"]


class Umls:
    """Reads MRCONSO, MRSTY, MRDEF and MRREL from a folder. Nothing of it is shipped with kgdx.

    The content must not be passed on: every item of evidence carries the licence.

    Args:
        options: The folder, and the selection of its terms.
    """

    class Options(TermOptions):
        """The folder, and the selection of its terms.

        Args:
            folder: Folder that holds MRCONSO.RRF; the other files are optional.
            languages: Languages of names.
            vocabularies: Source vocabularies (SAB) whose names and relations are taken; all where
                empty.
            types: Kind of each selected semantic type (TUI or name).
            only_known: Take only concepts whose CUI the graph has.
        """

        folder: str
        source: str = "UMLS Metathesaurus (NLM), the user's own copy"
        licence: str = "UMLS Metathesaurus Licence; not to be passed on"
        relations: Mapping[str, str] = {
            "isa": IS_A,
            "has_finding_site": "located_in",
            "has_causative_agent": "has_pathogen",
            "part_of": "part_of",
            "has_part": "has_part",
            "disease_has_finding": "has_phenotype",
        }
        languages: tuple[str, ...] = ("ENG",)
        vocabularies: tuple[str, ...] = ()
        types: Mapping[str, str] = {}
        only_known: bool = False

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the concepts that are selected.

        Args:
            folder: Folder the options' folder is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If MRCONSO.RRF is missing, or a line is too short; names the line.
        """
        place, dropped = folder / self.options.folder, Counter[str]()
        kinds = self._kinds(place)
        names = self._names(place, dropped)
        wanted = self._wanted(known)
        definitions = self._definitions(place)
        terms = []
        for cui, (label, synonyms) in names.items():
            if wanted is not None and f"UMLS:{cui}" not in wanted:
                dropped["concept that the graph does not know"] += 1
            elif self.options.types and cui not in kinds:
                dropped["concept of a semantic type that is not selected"] += 1
            else:
                terms.append(
                    Term(f"UMLS:{cui}", label, tuple(synonyms), (), definitions.get(cui, ""))
                )
        links = self._links(place, dropped)
        facts = facts_of(terms, links, self.options, known, dropped)
        concepts = [_of_kind(c, kinds.get(c.id.removeprefix("UMLS:"))) for c in facts.concepts]
        return Facts(concepts, facts.edges, dropped=facts.dropped)

    def _wanted(self, known: Facts) -> set[str] | None:
        if not self.options.only_known:
            return None
        return {mark for concept in known.concepts for mark in (concept.id, *concept.xrefs)}

    def _kinds(self, place: Path) -> dict[str, str]:
        kinds: dict[str, str] = {}
        for cells in _rows(place / "MRSTY.RRF", 4, optional=not self.options.types):
            kind = self.options.types.get(cells[1]) or self.options.types.get(cells[3])
            if kind:
                kinds.setdefault(cells[0], kind)
        return kinds

    def _names(self, place: Path, dropped: Counter[str]) -> dict[str, tuple[str, list[str]]]:
        """Preferred name and other names of each concept."""
        found: dict[str, list[tuple[bool, str]]] = defaultdict(list)
        for cells in _rows(place / "MRCONSO.RRF", 18):
            cui, language, status, form, preferred = *cells[:3], cells[4], cells[6]
            if cells[16] != "N":
                dropped["name that is suppressed"] += 1
            elif language not in self.options.languages:
                dropped["name in another language"] += 1
            elif self.options.vocabularies and cells[11] not in self.options.vocabularies:
                dropped["name of a vocabulary that is not selected"] += 1
            else:
                best = (status, form, preferred) == ("P", "PF", "Y")
                found[cui].append((not best, cells[14]))
        names = {}
        for cui, words in found.items():
            ordered = list(dict.fromkeys(word for _, word in sorted(words, key=lambda w: w[0])))
            names[cui] = ordered[0], ordered[1:]
        return names

    def _definitions(self, place: Path) -> dict[str, str]:
        found: dict[str, str] = {}
        for cells in _rows(place / "MRDEF.RRF", 7, optional=True):
            if cells[6] == "N":
                found.setdefault(cells[0], cells[5])
        return found

    def _links(self, place: Path, dropped: Counter[str]) -> list[Link]:
        """Links of MRREL: the second concept of a row has the relation to the first."""
        links = []
        chosen = self.options
        for cells in _rows(place / "MRREL.RRF", 15, optional=True):
            first, second, relation, vocabulary = cells[0], cells[4], cells[7], cells[10]
            if cells[14] != "N" or (chosen.vocabularies and vocabulary not in chosen.vocabularies):
                dropped["relation of a vocabulary that is not selected"] += 1
            elif relation not in chosen.relations:
                dropped["relation that is not selected"] += 1
            else:
                links.append((f"UMLS:{second}", relation, f"UMLS:{first}"))
        return links


def _rows(path: Path, columns: int, *, optional: bool = False) -> Iterator[list[str]]:
    """Rows of an RRF file, whose cells each end with `|`."""
    if optional and not path.exists():
        return
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, start=1):
                cells = line.rstrip("\r\n").split("|")
                if len(cells) < columns:
                    raise InputError(
                        f"{path.name}, line {number}: {len(cells)} cells",
                        f"an RRF row has at least {columns}; is the file whole?",
                    )
                yield cells
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", "name the folder of your own UMLS copy") from None
    except UnicodeDecodeError:
        raise InputError(f"{path.name}: is not UTF-8", "unpack it again") from None


def _of_kind(concept: Concept, kind: str | None) -> Concept:
    return concept if kind is None else replace(concept, kind=kind)
