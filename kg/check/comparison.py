"""Comparison of a graph with label tables (is_a) and with vocabularies (identifiers)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from kg.build.align import normal_name
from kg.check.faults import Fault, fault
from kg.check.label_tables import TableOptions, read_labels
from kg.errors import InputError, did_you_mean
from kg.files.store import ENDINGS, load
from kg.files.tables import read_yaml
from kg.model.graph import KnowledgeGraph
from kg.options import parse_options
from kg.sources import SOURCES, Facts
from kg.sources._names import Names

MOST = 0.05
"""Largest share of a child's positives that may lack its parent."""

READERS = {".obo": "obo", ".owl": "owl", ".rdf": "owl", ".json": "obographs", ".csv": "radlex"}


def against_labels(graph: KnowledgeGraph, description: Path) -> Iterator[Fault]:
    """`is_a` edges that a label table contradicts.

    Args:
        graph: The graph.
        description: YAML with the fields of `kg.check.label_tables.TableOptions`; files are
            relative to it.

    Raises:
        InputError: If the description or the table is malformed.
    """
    content = read_yaml(description)
    if not isinstance(content, dict):
        raise InputError(f"{description.name}: describes no table", "table: ..., patient: ...")
    options = parse_options(TableOptions, content, where=description.name)
    label_sets = {one.name: one for one in graph.label_sets}
    names = Names(graph.concepts)
    studies = read_labels(description.parent, options, names, label_sets, Counter())
    if options.most_specific:
        for study in studies:
            study.absent -= {wide for c in study.present for wide in graph.ancestors(c)}
    labelled = {c for study in studies for c in (*study.present, *study.absent)}
    for child in sorted(labelled):
        for parent in graph.ancestors(child):
            if parent not in labelled:
                continue
            lacking = sum(child in s.present and parent in s.absent for s in studies)
            both = sum(child in s.present and parent in s.present for s in studies)
            if lacking > MOST * (lacking + both):
                message = (
                    f"{Path(options.table).name}: {lacking} of {lacking + both} positives of "
                    f"{child} are labelled without {parent}"
                )
                yield fault("is_a_against_labels", f"{child} is_a {parent}", message)


def against_vocabulary(graph: KnowledgeGraph, vocabulary: Path) -> Iterator[Fault]:
    """Identifiers whose label in a vocabulary is no name of their concept.

    Args:
        graph: The graph.
        vocabulary: A graph file, or an ontology (.obo, .owl, .rdf, OBO graph .json, RadLex .csv).

    Raises:
        InputError: If the file is missing or malformed.
    """
    known: dict[str, set[str]] = defaultdict(set)
    labels = {}
    for concept in _facts(vocabulary).concepts:
        labels[concept.id] = concept.label
        known[concept.id] |= {normal_name(word) for word in (concept.label, *concept.synonyms)}
    prefixes = {name.partition(":")[0] for name in labels}
    for concept in graph.concepts:
        own = {normal_name(word) for word in (concept.label, *concept.synonyms)}
        for xref in concept.xrefs:
            if xref in labels and own.isdisjoint(known[xref]):
                message = f"({concept.label}) has {xref}, which is {labels[xref]!r}"
                yield fault("xref_label_mismatch", concept.id, message)
            elif xref not in labels and xref.partition(":")[0] in prefixes:
                message = f"({concept.label}) has {xref}, which {vocabulary.name} has not"
                yield fault("xref_unknown", concept.id, message)


def _facts(path: Path) -> Facts:
    if path.suffix in ENDINGS:
        graph = load(path)
        return Facts(graph.concepts, graph.edges)
    if path.suffix not in READERS:
        hint = did_you_mean(path.suffix, (*ENDINGS, *READERS))
        raise InputError(f"{path}: no vocabulary ends so", hint)
    source = SOURCES.load(READERS[path.suffix])
    chosen = {"file": path.name, "source": path.name, "leave_out_xrefs": ()}
    if path.suffix in (".owl", ".rdf", ".obo"):
        chosen["imports"] = "leave_out"
    return source(source.Options(**chosen)).read(path.parent, Facts())  # type: ignore[no-any-return]
