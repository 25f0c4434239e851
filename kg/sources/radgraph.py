"""RadGraph annotations: entities and relations of reports, counted as edges between concepts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kg.check.label_tables import training_patients
from kg.errors import InputError, did_you_mean
from kg.files.tables import read_json
from kg.model.edges import RELATIONS, Edge, known_relation
from kg.sources import Facts
from kg.sources._mined import MinedOptions, mined
from kg.sources._names import Names

__all__ = ["RadGraph"]

_ANNOTATIONS = ("entities", "labeler_1", "labeler_2")


class RadGraph:
    """Counts relations between entities that are definitely present (Jain 2021).

    Reads the published JSON (reports by id, each with `entities` and their relations, or with
    `labeler_1`) and the output of RadGraph's own tagger. An entity is looked up with the words
    that modify it, then by its own words.

    Args:
        options: The file, its patients and its origin.
    """

    class Options(MinedOptions):
        """The file, its patients and its origin.

        Args:
            file: JSON of annotations.
            patients: Reports that may be counted: a file of report ids or patients, a split
                manifest, or `all`. The patient of `p10/p10000032/s5.txt` is `p10000032`.
            relations: The graph's relation for each of the schema's.
        """

        file: str
        patients: str
        relations: Mapping[str, str] = {
            "located_at": "located_in",
            "suggestive_of": "suggestive_of",
        }

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Count the relations.

        Args:
            folder: Folder the file is relative to.
            known: Facts of earlier sources; entities are looked up in them.

        Raises:
            InputError: If the file is missing or is no RadGraph annotation.
        """
        chosen, names, dropped = self.options, Names(known.concepts), Counter[str]()
        for word, relation in chosen.relations.items():
            if known_relation(relation) not in RELATIONS:
                raise InputError(
                    f"radgraph: relations.{word}: no relation {relation!r}",
                    did_you_mean(relation, RELATIONS),
                )
        allowed = training_patients(folder, chosen.patients)
        found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        reports = 0
        for report, entities in _reports(folder / chosen.file):
            if allowed is not None and not allowed & {report, *_steps(report)}:
                dropped["report that may not be counted"] += 1
                continue
            reports += 1
            for triple in _stated(entities, report, chosen.relations, names, dropped):
                found[triple].add(report)
        edges = []
        for (subject, relation, target), where in sorted(found.items()):
            if len(where) < chosen.min_count:
                dropped["relation stated in too few reports"] += 1
                continue
            evidence = mined(
                chosen,
                reports,
                weight=len(where) / reports,
                count=len(where),
                detail=f"share={len(where) / reports:.3g}",
            )
            edges.append(Edge(subject, relation, target, (evidence,)))
        return Facts((), edges, dropped=dropped)


def _steps(report: str) -> list[str]:
    return [step.partition(".")[0] for step in report.split("/")]


def _reports(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    content = read_json(path)
    try:
        for report, record in content.items():
            held = next((record[key] for key in _ANNOTATIONS if key in record), None)
            # A second labeler wraps its entities once more.
            entities = held.get("entities", held) if held is not None else None
            if entities is not None:
                yield str(report), entities
    except (AttributeError, TypeError) as error:
        raise InputError(
            f"{path.name}: is no RadGraph file ({error})",
            'reports by id: {"id": {"text": ..., "entities": {...}}}',
        ) from None


def _stated(
    entities: Mapping[str, Any], report: str, relations: Mapping[str, str], names: Names,
    dropped: Counter[str],
) -> Iterator[tuple[str, str, str]]:  # fmt: skip
    try:
        concepts = {key: _concept(key, entities, names) for key in entities}
        for key, entity in entities.items():
            if not _is_present(entity["label"]):
                dropped["entity that is absent or uncertain"] += 1
                continue
            for word, other in entity.get("relations") or ():
                subject, target = concepts[key], concepts[str(other)]
                if word not in relations:
                    dropped[f"relation {word}"] += 1
                elif subject is None or target is None:
                    dropped["relation with an entity that the graph does not know"] += 1
                elif subject != target and _is_present(entities[str(other)]["label"]):
                    yield subject, known_relation(relations[word]), target
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{report}: is no RadGraph annotation ({error!r})",
            "tokens, label, start_ix, end_ix and relations of each entity",
        ) from None


def _is_present(label: str) -> bool:
    return label.endswith("-DP") or "definitely present" in label.casefold()


def _concept(key: str, entities: Mapping[str, Any], names: Names) -> str | None:
    """The concept of an entity with all words that modify it, or else of its own words."""
    entity = entities[key]
    modifiers = [
        other
        for other in entities.values()
        for word, target in other.get("relations") or ()
        if word == "modify" and str(target) == key
    ]
    whole = sorted([*modifiers, entity], key=lambda one: int(one["start_ix"]))
    phrase = " ".join(str(one["tokens"]) for one in whole)
    return names.find(phrase) or names.find(str(entity["tokens"]))
