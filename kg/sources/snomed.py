"""SNOMED CT: concepts, names and relationships of the user's own licensed RF2 release."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path

from kg.errors import InputError
from kg.files.regular import open_file
from kg.files.tables import cells_of
from kg.model.edges import IS_A
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of

__all__ = ["Snomed"]

_FULL_NAME = "900000000000003001"
_TAG = re.compile(r"^(.*) \(([^()]+)\)$", re.DOTALL)


class Snomed:
    """Reads the snapshot files of a release. Nothing of it is shipped with kgdx.

    The content must not be passed on without an affiliate licence, which every item of evidence
    carries.

    Args:
        options: The folder, and the selection of its terms.
    """

    class Options(TermOptions):
        """The folder, and the selection of its terms.

        Args:
            folder: Folder below which the `sct2_*_Snapshot*` files are.
            tag_kinds: Kind of each selected semantic tag; others are left out.
            language: Language of the descriptions that are read, as the release writes it.
        """

        folder: str
        source: str = "SNOMED CT (SNOMED International), the user's own copy"
        licence: str = "SNOMED CT Affiliate Licence; not to be passed on"
        relations: Mapping[str, str] = {
            "116680003": IS_A,
            "363698007": "located_in",
            "246075003": "has_pathogen",
            "42752001": "SNOMEDCT:42752001",
            "47429007": "SNOMEDCT:47429007",
            "123005000": "part_of",
        }
        tag_kinds: Mapping[str, str] = {
            "disorder": "disease",
            "finding": "finding",
            "body structure": "anatomy",
            "morphologic abnormality": "finding",
            "organism": "pathogen",
            "procedure": "procedure",
        }
        language: str = "en"
        leave_out_xrefs: tuple[str, ...] = ()

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the active concepts that are selected.

        Args:
            folder: Folder the options' folder is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If a file of the release is missing or malformed; names the line.
        """
        place, dropped = folder / self.options.folder, Counter[str]()
        active = set[str]()
        for row in _rows(place, "Concept", ("id", "active")):
            if row["active"] == "1":
                active.add(row["id"])
            else:
                dropped["concept that is not active"] += 1
        terms, kinds = self._terms(place, active, dropped)
        links = self._links(place, dropped)
        facts = facts_of(terms, links, self.options, known, dropped)
        concepts = [replace(concept, kind=kinds[concept.id]) for concept in facts.concepts]
        return Facts(concepts, facts.edges, dropped=facts.dropped)

    def _terms(
        self, place: Path, active: set[str], dropped: Counter[str]
    ) -> tuple[list[Term], dict[str, str]]:
        """The terms, and the kind of each by its semantic tag."""
        full: dict[str, str] = {}
        others: dict[str, list[str]] = defaultdict(list)
        columns = ("active", "conceptId", "languageCode", "typeId", "term")
        for row in _rows(place, "Description", columns):
            if row["active"] == "1" and row["languageCode"] == self.options.language:
                if row["typeId"] == _FULL_NAME:
                    full[row["conceptId"]] = row["term"]
                else:
                    others[row["conceptId"]].append(row["term"])
        terms, kinds = [], {}
        for concept in sorted(active):
            found = _TAG.match(full.get(concept, ""))
            if found is None or found[2] not in self.options.tag_kinds:
                dropped["concept of a kind that is not selected"] += 1
                continue
            own = f"SNOMEDCT:{concept}"
            terms.append(Term(own, found[1], tuple(others[concept])))
            kinds[own] = self.options.tag_kinds[found[2]]
        return terms, kinds

    def _links(self, place: Path, dropped: Counter[str]) -> list[Link]:
        links = []
        columns = ("active", "sourceId", "destinationId", "typeId")
        for row in _rows(place, "Relationship", columns):
            if row["active"] != "1":
                dropped["relationship that is not active"] += 1
            elif row["typeId"] not in self.options.relations:
                dropped["relationship that is not selected"] += 1
            else:
                ends = f"SNOMEDCT:{row['sourceId']}", f"SNOMEDCT:{row['destinationId']}"
                links.append((ends[0], row["typeId"], ends[1]))
        return links


def _rows(place: Path, what: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of every snapshot file of a kind."""
    files = sorted(place.rglob(f"sct2_{what}_Snapshot*.txt"))
    if not files:
        raise InputError(
            f"{place}: holds no sct2_{what}_Snapshot file",
            "name the folder of your own RF2 release",
        )
    for path in files:
        with TextIOWrapper(open_file(path), encoding="utf-8-sig", newline="") as file:
            rows = cells_of(file, path.name, delimiter="\t", quoted=False)
            _, header = next(rows, (1, []))
            missing = [name for name in columns if name not in header]
            if missing:
                raise InputError(
                    f"{path.name}, line 1: no column {', '.join(missing)}", "is it an RF2 file?"
                )
            for line, cells in rows:
                if len(cells) < len(header):
                    raise InputError(
                        f"{path.name}, line {line}: too few cells", "is the file whole?"
                    )
                yield dict(zip(header, cells, strict=False))
