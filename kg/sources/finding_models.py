"""Open imaging finding models: findings with synonyms, sites and codes from their JSON files."""

from __future__ import annotations

import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.files.regular import open_file, read_file
from kg.files.tables import parsed_json
from kg.model.curies import normal_curie
from kg.model.edges import known_relation
from kg.sources import Facts
from kg.sources._names import Names
from kg.sources._terms import Link, Term, TermOptions, facts_of

__all__ = ["FindingModels"]

_LARGEST = 1 << 20
"""Largest size of a finding model, in bytes."""


class FindingModels:
    """Reads `*.fm.json` files from a folder or a .tar.gz; nothing is unpacked to disk.

    Args:
        options: The folder or archive, and the selection of findings.
    """

    class Options(TermOptions):
        """The folder or archive, relative to the recipe, and the selection of findings.

        Args:
            file: A folder of .fm.json files, or a .tar.gz of one.
            tags: Take only findings with one of these tags; all where empty.
            names: Take only findings with these names; all where empty.
            tag_edges: Relation and concept that each tag states, for example
                `{XR: [seen_on_modality, chest radiograph]}`.
        """

        file: str
        source: str = "Open Imaging Finding Models (openimagingdata/findingmodels)"
        licence: str = "MIT"
        kind: str = "finding"
        tags: tuple[str, ...] = ()
        names: tuple[str, ...] = ()
        tag_edges: Mapping[str, tuple[str, str]] = {}

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the findings.

        Args:
            folder: Folder the files are relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If there is no such folder or archive, or a file is no finding model.
        """
        dropped: Counter[str] = Counter()
        names = Names(known.concepts)
        stated = {
            tag: (known_relation(relation), names.need(name, f"tag_edges.{tag}"))
            for tag, (relation, name) in self.options.tag_edges.items()
        }
        terms: list[Term] = []
        links: list[Link] = []
        for name, content in _files(folder / self.options.file):
            try:
                if not self._asked(content):
                    dropped["finding that is not selected"] += 1
                    continue
                term = _term(content, dropped)
                links += _links(term.id, content, stated, names, dropped)
            except (KeyError, TypeError, AttributeError) as error:
                hint = "correct or remove it"
                raise InputError(f"{name}: is no finding model ({error})", hint) from None
            terms.append(term)
        return facts_of(terms, links, self.options, known, dropped)

    def _asked(self, content: Any) -> bool:
        tags, names = self.options.tags, self.options.names
        if names and content.get("name") not in names:
            return False
        return not tags or not set(tags).isdisjoint(content.get("tags") or ())


def _files(path: Path) -> Iterator[tuple[str, Any]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield file.name, parsed_json(read_file(file), file.name)
        return
    try:
        with open_file(path) as packed, tarfile.open(fileobj=packed) as archive:
            for member in archive:
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if member.size > _LARGEST:
                    raise InputError(f"{path.name}: {member.name} is too large", "remove it")
                handle = archive.extractfile(member)
                text = handle.read().decode("utf-8") if handle else "{}"
                yield member.name, parsed_json(text, member.name)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path") from None
    except (tarfile.TarError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: cannot be read ({error})", "is it a .tar.gz?") from None


def _term(content: Any, dropped: Counter[str]) -> Term:
    codes = _list(content, "index_codes")
    label, described = content["name"], content.get("description") or ""
    # Many describe a finding by its own name.
    definition = "" if described.casefold() == label.casefold() else described
    dropped["definition that only repeats the name"] += bool(described and not definition)
    return Term(
        id=f"OIFM:{content['oifm_id']}",
        label=label,
        synonyms=tuple(_list(content, "synonyms")),
        xrefs=tuple(normal_curie(f"{code['system']}:{code['code']}") for code in codes),
        definition=definition,
    )


def _list(content: Any, key: str) -> list[Any]:
    """The list under a key, which may be left out.

    Raises:
        TypeError: If there is something else.
    """
    value = content.get(key) or []
    if not isinstance(value, list):
        raise TypeError(f"{key} is no list")
    return value


def _links(
    own: str, content: Any, stated: Mapping[str, tuple[str, str]], names: Names,
    dropped: Counter[str],
) -> Iterator[Link]:  # fmt: skip
    """Links by the tags, and to the sites among the values of the attribute `location`."""
    for tag in dict.fromkeys(content.get("tags") or ()):
        if tag in stated:
            yield own, *stated[tag]
    for attribute in content["attributes"]:
        if attribute["name"].casefold() == "location":
            for value in attribute.get("values") or ():
                site = names.find(value["name"])
                if site is not None and names.concepts[site].kind == "anatomy":
                    yield own, "located_in", site
                else:
                    dropped["location that is no known anatomy"] += 1
