"""Tables of facts: concepts, relations and a lexicon as tab-separated files with their sources."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from pydantic import AliasChoices, Field

from kg.build.curation import DROP, Curation, apply_fixes, read_fixes
from kg.build.provenance import Registry
from kg.files.tables import Row, read_rows
from kg.model.concepts import Concept, Phrase
from kg.model.edges import Edge
from kg.options import Options as BaseOptions
from kg.sources import Conflict, Facts

__all__ = ["FactTables"]


class FactTables:
    """Reads the three tables; every parallel item of a fact becomes its own evidence.

    Args:
        options: The tables, and the curation and fixes of their content.
    """

    class Options(BaseOptions):
        """Files, relative to the recipe; a file without a name is not read.

        Args:
            concepts: id, preferred_label, kind, synonyms, label_sets, xrefs, source.
            relations: subject, relation, object, source, evidence, weight, count.
            lexicon: concept, phrase, type, source.
            registry: YAML with the licence and data set of each source.
            curation: Verdicts on single facts (formerly `judgements`).
            fixes: Corrections of single concepts (formerly `mends`).
            leave_out_xrefs: Prefixes of identifiers that are left out.
        """

        concepts: str | None = None
        relations: str | None = None
        lexicon: str | None = None
        registry: str | None = None
        curation: str | None = Field(None, validation_alias=AliasChoices("curation", "judgements"))
        fixes: str | None = Field(None, validation_alias=AliasChoices("fixes", "mends"))
        leave_out_xrefs: tuple[str, ...] = ()

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Read the facts, with verdicts and fixes applied.

        Args:
            folder: Folder the files are relative to.
            known: Facts of earlier sources; not used.

        Raises:
            InputError: If a table is missing or a row is malformed; names file and line.
        """
        chosen = self.options
        registry = Registry.read(folder / chosen.registry) if chosen.registry else Registry()
        conflicts: list[Conflict] = []
        phrases = self._phrases(folder, registry)
        concepts = self._concepts(folder, registry, phrases)
        if chosen.fixes:
            concepts = apply_fixes(concepts, read_fixes(folder / chosen.fixes))
        if chosen.concepts:
            conflicts += _unknown_phrases(concepts, phrases)
        edges = self._edges(folder, registry, conflicts)
        return Facts(concepts, edges, (), conflicts)

    def _phrases(self, folder: Path, registry: Registry) -> dict[str, list[Phrase]]:
        phrases: dict[str, list[Phrase]] = defaultdict(list)
        if self.options.lexicon:
            for row in read_rows(
                folder / self.options.lexicon, ("concept", "phrase", "type", "source")
            ):
                # One phrase for each source, so that leaving one out keeps the other's phrase.
                phrases[row["concept"]] += [
                    Phrase(
                        text=row["phrase"].lower(),
                        kind=row["type"],
                        source=source,
                        dataset=registry.find(source).dataset,
                    )
                    for source in row.parallel("source")
                ]
        return phrases

    def _concepts(
        self, folder: Path, registry: Registry, phrases: dict[str, list[Phrase]]
    ) -> list[Concept]:
        if not self.options.concepts:
            return []
        columns = ("id", "preferred_label", "kind", "synonyms", "xrefs", "source")
        return [
            self._concept(row, registry, phrases[row["id"]])
            for row in read_rows(folder / self.options.concepts, columns)
        ]

    def _concept(self, row: Row, registry: Registry, phrases: list[Phrase]) -> Concept:
        left_out = self.options.leave_out_xrefs
        return Concept(
            id=row["id"],
            label=row["preferred_label"],
            kind=row["kind"],
            synonyms=row.listed("synonyms"),
            xrefs=tuple(x for x in row.listed("xrefs") if x.split(":")[0] not in left_out),
            phrases=tuple(phrases),
            source=row["source"],
            dataset=registry.dataset(row.parallel("source")),
        )

    def _edges(self, folder: Path, registry: Registry, conflicts: list[Conflict]) -> list[Edge]:
        chosen = self.options
        if not chosen.relations:
            return []
        curation = Curation.read(folder / chosen.curation) if chosen.curation else Curation()
        edges = []
        columns = ("subject", "relation", "object", "source", "evidence", "weight", "count")
        for row in read_rows(folder / chosen.relations, columns):
            stated = (row["subject"], row["relation"], row["object"])
            verdict = curation.verdict(*stated, where=row.where)
            if verdict.relation == DROP or verdict.object != row["object"]:
                kept = "dropped" if verdict.relation == DROP else f"now of {verdict.object}"
                about = " ".join(stated)
                conflicts.append(Conflict("judged", about, f"{kept}: {verdict.why}"))
            if verdict.relation != DROP:
                evidence = registry.evidence(row)
                relation, target = verdict.relation, verdict.object
                edges.append(Edge(row["subject"], relation, target, evidence, verdict.label_set))
        for triple in curation.unused():
            message = "has a verdict but is never stated"
            conflicts.append(Conflict("unused_judgement", " ".join(triple), message))
        return edges


def _unknown_phrases(concepts: list[Concept], phrases: dict[str, list[Phrase]]) -> list[Conflict]:
    known = {concept.id for concept in concepts}
    return [
        Conflict("unknown_concept", concept, f"the phrase {phrase.text!r} was not taken in")
        for concept in phrases
        if concept not in known
        for phrase in phrases[concept]
    ]
