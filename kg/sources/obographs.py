"""OBO Graphs: terms, exact synonyms, cross-references and edges of an ontology as JSON."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from kg.errors import InputError
from kg.files.tables import read_json
from kg.model.curies import curie
from kg.model.edges import IS_A
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of, stated_true

__all__ = ["OboGraphs"]


class OboGraphs:
    """Reads the JSON format in which OBO ontologies are published beside .obo and .owl.

    Args:
        options: The file, and the selection of its terms.
    """

    class Options(TermOptions):
        """The file, relative to the recipe, and the selection of its terms.

        Args:
            file: The .json file.
        """

        file: str

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the ontology.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources.

        Raises:
            InputError: If the file is missing or is not an OBO graph document.
        """
        path = folder / self.options.file
        content = read_json(path)
        dropped: Counter[str] = Counter()
        try:
            graphs = content["graphs"]
            nodes = [node for graph in graphs for node in graph.get("nodes", ())]
            terms = [_term(n, dropped) for n in nodes if n.get("type", "CLASS") == "CLASS"]
            links = [_link(edge) for graph in graphs for edge in graph.get("edges", ())]
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path.name}: is no OBO graph document ({error})", "see obographs"
            ) from None
        return facts_of(terms, links, self.options, known, dropped)


def _term(node: dict[str, Any], dropped: Counter[str]) -> Term:
    meta = node.get("meta", {})
    synonyms = meta.get("synonyms", ())
    exact = [s["val"] for s in synonyms if s["pred"] == "hasExactSynonym"]
    dropped["synonym that is not exact"] += len(synonyms) - len(exact)
    return Term(
        id=curie(node["id"]),
        label=node.get("lbl", ""),
        synonyms=tuple(exact),
        xrefs=tuple(xref["val"] for xref in meta.get("xrefs", ())),
        definition=meta.get("definition", {}).get("val", ""),
        obsolete=stated_true(meta.get("deprecated")),
    )


def _link(edge: dict[str, Any]) -> Link:
    relation = edge["pred"]
    named = relation if relation == IS_A else curie(relation)
    return curie(edge["sub"]), named, curie(edge["obj"])
